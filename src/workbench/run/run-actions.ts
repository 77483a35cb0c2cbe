import { failureText } from '../failure-text.ts';
import { nameOf } from '../file-paths.ts';
import type { Workbench } from '../workbench.ts';
import { argumentsOf, languageProblem, limitNames, limitProblem } from './run-form.ts';
import { accessProblem } from './run-words.ts';
import { type SelectedCode, selectedCode } from './selected-code.ts';

/** Why the document can't be run now, in words; undefined: it can. */
export function runProblem({ run, readOnly, canExecute, link, documents }: Workbench, path: string): string | undefined {
  const access = accessProblem(readOnly.value, canExecute.value);
  if (access !== undefined) return access;
  if (!link.live.value) return 'The link is away: runs need the sidecar.';
  const { value: problem } = run.problem;
  if (run.languages.value === undefined) return problem === undefined ? 'Asking what can be run here…' : failureText(problem);
  const state = documents.get(path)?.state.value.name;
  if (state === undefined || state === 'closed') return `${nameOf(path)} is not open as text.`;
  if (state === 'opening') return `${nameOf(path)} is being opened…`;
  const language = run.languageFor(path);
  if (language === undefined) return `No language has the ending of ${nameOf(path)}. Choose one.`;
  const form = run.form(path);
  const split = argumentsOf(form.args);
  if ('problem' in split) return `Arguments: ${split.problem}`;
  if (limitNames.some(({ field, whole }) => limitProblem(form.limits[field], whole) !== undefined))
    return 'A limit is not a number above 0.';
  return languageProblem(language);
}

/** Runs the document that is shown as it is in the editor, saved or not, and shows what comes of it. */
export async function runFile(workbench: Workbench): Promise<void> {
  await runText(workbench, 'file');
}

export async function runSelection(workbench: Workbench): Promise<void> {
  await runText(workbench, 'selection');
}

export function stopRun({ run }: Workbench): void {
  void run.stop();
}

/** A form beside an output needs more room than a table of processes; a height that somebody chose stays. */
const panelHeightPx = 320;

export function showRun(workbench: Workbench, focus = true): void {
  const { bottom } = workbench;
  if (bottom.isFirstHeight) bottom.setHeight(panelHeightPx, innerHeight);
  bottom.show('run', focus);
}

async function runText(workbench: Workbench, what: 'file' | 'selection'): Promise<void> {
  const { run, toasts } = workbench;
  const { value: path } = run.target;
  if (path === undefined) return showRun(workbench);
  const selected = what === 'selection' ? selectionOf(workbench) : undefined;
  showRun(workbench, false);
  if (run.busy.value) return void toasts.say('Another run is under way', { text: 'Stop it first: Shift F5.' });
  if (run.languages.value === undefined) await run.want();
  // What has to be chosen or mended is in the panel.
  if (runProblem(workbench, path) !== undefined) return showRun(workbench);
  // It may have come only meanwhile.
  const text = what === 'file' ? workbench.documents.get(path)?.text.toString() : selected?.text;
  if (text === undefined || text.trim() === '')
    return void toasts.say(what === 'file' ? `${nameOf(path)} is empty` : 'Nothing is selected');
  await run.run({ path, text, what, firstLine: selected?.firstLine ?? 1 });
}

function selectionOf(workbench: Workbench): SelectedCode | undefined {
  const { view } = workbench.activeSession() ?? {};
  if (view === undefined) return undefined;
  const { from, to } = view.state.selection.main;
  return selectedCode(view.state.doc.toString(), from, to);
}
