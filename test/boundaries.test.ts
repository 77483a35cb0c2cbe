import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { describe, test } from 'node:test';
import { boundaryProblems } from './kit/boundaries.ts';
import type { Exception } from './kit/boundaries.ts';

// What may break a rule, each with its reason. One that nothing needs any more fails the test.
const exceptions: Exception[] = [
  { rule: 'write', where: 'cli/init.ts', reason: 'outrigger init writes a new project, before there is a sidecar' },
  {
    rule: 'write',
    where: 'cli/sample.ts',
    reason: 'npm start copies the sample project to a folder of its own, before there is a sidecar',
  },
  {
    rule: 'write',
    where: 'hub/hub-folder.ts',
    reason: 'the hub has a folder of its own, for its databases and its token; there is no state and no workspace beside it',
  },
  {
    rule: 'write',
    where: 'services/documents/update-log.ts',
    reason: 'the update log is a file of its own in the state folder: it is appended to and synced at its own pace',
  },
  {
    rule: 'listen',
    where: 'services/exec/isolation/user-blocks.ts',
    reason: 'the name that it listens on is a claim that no kill leaves behind; whoever connects is turned away',
  },
  {
    rule: 'listen',
    where: 'services/processes/fork-server.ts',
    reason: 'streams of cages come to a unix socket whose name is gone before the first of them: nobody else can find it',
  },
  {
    rule: 'write',
    where: 'services/processes/fork-server.ts',
    reason: 'it takes the name of that socket away',
  },
  {
    rule: 'listen',
    where: 'services/processes/pipes-ahead.ts',
    reason: 'it reads and writes the pipes of programs, which Node knows as sockets, and opens none',
  },
  {
    rule: 'write',
    where: 'services/processes/pipes-ahead.ts',
    reason: 'it opens the pipe that a program reads its input from, which is no file',
  },
  {
    rule: 'listen',
    where: 'services/processes/pipe-output.ts',
    reason: 'it reads the pipe of a child, which Node knows as a socket, and opens none',
  },
  {
    rule: 'write',
    where: 'services/processes/yield-memory.ts',
    reason: 'it tells the kernel, through a file of /proc, which programs to end first when memory runs out',
  },
  {
    rule: 'write',
    where: 'services/tasks/results-folder.ts',
    reason:
      'the results of tasks are neither the workspace nor the state: agents put them there, and they are taken away once the outbox has them',
  },
  {
    rule: 'write',
    where: 'services/exec/run-folders.ts',
    reason: 'folders of code runs are neither the workspace nor the state: programs of other users write into them',
  },
  {
    rule: 'write',
    where: 'services/exec/isolation/cgroup.ts',
    reason: 'limits of groups of processes are files of the kernel',
  },
  {
    rule: 'write',
    where: 'services/exec/isolation/settings.ts',
    reason: 'the copy of what runs read of /etc lies with their temporary folders, and goes with the sandbox',
  },
  {
    rule: 'write',
    where: 'services/exec/isolation/probe.ts',
    reason: 'what its attempts must not read, and where they write, are folders that last as long as the probe',
  },
  {
    rule: 'write',
    where: 'services/processes/local-host.ts',
    reason: 'it writes to the pipe that is the standard input of a child',
  },
  {
    rule: 'write',
    where: 'services/watch/snapshot.ts',
    reason: 'the watch worker keeps its snapshot in the state folder; it has no other way to it',
  },
  {
    rule: 'write',
    where: 'services/search/trigram',
    reason: 'the index is a cache of its own in the state folder, written by threads; what it opens of the workspace it opens for reading',
  },
  {
    rule: 'write',
    where: 'services/search/indexed-search.ts',
    reason: 'it removes an index that nobody will use again',
  },
  {
    rule: 'write',
    where: 'services/search/open-file.ts',
    reason: 'it opens for reading alone; the flags are a constant with what each platform has',
  },
  {
    rule: 'write',
    where: 'services/watch/file-hash.ts',
    reason: 'it opens for reading alone; the flags are a constant with what each platform has',
  },
];

test('the sources keep the rules of the tree', () => {
  const source = join(import.meta.dirname, '..', 'src');
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
  const files = new Map(names.map((name) => [name.split(sep).join('/'), readFileSync(join(source, name), 'utf8')]));
  assert.ok(files.size > 0, 'there are sources to check');
  const problems = boundaryProblems(files, exceptions);
  assert.equal(problems.length, 0, `\n${problems.join('\n')}`);
});

// Small trees with one fault each: a rule that finds nothing here would find nothing in src either.
const faults: { says: string; files: Record<string, string>; expect: RegExp }[] = [
  {
    says: 'a service imports a sibling',
    files: { 'services/git/git.ts': `import { search } from '../search/search.ts';`, 'services/search/search.ts': '' },
    expect: /^layer: services\/git\/git\.ts must not import services\/search\/search\.ts$/,
  },
  {
    says: 'a service imports a transport',
    files: { 'services/git/git.ts': `import { x } from '../../transports/http/x.ts';`, 'transports/http/x.ts': '' },
    expect: /^layer: services\/git/,
  },
  {
    says: 'a transport imports a service',
    files: { 'transports/ws/ws.ts': `import { git } from '../../services/git/git.ts';`, 'services/git/git.ts': '' },
    expect: /^layer: transports\/ws/,
  },
  {
    says: 'an adapter imports a transport',
    files: { 'adapters/e2b/e2b.ts': `import { x } from '../../transports/http/x.ts';`, 'transports/http/x.ts': '' },
    expect: /^layer: adapters/,
  },
  {
    says: 'a layer is broken by a type only',
    files: { 'core/peer.ts': `import type { Frame } from '../contract/wire.ts';`, 'contract/wire.ts': '' },
    expect: /^layer: core\/peer\.ts/,
  },
  {
    says: 'a layer is broken by an import() type',
    files: { 'core/peer.ts': `export type F = import('../contract/wire.ts').Frame;`, 'contract/wire.ts': '' },
    expect: /^layer: core\/peer\.ts/,
  },
  {
    says: 'a layer is broken by a dynamic import',
    files: { 'net/listen.ts': `const x = await import('../services/git/git.ts');`, 'services/git/git.ts': '' },
    expect: /^layer: net/,
  },
  {
    says: 'a layer is broken by a re-export',
    files: { 'config/load.ts': `export { listen } from '../net/listen.ts';`, 'net/listen.ts': '' },
    expect: /^layer: config/,
  },
  {
    says: 'a layer is broken by a worker file',
    files: { 'config/load.ts': `new Worker(new URL('../net/x-worker.ts', import.meta.url));`, 'net/x-worker.ts': '' },
    expect: /^layer: config/,
  },
  {
    says: 'something imports the composition',
    files: { 'net/listen.ts': `import { x } from '../sidecar/sidecar.ts';`, 'sidecar/sidecar.ts': '' },
    expect: /^layer: net/,
  },
  {
    says: 'the hub imports a service',
    files: { 'hub/hub.ts': `import { x } from '../services/state/state.ts';`, 'services/state/state.ts': '' },
    expect: /^layer: hub/,
  },
  {
    says: 'the published entry imports past the sidecar',
    files: { 'index.ts': `export { x } from './net/listen.ts';`, 'net/listen.ts': '' },
    expect: /^layer: index\.ts/,
  },
  {
    says: 'a source imports from outside src',
    files: { 'cli/main.ts': `import { x } from '../../test/kit/x.ts';` },
    expect: /^layer: cli\/main\.ts.*outside src$/,
  },
  {
    says: 'a source imports a test',
    files: { 'net/listen.ts': `import { x } from './listen.test.ts';`, 'net/listen.test.ts': '' },
    expect: /^layer: net\/listen\.ts imports the test file/,
  },
  { says: 'a folder has no rule', files: { 'plugins/x.ts': '' }, expect: /^layer: plugins\/x\.ts.*no rule/ },
  {
    says: 'an imported file does not exist',
    files: { 'net/listen.ts': `import { x } from './gone.ts';` },
    expect: /^missing: net\/listen\.ts/,
  },
  {
    says: 'two files import each other',
    files: { 'net/a.ts': `import { b } from './b.ts';`, 'net/b.ts': `import { a } from './a.ts';` },
    expect: /^cycle: net\/a\.ts.*net\/b\.ts -> net\/a\.ts$/,
  },
  {
    says: 'three files make a cycle of types',
    files: {
      'net/a.ts': `import type { B } from './b.ts';`,
      'net/b.ts': `import type { C } from './c.ts';`,
      'net/c.ts': `import type { A } from './a.ts';`,
    },
    expect: /^cycle: net\/a\.ts/,
  },
  { says: 'a file is called utils', files: { 'net/utils.ts': '' }, expect: /^name: net\/utils\.ts/ },
  { says: 'a file is called types', files: { 'services/git/types.ts': '' }, expect: /^name: services\/git\/types\.ts/ },
  { says: 'a folder is called index', files: { 'services/search/index/build.ts': '' }, expect: /^name: .*folder called index/ },
  { says: 'an inner index file', files: { 'net/index.ts': '' }, expect: /^name: net\/index\.ts/ },
  { says: 'a name is not in kebab-case', files: { 'net/webSocket.ts': '' }, expect: /^name: net\/webSocket\.ts/ },
  {
    says: 'an inner barrel',
    files: { 'net/net.ts': `export * from './listen.ts';`, 'net/listen.ts': '' },
    expect: /^barrel: net\/net\.ts/,
  },
  { says: 'core imports a package', files: { 'core/diff.ts': `import { diff } from 'fast-diff';` }, expect: /^pure: core\/diff\.ts/ },
  { says: 'core imports Node', files: { 'core/paths.ts': `import { join } from 'node:path';` }, expect: /^pure: core\/paths\.ts/ },
  { says: 'the contract imports Node', files: { 'contract/files.ts': `import { join } from 'node:path';` }, expect: /^pure: contract/ },
  { says: 'zod outside the contract', files: { 'config/load.ts': `import * as z from 'zod';` }, expect: /^zod: config\/load\.ts/ },
  { says: 'zod by a subpath', files: { 'net/x.ts': `import * as z from 'zod/mini';` }, expect: /^zod: net\/x\.ts/ },
  { says: 'a named z', files: { 'contract/git.ts': `import { z } from 'zod';` }, expect: /^zod: contract\/git\.ts names \{ z \}/ },
  {
    says: 'the client takes an operation at run time',
    files: { 'client/client.ts': `import { operations } from '../contract/operations.ts';`, 'contract/operations.ts': '' },
    expect: /^browser: client\/client\.ts takes more than types/,
  },
  {
    says: 'zod reaches the client through a harmless file',
    files: { 'client/client.ts': `import { codes } from '../contract/errors.ts';`, 'contract/errors.ts': `import * as z from 'zod';` },
    expect: /^browser: client\/client\.ts brings zod.*contract\/errors\.ts$/,
  },
  {
    says: 'the workbench takes more than types of the contract',
    files: { 'workbench/app.ts': `import { codes } from '../contract/errors.ts';`, 'contract/errors.ts': '' },
    expect: /^browser: workbench\/app\.ts/,
  },
  {
    says: 'the client imports Node',
    files: { 'client/client.ts': `import { join } from 'node:path';` },
    expect: /^browser: client\/client\.ts/,
  },
  {
    says: 'logic imports a view',
    files: { 'workbench/tree.ts': `import { Row } from './row.tsx';`, 'workbench/row.tsx': '' },
    expect: /^view: workbench\/tree\.ts/,
  },
  {
    says: 'a test imports a view',
    files: { 'workbench/row.test.ts': `import { Row } from './row.tsx';`, 'workbench/row.tsx': '' },
    expect: /^view: workbench\/row\.test\.ts/,
  },
  { says: 'a view outside the workbench', files: { 'net/page.tsx': '' }, expect: /^view: net\/page\.tsx/ },
  {
    says: 'a service spawns',
    files: { 'services/git/git.ts': `import { spawn } from 'node:child_process';` },
    expect: /^spawn: services\/git/,
  },
  {
    says: 'a service spawns without the node: prefix',
    files: { 'services/git/git.ts': `import cp from 'child_process';` },
    expect: /^spawn: services\/git/,
  },
  {
    says: 'a service spawns by require',
    files: { 'services/git/git.ts': `const cp = require('node:child_process');` },
    expect: /^spawn: services\/git/,
  },
  {
    says: 'a transport makes a server',
    files: { 'transports/http/http.ts': `import { createServer } from 'node:http';` },
    expect: /^listen: transports\/http/,
  },
  {
    says: 'a transport takes a socket library',
    files: { 'transports/ws/ws.ts': `import { WebSocketServer } from 'ws';` },
    expect: /^listen: transports\/ws/,
  },
  {
    says: 'a transport listens on what it was given',
    files: { 'transports/http/http.ts': `export const go = (app: { listen(o: object): void }) => app.listen({ port: 0 });` },
    expect: /^listen: transports\/http.*line 1/,
  },
  {
    says: 'a second database',
    files: { 'services/search/search.ts': `import { DatabaseSync } from 'node:sqlite';` },
    expect: /^database: services\/search/,
  },
  {
    says: 'a service reads the environment',
    files: { 'services/git/git.ts': `const home = process.env['HOME'];` },
    expect: /^environment: services\/git.*line 1/,
  },
  { says: 'the environment by destructuring', files: { 'net/x.ts': `const { env } = process;` }, expect: /^environment: net\/x\.ts/ },
  { says: 'the environment by import', files: { 'net/x.ts': `import { env } from 'node:process';` }, expect: /^environment: net\/x\.ts/ },
  { says: 'the environment by index', files: { 'net/x.ts': `export const e = process['env'];` }, expect: /^environment: net\/x\.ts/ },
  {
    says: 'a service writes by a named import',
    files: { 'services/git/git.ts': `import { writeFile } from 'node:fs/promises';` },
    expect: /^write: services\/git.*imports writeFile/,
  },
  {
    says: 'a service writes under another name',
    files: { 'services/git/git.ts': `import { rmSync as drop } from 'node:fs';` },
    expect: /^write: services\/git.*imports rmSync/,
  },
  {
    says: 'a service writes through the module',
    files: { 'services/git/git.ts': `import * as fs from 'node:fs';\nfs.promises.rename('a', 'b');` },
    expect: /^write: services\/git.*calls rename in line 2/,
  },
  {
    says: 'a service writes through { promises }',
    files: { 'services/git/git.ts': `import { promises as files } from 'node:fs';\nfiles.mkdir('a');` },
    expect: /^write: services\/git.*calls mkdir/,
  },
  {
    says: 'a service opens for writing',
    files: { 'services/git/git.ts': `import { open } from 'node:fs/promises';\nawait open('a', 'w');` },
    expect: /^write: services\/git.*line 2/,
  },
  {
    says: 'a service opens with flags that nobody can read',
    files: { 'services/git/git.ts': `import { openSync as o } from 'node:fs';\no('a', flags);` },
    expect: /^write: services\/git.*line 2/,
  },
  {
    says: 'a service imports node:fs where no rule sees it',
    files: { 'services/git/git.ts': `const fs = await import('node:fs');` },
    expect: /^write: services\/git.*line 1/,
  },
  { says: 'an import whose name is computed', files: { 'net/x.ts': `await import(name);` }, expect: /^computed import: net\/x\.ts/ },
];

describe('the rules find', () => {
  for (const { says, files, expect } of faults) {
    test(says, () => {
      const problems = boundaryProblems(new Map(Object.entries(files)));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', expect);
    });
  }
});

test('the rules allow what the tree is made of', () => {
  const files = {
    'index.ts': `export { createSidecar } from './sidecar/sidecar.ts';`,
    'contract/errors.ts': '',
    'contract/git.ts': `import * as z from 'zod';\nimport { codes } from './errors.ts';`,
    'core/emitter.ts': '',
    'config/load.ts': `export const load = () => process.env;`,
    'net/listen.ts': `import { createServer } from 'node:http';\nimport Fastify from 'fastify';\ncreateServer().listen(0);`,
    'services/state/state.ts': `import { DatabaseSync } from 'node:sqlite';\nimport { mkdirSync } from 'node:fs';`,
    'services/processes/processes.ts': `import { spawn } from 'node:child_process';`,
    'services/workspace/workspace.ts': `import { writeFile } from 'node:fs/promises';\nimport { state } from '../state/state.ts';`,
    'services/git/git.ts': `import { spawn } from '../processes/processes.ts';\nimport { readFile, open } from 'node:fs/promises';\nawait open('a');`,
    'services/search/read.ts': `import { openSync, constants } from 'node:fs';\nopenSync('a', constants.O_RDONLY | constants.O_NOFOLLOW);`,
    'transports/ws/ws.ts': `import type { IncomingMessage } from 'node:http';\nimport { listen } from '../../net/listen.ts';`,
    'sidecar/sidecar.ts': `import { git } from '../services/git/git.ts';\nimport pkg from '../../package.json' with { type: 'json' };`,
    'client/client.ts': `import type { git } from '../contract/git.ts';\nimport { codes } from '../contract/errors.ts';`,
    'workbench/app.tsx': `import { client } from '../client/client.ts';\nimport type { git } from '../contract/git.ts';`,
    'services/git/git.test.ts': `import { spawn } from 'node:child_process';\nimport { createSidecar } from '../../index.ts';`,
  };
  assert.deepEqual(boundaryProblems(new Map(Object.entries(files))), []);
});

test('an exception covers its rule and place only, and has to be needed', () => {
  const files = new Map([['services/search/store.ts', `import { rmSync } from 'node:fs';\nimport { spawn } from 'node:child_process';`]]);
  const exception: Exception = { rule: 'write', where: 'services/search', reason: 'its index lies in the state folder' };
  assert.match(boundaryProblems(files, [exception]).join('\n'), /^spawn: [^\n]*$/);
  const stale: Exception = { rule: 'write', where: 'services/git', reason: 'none' };
  assert.match(boundaryProblems(new Map(), [stale]).join('\n'), /^exception: nothing in services\/git needs/);
});
