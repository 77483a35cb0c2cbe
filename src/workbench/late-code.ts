const againMs = 1_000;

/** Code in a file of its own, asked for again and again while the sidecar that has it is away; undefined where nobody wants it any more. */
export async function lateCode<T>(load: () => Promise<T>, isWanted: () => boolean): Promise<T | undefined> {
  while (isWanted()) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }
  return undefined;
}
