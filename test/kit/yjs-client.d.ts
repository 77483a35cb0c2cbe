import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
/** A person with the stock provider of the npm package y-websocket. */
export interface YjsClient {
    ydoc: Y.Doc;
    text: Y.Text;
    provider: WebsocketProvider;
    /** Close codes seen so far. */
    closes: number[];
    /** Resolves when the provider has synced. */
    synced(): Promise<void>;
    /** Ends the socket without a word, as a bad network does; the provider comes back by itself. */
    cut(): void;
    destroy(): void;
}
export interface YjsClientOptions {
    token: string;
    room: string;
    /** What comes before the room, e.g. `/ws/doc`. */
    base?: string;
    ydoc?: Y.Doc;
    connect?: boolean;
    name?: string;
}
export declare function openYjsClient(url: string, { token, room, base, ydoc, connect, name }: YjsClientOptions): YjsClient;
