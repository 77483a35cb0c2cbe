import { useSignal } from '@preact/signals';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import { framePage, frameHeightOf, pictureUrl, type RichValue } from './rich-value.ts';
import type { RunRecord } from './run-record.ts';

/** Figures, tables and values, in the order in which they were shown. */
export function RunDisplays({ record }: { record: RunRecord }) {
  const { value: displays } = record.displays;
  const { value: omitted } = record.omittedDisplays;
  if (displays.length === 0) return null;
  return (
    <>
      {displays.map(({ key, value }, at) => (
        <figure key={key} class="run-figure" data-testid="display">
          <Shown value={value} name={`${kinds[value.kind]} ${at + 1} of ${record.title}`} />
        </figure>
      ))}
      {omitted > 0 && <p class="sm faint">{count(omitted, 'more value')} were shown; these are the first.</p>}
    </>
  );
}

const kinds = { picture: 'Figure', svg: 'Figure', html: 'Table', json: 'Value', text: 'Value' } as const;

function Shown({ value, name }: { value: RichValue; name: string }) {
  const { layout } = useWorkbench();
  const failed = useSignal(false);
  switch (value.kind) {
    case 'picture':
    case 'svg':
      if (failed.value) return <p class="sm faint">The browser can't show this {value.mime}.</p>;
      return <img src={pictureUrl(value)} alt={name} onError={() => (failed.value = true)} />;
    case 'html': {
      return (
        // An empty sandbox: no scripts, no forms, no way out, an origin of its own.
        <iframe
          sandbox=""
          srcdoc={framePage(value.text, layout.theme.isDark.value)}
          title={name}
          style={{ height: `${frameHeightOf(value.text)}px` }}
        />
      );
    }
    case 'json':
    case 'text':
      return (
        <pre class="scroll" tabIndex={0} role="region" aria-label={name}>
          {value.text}
        </pre>
      );
  }
}
