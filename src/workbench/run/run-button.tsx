import { useEffect } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { sayKey } from '../shell/keys.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { runFile } from './run-actions.ts';

/** Runs the document, where its ending is one of a language; absent where the caller may not. */
export function RunButton({ path }: { path: string }) {
  const workbench = useWorkbench();
  const { run, canExecute } = workbench;
  const may = canExecute.value;
  useEffect(() => {
    if (may) void run.want();
  }, [may, run]);
  if (!may || run.languageFor(path) === undefined) return null;
  const words = `Run this file (${sayKey('Ctrl Enter', apple)})`;
  return (
    <button type="button" class="ib" aria-label={words} title={words} onClick={() => void runFile(workbench)}>
      <Icon name="run" />
    </button>
  );
}
