const highBits = 0x80808080;
const lowBits = 0x7f7f7f7f;
/** So often a lane of eight bits can be added to. */
const wordsPerSum = 255;
const noWords = new Int32Array(0);

/** How often a byte stands in that part of the bytes; four at once, which takes half the time. */
export function countByte(bytes: Uint8Array, byte: number, from: number, to: number): number {
  let count = 0;
  let at = from;
  for (; at < to && (bytes.byteOffset + at) % 4 !== 0; at++) if (bytes[at] === byte) count++;
  const words = to - at < 4 ? noWords : new Int32Array(bytes.buffer, bytes.byteOffset + at, (to - at) >> 2);
  const repeated = byte * 0x01010101;
  for (let word = 0; word < words.length; ) {
    const end = Math.min(words.length, word + wordsPerSum);
    let lanes = 0;
    for (; word < end; word++) {
      const differs = (words[word] as number) ^ repeated;
      // A lane's high bit stays clear where its byte is zero, that is, was the one that is counted.
      const high = ((differs & lowBits) + lowBits) | differs;
      lanes += (~high & highBits) >>> 7;
    }
    count += (lanes & 0xff) + ((lanes >>> 8) & 0xff) + ((lanes >>> 16) & 0xff) + (lanes >>> 24);
  }
  for (at += words.length * 4; at < to; at++) if (bytes[at] === byte) count++;
  return count;
}
