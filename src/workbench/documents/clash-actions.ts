import type { Entry } from '../../contract/files.ts';
import { diffText, toDelta } from '../../core/text-diff.ts';
import { nameOf } from '../file-paths.ts';
import { copyText } from '../shell/copy-text.ts';
import type { Workbench } from '../workbench.ts';
import { type Clash, clashError } from './clash.ts';
import type { DocumentSession } from './document-session.ts';
import { inForm } from './file-form.ts';

/** As many as are given at once. */
const mostVersions = 1000;

/** Puts the document's text in the place of what was seen on disk, with a way back. Never throws. */
export function saveOver({ files }: Workbench, session: DocumentSession, seen: Entry | undefined): Promise<void> {
  return files.writeOver(session.path.value, () => inForm(session.text.toString(), session.info.value), seen);
}

/** Lets go what is typed and not saved, and shows the file as what it is now. Says so where that was something; never throws. */
export async function takeFromDisk(workbench: Workbench, session: DocumentSession, clash: Clash): Promise<void> {
  const { documents, toasts } = workbench;
  const path = session.path.value;
  try {
    const saved = await savedText(workbench, session);
    const mine = session.text.toString();
    session.text.applyDelta(toDelta(diffText(mine, saved)), { sanitize: false });
    documents.leave(session, clashError(clash));
    if (mine === saved) return;
    const copy = (): void => void copyText(toasts, mine, 'Copied your text');
    toasts.say(`Let go what was not saved in ${nameOf(path)}`, { actions: [{ label: 'Copy it', run: copy }] });
  } catch (error) {
    toasts.fail(`Not let go: what is not saved in ${nameOf(path)}`, error);
  }
}

/** What the file held when it was text last. Throws VERSION_NOT_KEPT where nobody knows. */
async function savedText({ client }: Workbench, session: DocumentSession): Promise<string> {
  const path = session.path.value;
  const { versions } = await client.call('history.list', { path, limit: mostVersions });
  const etag = session.info.value?.etag;
  for (const { revision, kept, keptBefore, after, before } of versions)
    for (const [side, isKept, content] of [['after', kept, after] as const, ['before', keptBefore, before] as const])
      if (isKept && content !== null && `"${content}"` === etag) {
        const { text } = await client.call('history.read', { path, revision, side });
        return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
      }
  throw Object.assign(new Error('The text that was saved last is not kept. Copy what you need, and close the tab.'), {
    reason: 'VERSION_NOT_KEPT',
  });
}
