import { useEffect } from 'preact/hooks';
import { sayActor } from '../actor.ts';
import type { RunRow } from '../checkpoints/checkpoint-rows.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import type { Deed } from './activity-items.ts';
import { asPart, deedWords } from './deed-words.ts';
import { type ArticlePlace, FeedArticle } from './feed-article.tsx';

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
      actions={<Actions deed={deed} what={what} />}
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

function Actions({ deed, what }: { deed: Deed; what: string }) {
  const workbench = useWorkbench();
  if (deed.kind === 'commits') return null;
  const { checkpoint } = deed;
  if (checkpoint === undefined) return null;
  const id = checkpoint.kind === 'made' ? checkpoint.id : checkpoint.after;
  return (
    <>
      {id !== undefined && (
        <button
          type="button"
          class="btn quiet sm"
          aria-label={`Compare: ${what}`}
          onClick={() => workbench.openCheckpoint(id, checkpoint.title)}
        >
          <Icon name="diff" />
          Compare
        </button>
      )}
      {checkpoint.kind === 'run' && canUndo(checkpoint) && !workbench.readOnly.value && (
        <button
          type="button"
          class="btn quiet sm"
          aria-label={`Undo: ${what}`}
          title="Takes it back, and keeps what was edited since"
          onClick={(event) => {
            // This button goes when it is done.
            event.currentTarget.closest('article')?.querySelector<HTMLElement>('button.path')?.focus();
            void workbench.checkpointActions.revert(checkpoint.run, asPart(checkpoint.title));
          }}
        >
          <Icon name="undo" />
          Undo
        </button>
      )}
    </>
  );
}

function canUndo({ after, reverted, files }: RunRow): boolean {
  return after !== undefined && reverted === undefined && files !== 0;
}
