// A desktop program's main process, without the desktop: `node examples/desktop-host/host.mjs [folder]`.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openWorkspace } from 'outrigger/supervisor';

const root = process.argv[2] ?? makeSample();
const workspace = await openWorkspace({
  root,
  // In a packaged Electron program the last of these finds it below process.resourcesPath.
  binary: { workspaceDev: path.join(import.meta.dirname, '..', '..', 'scripts', 'outrigger.mjs') },
  onWarning: (message) => console.warn(`warning: ${message}`),
  supervisor: { onLog: (line) => process.env.VERBOSE && console.error(line) },
});
console.log(`open: ${workspace.getRoot()}, read by ${workspace.backend === 'sidecar' ? 'the sidecar' : 'Node alone'}`);

const watch = workspace.watch('*.ts', ({ what, path: file }) => console.log(`seen: ${what} ${file}`));
try {
  const { paths } = await workspace.glob('*.ts', { limit: 5 });
  console.log(`glob: ${paths.join(', ') || 'no .ts here'}`);
  const { files } = await workspace.search({ pattern: 'greet', maxResults: 5 });
  for (const { path: file, matches } of files) for (const { line, text } of matches) console.log(`search: ${file}:${line}  ${text.trim()}`);

  const [first] = paths;
  if (first !== undefined) await surviveKill(first);
  if (first !== undefined && process.argv[2] === undefined) await edit(first);
} finally {
  watch.dispose();
  await workspace.close();
  if (process.argv[2] === undefined) fs.rmSync(root, { recursive: true });
}
console.log('closed: nothing is left running');

/** The child dies, a file is read meanwhile, and the next child takes over. */
async function surviveKill(file) {
  const { supervisor } = workspace;
  if (supervisor?.state.name !== 'ready') return;
  const back = new Promise((resolve) => {
    const off = supervisor.onState(({ name }) => {
      if (name !== 'ready' && name !== 'failed') return;
      off();
      resolve();
    });
  });
  process.kill(supervisor.state.pid, 'SIGKILL');
  console.log(`kill -9: ${file} is still read, ${(await workspace.readFile(file)).size} bytes`);
  await back;
  console.log(`back: read by ${workspace.backend === 'sidecar' ? 'a new sidecar' : 'Node alone'}, ${(await workspace.readFile(file)).size} bytes`);
}

/** All edits of a batch apply, or none: here to the text that was read, and to no other. */
async function edit(file) {
  const { text, sha256 } = await workspace.readFile(file);
  const start = text.indexOf('hello');
  const batch = [{ kind: 'text', filePath: file, expectedSha256: sha256, edits: [{ range: { start, end: start + 5 }, newText: 'good day' }] }];
  console.log('edit:', JSON.stringify(await workspace.applyEdits(batch)));
  const again = await workspace.applyEdits(batch);
  console.log(`the same edit again: ${again.ok ? 'applied' : again.error.code}`);
}

function makeSample() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'desktop-host-'));
  fs.mkdirSync(path.join(folder, 'src'));
  fs.writeFileSync(path.join(folder, 'src', 'greet.ts'), "export const greet = (name: string) => `hello ${name}`;\n");
  return folder;
}
