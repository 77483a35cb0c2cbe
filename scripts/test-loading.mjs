// For the test files of a whole run: scripts/test-sources.mjs has stripped all sources of their types once, and each of some 400 processes reads those.
// Node itself would first load what strips (0.2 s of a processor in each), look at the disk for every import, though each names its file whole, and
// read packages file by file.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url).href;
// Programs that a test forks load this as well, and some have another environment: nothing is there for them.
const folder = process.env.TEST_STRIPPED ?? '';
const joined = new URL('node_modules/.joined/', root).href;
const joinedFiles = JSON.parse(read(`${joined}index.json`) ?? '{}');
/** As a module node:http shows all that it has, for which it loads a whole client of WebSockets (0.1 s); the bundle does without as well. */
const http = 'test:http';

registerHooks({
  resolve(specifier, context, next) {
    const url = urlOf(specifier, context);
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
  load(url, context, next) {
    const source = sourceOf(url);
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
  },
});

function urlOf(specifier, { parentURL = '', conditions }) {
  if (specifier.startsWith('.')) {
    const isOurs = parentURL.startsWith(joined) || (specifier.endsWith('.ts') && parentURL.startsWith(root));
    return isOurs ? new URL(specifier, parentURL).href : undefined;
  }
  if (!conditions.includes('import')) return undefined;
  if (specifier === 'node:http') return http;
  return Object.hasOwn(joinedFiles, specifier) ? joined + joinedFiles[specifier] : undefined;
}

function sourceOf(url) {
  if (url === http) return httpSource();
  return url.startsWith(joined) || (url.startsWith(root) && url.endsWith('.ts')) ? read(url) : undefined;
}

/** Undefined where there is none: it is new, or holds what can not be stripped. Node says then what is wrong with it. */
function read(url) {
  try {
    return readFileSync(join(folder, fileURLToPath(url).slice(fileURLToPath(root).length)), 'utf8');
  } catch {
    return undefined;
  }
}

/** What is there at once: the rest is the default's. */
function httpSource() {
  const all = Object.getOwnPropertyDescriptors(process.getBuiltinModule('node:http'));
  const names = Object.keys(all).filter((name) => 'value' in all[name]);
  return `const http = process.getBuiltinModule('node:http');\nexport default http;\nexport const { ${names.join(', ')} } = http;\n`;
}
