/** A caller may be in so many times as many documents as may still be opened: nine tenths of all while nobody else is in any. */
export const SHARE_OF_FREE = 9;

/** Which documents each caller is in. */
export class Shares<Document> {
  readonly #held = new Map<string, Map<Document, number>>();

  /** Documents, however many sockets the caller has in each. */
  count(callerId: string): number {
    return this.#held.get(callerId)?.size ?? 0;
  }

  /** Returns what is to be called, once, when the caller leaves. */
  enter(callerId: string, document: Document): () => void {
    const held = this.#held.get(callerId) ?? new Map<Document, number>();
    this.#held.set(callerId, held.set(document, (held.get(document) ?? 0) + 1));
    return () => {
      const left = (held.get(document) ?? 1) - 1;
      if (left > 0) held.set(document, left);
      else held.delete(document);
      if (held.size === 0 && this.#held.get(callerId) === held) this.#held.delete(callerId);
    };
  }
}
