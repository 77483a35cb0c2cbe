// For the test files of a whole run: scripts/test.mjs has stripped all sources of their types once, and each of some 400 processes reads those.
// Node itself would first load what strips (0.2 s of a processor in each), and look at the disk for every import, though each names its file whole.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url).href;
const folder = process.env.TEST_STRIPPED ?? '';

registerHooks({
  resolve(specifier, context, next) {
    const isOurs = specifier.startsWith('.') && specifier.endsWith('.ts') && context.parentURL?.startsWith(root);
    return isOurs ? { url: new URL(specifier, context.parentURL).href, shortCircuit: true } : next(specifier, context);
  },
  load(url, context, next) {
    const source = url.startsWith(root) && url.endsWith('.ts') ? read(url) : undefined;
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
  },
});

/** Undefined where there is none: it is new, or holds what can not be stripped. Node says then what is wrong with it. */
function read(url) {
  try {
    return readFileSync(join(folder, fileURLToPath(url).slice(fileURLToPath(root).length)), 'utf8');
  } catch {
    return undefined;
  }
}
