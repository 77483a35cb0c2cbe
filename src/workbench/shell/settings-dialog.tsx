import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { Theme } from '../theme-choice.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { KeyGroups } from './key-sheet.tsx';
import { type CodeSize, codeSizes, indentWidths } from './preferences.ts';

const themes: readonly (Theme | undefined)[] = [undefined, 'light', 'dark'];
const themeNames = { light: 'Light', dark: 'Dark' } as const;
const sizeNames: Record<CodeSize, string> = { small: 'Small', usual: 'Usual', large: 'Large', larger: 'Larger' };

/** How the page looks in this browser, and its keys. What is chosen holds at once. */
export function SettingsDialog() {
  const workbench = useWorkbench();
  const { theme, preferences } = workbench.layout;
  const { value: phone } = workbench.phone;
  const sought = useSignal('');
  const wrap = preferences.wrap.value ?? phone;
  return (
    <Dialog label="Settings" class="pop keys" centred titled>
      <div class="settings scroll" tabIndex={0} role="region" aria-label="All settings">
        <Choice
          label="Theme"
          values={themes}
          chosen={theme.chosen.value}
          name={(one) => (one === undefined ? 'As the system' : themeNames[one])}
          choose={(one) => theme.choose(one)}
        />
        <Choice
          label="Size of code"
          values={codeSizes}
          chosen={preferences.codeSize.value}
          name={(size) => sizeNames[size]}
          choose={(size) => preferences.set('code-size', size === 'usual' ? undefined : size)}
        />
        <Choice
          label="Break long lines"
          values={[true, false]}
          chosen={wrap}
          name={(on) => (on ? 'On' : 'Off')}
          choose={(on) => preferences.set('wrap', on === phone ? undefined : on ? 'yes' : 'no')}
        />
        <Choice
          label="Indent"
          hint="where the file does not say; also how wide a tab is"
          values={indentWidths}
          chosen={preferences.indentWidth.value}
          name={(width) => (width === undefined ? 'By language' : String(width))}
          choose={(width) => preferences.set('indent', width === undefined ? undefined : String(width))}
        />
        <Row label="Motion">
          <span class="dim">As the system asks for: none where it says less.</span>
        </Row>
        <p class="faint sm">Kept in this browser, for all its workspaces.</p>
        <h3>Keys</h3>
        <div class="field">
          <Icon name="search" />
          <input
            aria-label="Find a key"
            placeholder="Find by what it does, or by its key"
            value={sought.value}
            onInput={(event) => (sought.value = event.currentTarget.value)}
          />
        </div>
        <KeyGroups sought={sought.value} />
      </div>
    </Dialog>
  );
}

function Choice<T>({
  label,
  hint,
  values,
  chosen,
  name,
  choose,
}: {
  label: string;
  hint?: string;
  values: readonly T[];
  chosen: T;
  name: (value: T) => string;
  choose: (value: T) => void;
}) {
  return (
    <Row label={label} hint={hint}>
      <div class="seg" role="group" aria-label={label}>
        {values.map((value) => (
          <button key={name(value)} type="button" aria-pressed={value === chosen} onClick={() => choose(value)}>
            {name(value)}
          </button>
        ))}
      </div>
    </Row>
  );
}

function Row({ label, hint, children }: { label: string; hint?: string | undefined; children: ComponentChildren }) {
  return (
    <div class="set">
      <div>
        {label} {hint !== undefined && <div class="faint sm">{hint}</div>}
      </div>
      {children}
    </div>
  );
}
