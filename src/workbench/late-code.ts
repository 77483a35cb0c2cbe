const againMs = 1_000;

/** Firefox remembers of code that did not come that it is not there, for as long as the page is open: there it is asked for where it is to be had. */
const remembersFailures = /\bFirefox\//.test(globalThis.navigator?.userAgent ?? '');

/** Whether this file of the page can be had. Throws where nobody answers. */
async function isThere(): Promise<boolean> {
  return (await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' })).ok;
}

/** Code in a file of its own. Throws where it can't be had; it may be asked for again. */
export async function loadCode<T>(load: () => Promise<T>, { asksFirst = remembersFailures, canLoad = isThere } = {}): Promise<T> {
  if (asksFirst && !(await canLoad())) throw new Error('The files of the page are not to be had.');
  return load();
}

/** Code in a file of its own, asked for again and again while the sidecar that has it is away; undefined where nobody wants it any more. */
export async function lateCode<T>(load: () => Promise<T>, isWanted: () => boolean): Promise<T | undefined> {
  while (isWanted()) {
    try {
      return await loadCode(load);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }
  return undefined;
}
