/** How bytes travel in JSON. The portable form works everywhere; Node's Buffer does the same several times faster. */
export interface Base64 {
  encode(bytes: Uint8Array): string;
  /** Throws when `text` is no base64. */
  decode(text: string): Uint8Array;
}

const chunkLength = 0x2000;

export const portableBase64: Base64 = {
  encode(bytes) {
    let binary = '';
    // Spread in pieces: the number of arguments of one call is limited.
    for (let at = 0; at < bytes.length; at += chunkLength) binary += String.fromCharCode(...bytes.subarray(at, at + chunkLength));
    return btoa(binary);
  },
  decode(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
    return bytes;
  },
};
