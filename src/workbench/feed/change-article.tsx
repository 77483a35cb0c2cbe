import { sayActor } from '../actor.ts';
import { nameOf, parentOf, truncatePath } from '../file-paths.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, count, list } from '../words.ts';
import { type ArticlePlace, FeedArticle } from './feed-article.tsx';
import { type FeedRow, revisionRange } from './feed-rows.ts';

const typingMs = 15_000;

/** Changes of files that belong together. */
export function ChangeArticle({ row, place, now }: { row: FeedRow; place: ArticlePlace; now: number }) {
  const workbench = useWorkbench();
  const { actor, path, paths } = row;
  const mine = workbench.isMe(actor);
  const run = actor.kind === 'run' ? workbench.activity.runNames.value.get(actor.name.replace(/^Run /, '')) : undefined;
  const who = mine ? 'you' : (run ?? sayActor(actor));
  const typing = row.causeKind === 'document' && now - row.at < typingMs;
  const open = (): void => {
    if (row.what !== 'removed' && row.kind !== 'directory') workbench.openFile(path);
    else void workbench.tree.reveal(parentOf(path));
  };
  return (
    <FeedArticle
      place={place}
      actor={actor}
      at={row.at}
      now={now}
      kind="files"
      path={path}
      label={`${who}, ${path}, ${revisionRange(row)}`}
      note={about(row, run)}
      actions={
        row.what !== 'removed' &&
        row.kind === 'file' && (
          <>
            <button type="button" class="btn quiet sm" onClick={open}>
              <Icon name="jump" />
              Jump
            </button>
            {workbench.git.letters.value.has(path) && (
              <button type="button" class="btn quiet sm" onClick={() => workbench.openDiff(path)}>
                <Icon name="diff" />
                Compare
              </button>
            )}
          </>
        )
      }
      revision={
        <button type="button" class="rev hide-m" title={`Revision ${revisionRange(row)}`} onClick={() => workbench.goToRevision(row.last)}>
          {revisionRange(row)}
        </button>
      }
    >
      <b>{who}</b>
      {row.others.length > 0 && (
        <>
          {' '}
          <span>and {list(row.others.map((other) => (workbench.isMe(other) ? 'you' : sayActor(other))))}</span>
        </>
      )}{' '}
      <span>{verb(row, typing, mine || row.others.length > 0)}</span>{' '}
      <button type="button" class="path" title={path} onClick={open}>
        {truncatePath(path, workbench.phone.value ? 22 : 60)}
      </button>
      {row.what === 'moved' && row.from !== undefined && (
        <>
          {' '}
          <span>from</span>{' '}
          <span class="path">{parentOf(row.from) === parentOf(path) ? nameOf(row.from) : truncatePath(row.from, 40)}</span>
        </>
      )}
      {paths.length > 1 && <span> and {count(paths.length - 1, 'more file')}</span>}
    </FeedArticle>
  );
}

function verb({ what, causeKind, from, path }: FeedRow, typing: boolean, plural: boolean): string {
  if (what === 'created') return 'created';
  if (what === 'removed') return 'deleted';
  if (what === 'moved') return from !== undefined && parentOf(from) === parentOf(path) ? 'renamed' : 'moved';
  if (causeKind === 'outside') return 'changed';
  if (causeKind === 'document') return typing ? `${plural ? 'are' : 'is'} typing in` : 'edited';
  return 'wrote';
}

function about(row: FeedRow, run: string | undefined): string {
  if (row.note !== undefined) return row.note;
  if (row.paths.length > 1) return list(row.paths.map(nameOf), 4);
  const size = row.size === undefined || row.kind !== 'file' || row.what === 'removed' ? '' : byteSize(row.size);
  const how = {
    document: row.what === 'changed' ? 'In the editor' : 'From the editor',
    outside: row.what === 'removed' ? 'Another program removed it' : 'Another program wrote it',
    connection: row.what === 'moved' ? 'Open documents followed' : 'Over the API',
    run: run !== undefined && /^the re(vert|store) of /.test(run) ? 'As it was before' : 'By a program that was run',
    task: 'For the task',
    sidecar: 'By the sidecar itself',
  }[row.causeKind];
  return [how, size].filter((part) => part !== '').join(' · ');
}
