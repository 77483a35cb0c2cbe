import { sayActor } from '../actor.ts';
import { nameOf, parentOf } from '../file-paths.ts';
import { CutPath, FormerPath } from '../named-path.tsx';
import { changeAgainst } from '../shell/tabs.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, count, list } from '../words.ts';
import { type ArticlePlace, FeedArticle, keepsEdits, type RowAction } from './feed-article.tsx';
import { type FeedRow, revisionRange } from './feed-rows.ts';

const typingMs = 15_000;
/** Of larger files no texts are kept, as a rule: history.maxFileBytes. */
const mostKeptBytes = 1024 * 1024;

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
  // Of the history of one file; what moved has the same text as before.
  const isKept = workbench.has('history') && row.kind === 'file' && paths.length === 1 && row.what !== 'moved' && isKeptSize(row);
  const compare = (): void => {
    if (isKept) workbench.openDiff(workbench.feed.pathNow(path, row.last), undefined, changeAgainst(row));
    else workbench.openDiff(path);
  };
  const isThere = row.what !== 'removed' && row.kind === 'file';
  const actions: RowAction[] = [];
  if (isThere) actions.push({ label: 'Jump', icon: 'jump', run: open });
  if (isKept || (isThere && workbench.git.letters.value.has(path))) actions.push({ label: 'Compare', icon: 'diff', run: compare });
  if (isKept && !workbench.readOnly.value)
    actions.push({
      ...{ label: 'Undo', icon: 'undo', name: `Undo: what ${who} did in ${nameOf(path)}, ${revisionRange(row)}`, title: keepsEdits },
      run: () => void workbench.historyActions.takeBack(row, (one) => (one === actor ? run : undefined)),
    });
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
      actions={actions}
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
      <button type="button" class="path" aria-label={path} onClick={open}>
        <CutPath path={path} look="" />
      </button>
      {row.what === 'moved' && row.from !== undefined && (
        <>
          {' '}
          <span>from</span> <FormerPath from={row.from} path={path} look="path" />
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

function isKeptSize({ size }: FeedRow): boolean {
  return size === undefined || size < mostKeptBytes;
}
