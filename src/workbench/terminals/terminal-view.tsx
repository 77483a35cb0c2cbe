import { failureText } from '../failure-text.ts';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { isTerminalKey } from '../bottom/terminal-keys.ts';
import { endSentence, isRunning } from '../processes/process-words.ts';
import { Icon } from '../shell/icon.tsx';
import { isKey } from '../shell/keys.ts';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { TerminalScreen } from './terminal-screen.ts';

/** A terminal that others may look at and type into as well. */
export function TerminalView({ id }: { id: string }) {
  const workbench = useWorkbench();
  const { bottom, terminals, processes, layout, link, toasts } = workbench;
  const box = useRef<HTMLDivElement>(null);
  const screen = useSignal<TerminalScreen | undefined>(undefined);
  const mayType = workbench.canExecute.value;
  const { value: screenReader } = bottom.screenReader;

  useEffect(() => {
    if (box.current === null) return;
    const made = new TerminalScreen(
      box.current,
      {
        client: workbench.client,
        onNews: (news) => terminals.note(id, news),
        isLive: () => link.live.value,
        onLostInput: (error) => toasts.fail('What you typed did not arrive', error),
        isOurs: (event) => isTerminalKey(event, apple),
        isCopy: (event) => isKey('Ctrl Shift C', event, apple),
        isPaste: (event) => isKey('Ctrl Shift V', event, apple),
      },
      { id, mayType, screenReader: bottom.screenReader.value },
    );
    screen.value = made;
    return () => {
      terminals.room = made.room() ?? terminals.room;
      made.dispose();
      screen.value = undefined;
    };
  }, [id, mayType]);
  useWantedFocus('bottom', () => screen.value?.focus(), screen.value !== undefined);
  useEffect(() => screen.value?.setScreenReader(screenReader), [screenReader, screen.value]);
  useEffect(() => {
    // The page takes on the theme after its views have heard of it.
    const frame = requestAnimationFrame(() => screen.value?.recolor());
    return () => cancelAnimationFrame(frame);
  }, [layout.theme.isDark.value, screen.value]);

  const phase = screen.value?.link.phase.value;
  const end = screen.value?.link.end.value;
  const problem = screen.value?.link.problem.value;
  const process = processes.get(id);
  // Somebody started it again: what it shows is followed anew.
  const again =
    phase === 'ended' && end !== undefined && process !== undefined && isRunning(process) && process.startedAt !== end.startedAt;
  useEffect(() => {
    if (again) screen.value?.link.start();
  }, [again]);
  // Those who look at it are named as they came.
  const name = workbench.caller.value?.name;
  const before = useRef(name);
  useEffect(() => {
    if (before.current !== name && phase === 'attached') screen.value?.link.start();
    before.current = name;
  }, [name]);
  const close = async (): Promise<void> => {
    if (await terminals.close(id)) workbench.focusMain();
  };

  return (
    <div class="term-pane">
      <div class="term" ref={box} />
      {phase === 'attaching' && !link.live.value && (
        <p class="term-note warn" role="status">
          <Icon name="off" />
          <span class="grow">The link is away. This is the last screen; what you type now is not sent.</span>
        </p>
      )}
      {phase === 'ended' && (
        <div class="term-note" role="status" data-testid="terminal-end">
          <Icon name="info" />
          <span class="grow">
            {end === undefined ? (problem === undefined ? 'This terminal is gone.' : failureText(problem)) : endSentence(end)}
          </span>
          {problem !== undefined && (
            <button type="button" class="btn sm" onClick={() => screen.value?.link.start()}>
              Try again
            </button>
          )}
          {mayType && end !== undefined && (
            <>
              <button
                type="button"
                class="btn sm"
                onClick={() => void terminals.restart(id).then(() => (layout.wantsFocus.value = 'bottom'))}
              >
                Restart
              </button>
              <button type="button" class="btn sm" onClick={() => void close()}>
                Close
              </button>
            </>
          )}
        </div>
      )}
    </div>
  );
}
