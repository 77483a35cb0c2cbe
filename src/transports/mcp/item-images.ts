import type { ImageContent } from '@modelcontextprotocol/server';

/** What those who show MCP's images can show; others stay text. */
const shownTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Images of streamed items, as content of their own: as text they are long, and cut in the middle they are nothing. */
export class ItemImages {
  readonly #maxBytes: number;
  readonly content: ImageContent[] = [];
  #bytes = 0;

  /** `maxBytes`: of all of them, as base64. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Gives the item with words in the place of the images in its `field`, which holds values by their types. */
  take(item: unknown, field: string): unknown {
    const values = (item as Record<string, unknown>)[field];
    if (typeof values !== 'object' || values === null) return item;
    const entries = Object.entries(values).map(([type, value]) => [type, this.#wordsFor(type, value) ?? value]);
    return { ...(item as object), [field]: Object.fromEntries(entries) };
  }

  /** Undefined for what is no image that can be shown. */
  #wordsFor(mimeType: string, value: unknown): string | undefined {
    if (!shownTypes.includes(mimeType) || typeof value !== 'string') return undefined;
    const data = value.replace(/\s/g, '');
    if (data.length % 4 !== 0 || !base64.test(data)) return undefined;
    if (this.#bytes + data.length > this.#maxBytes)
      return `left out: with ${data.length} bytes of base64 there would be too many of images`;
    this.#bytes += data.length;
    this.content.push({ type: 'image', data, mimeType });
    return `image ${this.content.length} of this answer`;
  }
}
