import * as Y from 'yjs';
import { diffText, type TextEdit, toDelta } from '../../core/text-diff.ts';
import { hashText, isOwnId, rootNames, savedMark } from './lineage.ts';
import { healText } from './merge.ts';
import { notText, refuseUnfit } from './unfit.ts';
import { takeUpdate } from './waiting.ts';

export interface Healing {
  ydoc: Y.Doc;
  textName: string;
  /** Everything that the client has, as one update. */
  state: Uint8Array;
  /** Texts by hash that may be the one the client last saw saved. */
  bases: ReadonlyMap<string, string>;
  /** There is no file, and nothing here: what the client has is all there is. */
  isGone: boolean;
  /** There is no file, and what stands here is of one who went on from none of `bases`, and had nothing unsaved: the copy of one who did takes its place. */
  isOutdated: boolean;
  /** There was none when the first came back: what stands here under ids of theirs is what they had. */
  isOfClients: boolean;
  /** Ours is not of this start: others may come back to it. */
  isAwaited: boolean;
  /** Origin of the one transaction. */
  origin: unknown;
}

/**
 * Takes in the whole state of a client that knows a state of ours which was lost, so that nothing of it stands there twice. `strangers`: the two had
 * no history in common, and of two whole copies ours went; `saved`: the client had nothing that was not in the file. Throws what Yjs throws at a malformed
 * update, INPUT_TOO_LARGE where too much of it waits or it is nested too deep, and BAD_INPUT where the text holds what is none.
 */
export function heal({ ydoc, textName, state, bases, isGone, isOutdated, isOfClients, isAwaited, origin }: Healing): {
  strangers: boolean;
  saved: boolean;
} {
  const theirs = new Y.Doc();
  theirs.transact((transaction) => {
    takeUpdate(theirs, state);
    refuseUnfit(transaction);
  });
  const text = ydoc.getText(textName);
  const serverText = text.toString();
  // One that was loaded while the text had another name has nothing under this one, and took nothing out of it.
  const hasText = rootNames(theirs).includes(textName);
  const clientText = theirs.getText(textName).toString();
  if (theirs.getText(textName).length !== clientText.length) throw notText();
  const clientBase = savedMark(theirs);
  const clientKnows = clocksOf(theirs);
  const clientShows = ownIdsIn(theirs.getText(textName));
  theirs.destroy();
  const weKnow = clocksOf(ydoc);
  const weShow = ownIdsIn(text);
  const isNews = [...clientKnows].some(([client, clock]) => clock > (weKnow.get(client) ?? 0));
  const isAll = isGone || (isOutdated && isNews && Boolean(bases.get(clientBase ?? '')));
  const strangers = ![...clientKnows.keys()].some((client) => weKnow.has(client));
  const sameIds =
    !strangers &&
    // Of a text that we don't know nobody can say what was taken out of it since, but where all that was is what they say.
    (isOfClients || (clientBase !== undefined && bases.has(clientBase))) &&
    // The client knows all that we put there ourselves: no character can stand there under two ids.
    runsOf(text, (client, clock) => isOwnId(client) && clock >= (clientKnows.get(client) ?? 0)).length === 0 &&
    // None of the copies that it goes on from is one that had to go here.
    [...clientShows].every((client) => !weKnow.has(client) || weShow.has(client));
  const { clientID } = ydoc;
  ydoc.transact(() => {
    Y.applyUpdate(ydoc, state);
    if (!hasText) return;
    // Those who come back hold cursors, undo and unsent edits in their copy: of two whole copies, ours goes, unless others hold that.
    if (strangers)
      change(
        text,
        runsOf(text, (client) => weKnow.has(client) !== isAwaited),
      );
    const joined = sameIds ? text.toString() : undefined;
    const healed = isAll ? clientText : healText({ clientText, clientBase, serverText, joined, isOfClients, bases, hashOf: hashText });
    change(text, diffText(text.toString(), healed));
  }, origin);
  // Yjs takes edits beside an applied update for those of another with our id, and gives itself a new one.
  ydoc.clientID = clientID;
  return { strangers, saved: hashText(clientText) === clientBase };
}

function clocksOf(ydoc: Y.Doc): Map<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(ydoc));
}

/** Ids of ours under which any character stands there. */
function ownIdsIn(text: Y.Text): Set<number> {
  const ids = new Set<number>();
  for (let item = text._start; item !== null; item = item.right)
    if (!item.deleted && item.countable && isOwnId(item.id.client)) ids.add(item.id.client);
  return ids;
}

function change(text: Y.Text, edits: readonly TextEdit[]): void {
  if (edits.length > 0) text.applyDelta(toDelta(edits));
}

/** Removals of the characters whose items `isMeant`: runs, in order. `clock`: of an item's last character. */
function runsOf(text: Y.Text, isMeant: (client: number, clock: number) => boolean): TextEdit[] {
  const runs: TextEdit[] = [];
  let at = 0;
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    if (isMeant(item.id.client, item.id.clock + item.length - 1)) {
      const last = runs.at(-1);
      if (last !== undefined && last.at + last.remove === at) last.remove += item.length;
      else runs.push({ at, remove: item.length, insert: '' });
    }
    at += item.length;
  }
  return runs;
}
