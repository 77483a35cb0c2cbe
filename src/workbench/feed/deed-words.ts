import { nameOf } from '../file-paths.ts';
import { sayRun } from '../checkpoints/checkpoint-rows.ts';
import { deploymentTitle, deploymentTone, isUnderWay, outcome } from '../deploy/deploy-words.ts';
import { stateWords } from '../processes/process-words.ts';
import { count, list, spentTime } from '../words.ts';
import type { CommitFiles, Deed } from './activity-items.ts';

export interface DeedWords {
  /** After the name of who did it: `committed`. */
  verb: string;
  /** What it was done to, which opens it: `Count the days`. */
  what: string;
  /** How it went, or what it holds. */
  note: string;
  /** Of `note`. */
  tone: 'bad' | 'plain';
}

/** A deed in words. `files` are those of a commit, once they are known. */
export function deedWords(deed: Deed, now: number, files?: CommitFiles): DeedWords {
  if (deed.kind === 'commits') {
    const { hash, subject } = deed.commit;
    const what = subject === '' ? 'without a message' : subject;
    return { verb: 'committed', what, note: [hash.slice(0, 7), sayFiles(files)].filter(Boolean).join(' · '), tone: 'plain' };
  }
  if (deed.kind === 'deploys') {
    const { deployment } = deed;
    return {
      verb: deployment.rollbackOf !== undefined ? 'deployed again' : isUnderWay(deployment) ? 'deploys' : 'deployed',
      what: deploymentTitle(deployment),
      note: joined(outcome(deployment, now), deed.checkpoint),
      tone: deploymentTone(deployment) === 'failed' ? 'bad' : 'plain',
    };
  }
  if (deed.kind === 'checkpoints') {
    const { checkpoint } = deed;
    if (checkpoint.kind === 'made')
      return {
        verb: 'kept a checkpoint',
        what: checkpoint.title,
        note: 'The folder as it was then, to compare and to go back to.',
        tone: 'plain',
      };
    return { ...takenBack(checkpoint.title), note: sayRun(checkpoint), tone: 'plain' };
  }
  const { process, checkpoint } = deed;
  if (process === undefined) return { verb: 'ran', what: checkpoint?.title ?? '', note: joined('', checkpoint), tone: 'plain' };
  const { tone, text } = stateWords(process);
  const took = spentTime((process.endedAt ?? now) - process.startedAt);
  const isOver = process.state === 'ended';
  return {
    verb: isOver ? 'ran' : 'runs',
    what: process.title,
    note: joined(process.reason === 'failed' ? text : `${text} ${isOver ? 'after' : 'for'} ${took}`, checkpoint),
    tone: tone === 'failed' ? 'bad' : 'plain',
  };
}

/** `Revert of X` and `Restore of X`, as the sidecar names them, and those of such. */
function takenBack(title: string): Pick<DeedWords, 'verb' | 'what'> {
  const [, restored] = /^Restore of (.+)$/s.exec(title) ?? [];
  if (restored !== undefined) return { verb: 'restored', what: restored };
  const [, again] = /^Revert of Revert of (.+)$/s.exec(title) ?? [];
  if (again !== undefined) return { verb: 'brought back', what: asPart(again) };
  const [, reverted = title] = /^Revert of (.+)$/s.exec(title) ?? [];
  return { verb: 'reverted', what: asPart(reverted) };
}

/** A restore or revert within a sentence: `the revert of X`; other titles as they are. */
export function asPart(title: string): string {
  const [, kind, what = ''] = /^(Revert|Restore) of (.+)$/s.exec(title) ?? [];
  return kind === undefined ? title : `the ${kind.toLowerCase()} of ${asPart(what)}`;
}

/** How it went, and what it changed where a checkpoint knows. */
function joined(outcome: string, checkpoint: Parameters<typeof sayRun>[0] | undefined): string {
  const changed = checkpoint?.after === undefined ? '' : sayRun(checkpoint);
  return [outcome, changed].filter((part) => part !== '').join(' · ');
}

function sayFiles(files: CommitFiles | undefined): string {
  if (files === undefined) return '';
  const { names, more } = files;
  if (names.length === 0) return 'no files';
  return more ? `more than ${count(names.length, 'file')}` : names.length <= 3 ? list(names.map(nameOf)) : count(names.length, 'file');
}
