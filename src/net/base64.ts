import type { Base64 } from '../core/base64.ts';

export const nodeBase64: Base64 = {
  encode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  decode(text) {
    const bytes = Buffer.from(text, 'base64');
    // Buffer skips what is no base64 instead of refusing it; the length gives that away.
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    if (bytes.length !== Math.floor(((text.length - padding) * 3) / 4)) throw new Error('not base64');
    return bytes;
  },
};
