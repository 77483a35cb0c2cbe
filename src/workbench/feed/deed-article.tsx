import { useEffect } from 'preact/hooks';
import { sayActor } from '../actor.ts';
import type { RunRow } from '../checkpoints/checkpoint-rows.ts';
import { useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import type { Deed } from './activity-items.ts';
import { asPart, deedWords } from './deed-words.ts';
import { type ArticlePlace, FeedArticle, keepsEdits, type RowAction } from './feed-article.tsx';

/** A commit, a checkpoint, a restore, a run or a deployment. Its name opens what there is to see of it. */
export function DeedArticle({ deed, place, now }: { deed: Deed; place: ArticlePlace; now: number }) {
  const workbench = useWorkbench();
  const { activity } = workbench;
  const { kind, actor, at } = deed;
  const hash = kind === 'commits' ? deed.commit.hash : undefined;
  useEffect(() => {
    if (hash !== undefined) activity.wantFiles(hash);
  }, [hash]);
  const { verb, what, note, tone } = deedWords(deed, now, hash === undefined ? undefined : activity.files.value.get(hash));
  const who = workbench.isMe(actor) ? 'you' : sayActor(actor);
  const open = opener(workbench, deed);
  const isProgram = kind === 'runs' || kind === 'deploys';
  return (
    <FeedArticle
      place={place}
      actor={isProgram ? { ...actor, kind: 'run' } : actor}
      at={at}
      now={now}
      kind={kind}
      label={`${who} ${verb} ${what}, ${note}`}
      note={<span class={tone === 'bad' ? 'bad' : ''}>{note}</span>}
      actions={actionsOf(workbench, deed, what)}
    >
      <b>{who}</b> <span>{verb}</span>{' '}
      {open === undefined ? (
        <span class="path">{what}</span>
      ) : (
        <button type="button" class={isCode(deed) ? 'path' : 'path said'} title={what} onClick={open}>
          {what}
        </button>
      )}
    </FeedArticle>
  );
}

/** A command line or the parameters of a deployment; else it is a name that somebody chose. */
function isCode(deed: Deed): boolean {
  if (deed.kind === 'runs') return deed.process !== undefined && deed.process.title.startsWith(deed.process.argv[0] ?? '');
  return deed.kind === 'deploys';
}

/** What the name of a deed leads to; undefined when nothing is left of it. */
function opener(workbench: Workbench, deed: Deed): (() => void) | undefined {
  if (deed.kind === 'commits') return () => workbench.openCommit(deed.commit.hash, deed.commit.subject);
  if (deed.kind === 'deploys')
    return () => {
      workbench.deploys.chosen.value = deed.deployment.id;
      workbench.bottom.show('deploy');
    };
  if (deed.kind === 'runs' && deed.process !== undefined) {
    const { id } = deed.process;
    return () => workbench.bottom.showLog(id);
  }
  const { checkpoint } = deed;
  if (checkpoint === undefined) return undefined;
  const id = checkpoint.kind === 'made' ? checkpoint.id : checkpoint.after;
  return id === undefined ? undefined : () => workbench.openCheckpoint(id, checkpoint.title);
}

function actionsOf(workbench: Workbench, deed: Deed, what: string): RowAction[] {
  const checkpoint = deed.kind === 'commits' ? undefined : deed.checkpoint;
  if (checkpoint === undefined) return [];
  const actions: RowAction[] = [];
  const id = checkpoint.kind === 'made' ? checkpoint.id : checkpoint.after;
  if (id !== undefined)
    actions.push({
      ...{ label: 'Compare', icon: 'diff', name: `Compare: ${what}` },
      run: () => workbench.openCheckpoint(id, checkpoint.title),
    });
  if (checkpoint.kind === 'run' && canUndo(checkpoint) && !workbench.readOnly.value)
    actions.push({
      ...{ label: 'Undo', icon: 'undo', name: `Undo: ${what}`, title: keepsEdits, once: true },
      run: () => void workbench.checkpointActions.revert(checkpoint.run, asPart(checkpoint.title)),
    });
  return actions;
}

function canUndo({ after, reverted, files }: RunRow): boolean {
  return after !== undefined && reverted === undefined && files !== 0;
}
