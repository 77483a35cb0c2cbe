import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import { eventually } from './eventually.ts';

/** Joins a document over its socket, as any Yjs client does; gives its text, then leaves. `url` ends at the document's path. */
export async function readDocument(url: string, token: string, type = 'content'): Promise<string> {
  const socket = new WebSocket(url, [token]);
  socket.binaryType = 'arraybuffer';
  const document = new Y.Doc();
  let synced = false;
  let problem: string | undefined;
  socket.onclose = ({ code, reason }) => (problem = `closed with ${code} ${reason}`);
  socket.onopen = () => {
    const first = encoding.createEncoder();
    encoding.writeVarUint(first, 0);
    sync.writeSyncStep1(first, document);
    socket.send(encoding.toUint8Array(first) as Uint8Array<ArrayBuffer>);
  };
  socket.onmessage = ({ data }) => {
    const decoder = decoding.createDecoder(new Uint8Array(data as ArrayBuffer));
    if (decoding.readVarUint(decoder) !== 0) return;
    if (sync.readSyncMessage(decoder, encoding.createEncoder(), document, 'server') === sync.messageYjsSyncStep2) synced = true;
  };
  try {
    await eventually(() => {
      if (problem !== undefined) throw new Error(problem);
      return synced;
    });
    return document.getText(type).toString();
  } finally {
    socket.close();
    document.destroy();
  }
}
