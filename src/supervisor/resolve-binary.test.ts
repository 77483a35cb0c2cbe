import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { resolveBinary, type Runtime } from './resolve-binary.ts';

const runtime: Runtime = { platform: 'linux', execPath: '/bin/node', electron: false, resourcesPath: undefined };

test('an override comes first, then a development build, then the packaged resource', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-resolve-'));
  const file = (name: string): string => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), '');
    return path.join(folder, name);
  };
  try {
    const [seed, own, dev] = [file('seed'), file('own.mjs'), file('target/debug/outrigger')];
    const packaged = file('resources/outrigger.mjs');
    const options = { workspaceDev: [path.join(folder, 'nothing'), dev], resourcesPath: path.join(folder, 'resources'), runtime };
    assert.deepEqual(resolveBinary({ ...options, env: { SCAFFA_SIDECAR_PATH: seed, OUTRIGGER_SIDECAR_PATH: own } }), {
      command: seed,
      args: [],
      env: {},
      source: 'SCAFFA_SIDECAR_PATH',
    });
    const byOwn = { command: '/bin/node', args: [own], env: {}, source: 'OUTRIGGER_SIDECAR_PATH' };
    assert.deepEqual(resolveBinary({ ...options, env: { SCAFFA_SIDECAR_PATH: '', OUTRIGGER_SIDECAR_PATH: own } }), byOwn);
    assert.deepEqual(
      resolveBinary({ ...options, names: ['MY_PATH'], env: { SCAFFA_SIDECAR_PATH: seed, OUTRIGGER_SIDECAR_PATH: own } }),
      byOwn,
    );
    assert.equal(resolveBinary({ ...options, names: ['MY_PATH'], env: { MY_PATH: seed } })?.source, 'MY_PATH');
    assert.equal(resolveBinary({ ...options, env: {} })?.command, dev);
    const { workspaceDev: _, ...withoutBuild } = options;
    assert.deepEqual(resolveBinary({ ...withoutBuild, env: {} })?.args, [packaged]);
    assert.equal(resolveBinary({ env: {}, runtime }), undefined);
    assert.deepEqual(resolveBinary({ env: {}, runtime: { ...runtime, ownCommand: own } }), { ...byOwn, source: 'package' });
    assert.equal(resolveBinary({ ...withoutBuild, env: {}, runtime: { ...runtime, ownCommand: own } })?.source, 'packaged');
    assert.equal(resolveBinary({ env: {}, runtime: { ...runtime, resourcesPath: path.join(folder, 'resources') } })?.source, 'packaged');
    assert.throws(() => resolveBinary({ ...options, env: { SCAFFA_SIDECAR_PATH: path.join(folder, 'gone') } }), {
      reason: 'TOOL_MISSING',
      message: /SCAFFA_SIDECAR_PATH names .*gone/,
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('inside Electron a script is run by Electron as Node; on Windows a program is looked for as .exe', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-resolve-'));
  try {
    fs.writeFileSync(path.join(folder, 'outrigger.mjs'), '');
    const electron = resolveBinary({ env: {}, resourcesPath: folder, runtime: { ...runtime, electron: true } });
    assert.deepEqual(electron?.env, { ELECTRON_RUN_AS_NODE: '1' });
    fs.writeFileSync(path.join(folder, 'outrigger.exe'), '');
    const windows = resolveBinary({ env: {}, resourcesPath: folder, runtime: { ...runtime, platform: 'win32' } });
    assert.equal(windows?.command, path.join(folder, 'outrigger.exe'));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('without anything of the host, the command of the package that it is in', () => {
  const found = resolveBinary({ env: {}, resourcesPath: os.tmpdir(), resourceNames: [] });
  assert.deepEqual([found?.source, found?.args], ['package', [path.join(import.meta.dirname, '..', '..', 'scripts', 'outrigger.mjs')]]);
});
