/**
 * What a Node runs that was started before its work: as `pythonDriver` and `livePythonDriver`, with the same orders and the same marks. To what is
 * left of the variables it adds `"ends": true` where the code ended itself, or failed, and left something to be done: its next run would do that.
 */
export const nodeDriver = String.raw`
// In a scope of its own: the code may call its variables as it likes.
(() => {
const fs = require('node:fs');
const vm = require('node:vm');
const path = require('node:path');
const util = require('node:util');
const Module = require('node:module');

const { fstatSync, writeSync } = fs;
let word;
try {
  const stat = fstatSync(3);
  if (stat.isFIFO()) word = stat;
} catch {}

let orders = 0;
function read(size) {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    let got = 0;
    try {
      got = fs.readSync(orders, bytes, done, size - done, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      continue;
    }
    if (got === 0) process.exit(0);
    done += got;
  }
  return bytes;
}
const order = () => JSON.parse(read(Number(read(8))).toString());

function become({ run, args, env }) {
  process.argv = [process.argv[0], run, ...args];
  Object.assign(process.env, env);
  process.exitCode = undefined;
  Module.runMain(run);
}

function leaveQuickly() {
  // After the last listener there is nothing to be done but to go: taking the engine down in order takes milliseconds.
  const { emit } = process;
  let failed = false;
  process.emit = function (name) {
    const done = Reflect.apply(emit, this, arguments);
    // An error is printed after the listeners.
    failed ||= name === 'uncaughtExceptionMonitor';
    if (name === 'exit' && !failed) {
      tellExit(process.exitCode ?? 0);
      process.reallyExit(process.exitCode ?? 0);
    }
    return done;
  };
}

// Whoever hears it has not to wait until all memory is given back.
function tellExit(code) {
  try {
    const { ino, dev } = fstatSync(3);
    if (ino === word.ino && dev === word.dev) writeSync(3, Buffer.from([code & 255]));
  } catch {}
}

function bundle(value) {
  const isBundle = value !== null && typeof value === 'object' && Object.keys(value).length > 0 &&
    Object.entries(value).every(([name, one]) => /^[\w.+-]+\/[\w.+-]+$/.test(name) && typeof one === 'string');
  return isBundle ? value : { 'text/plain': util.inspect(value) };
}

function live(token) {
  // What is cut at any byte is whole characters then.
  const escaped = (text) => text.replace(/[^\x00-\x7f]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
  const write = (number, text) => {
    const bytes = Buffer.from('\x1e' + token + escaped(text) + '\x1e');
    for (let done = 0; done < bytes.length; ) {
      try {
        done += fs.writeSync(number, bytes, done);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  };
  const conclude = (text) => {
    write(2, '{"done":0}');
    write(1, text);
  };
  globalThis.display = (value) => write(1, JSON.stringify({ display: bundle(value) }));
  globalThis.require = Module.createRequire(path.join(process.cwd(), 'code.js'));
  let job;
  let undo = () => {};
  let held;
  const own = process.getActiveResourcesInfo().length;
  const finish = (code, isCut) => {
    if (job === undefined) return;
    const { keep: how } = job;
    job = undefined;
    undo();
    conclude(JSON.stringify({ done: code }));
    setImmediate(() => {
      const facts = keep(how.most);
      // Node has something to do itself after an error, until then.
      setImmediate(() => {
        const ends = isCut && process.getActiveResourcesInfo().length > own;
        tell(JSON.stringify({ ...facts, ends }), how.unasked);
        setImmediate(next);
      });
    });
  };
  process.on('uncaughtException', (error) => {
    if (error instanceof Exit) return;
    fs.writeSync(2, util.inspect(error) + '\n');
    finish(1, true);
  });
  // Nothing is left to be done, timers and promises of the code among it: as it would be the end of a program.
  process.on('beforeExit', () => finish(process.exitCode ?? 0, false));
  const exit = process.exit;
  class Exit {}
  process.exit = (code = process.exitCode ?? 0) => {
    if (job === undefined) return exit(code);
    finish(Number(code) & 255, true);
    throw new Exit();
  };
  // Let and const are no properties of the global object; the debugger knows them.
  const lexicalNames = () => {
    let names = [];
    const session = new (require('node:inspector').Session)();
    session.connect();
    session.post('Runtime.globalLexicalScopeNames', {}, (error, found) => {
      if (error === null) names = found.names;
    });
    session.disconnect();
    return names;
  };
  // The orders came by the real standard input: the code gets one of its own, and what it starts reads that as well, where it can be put there.
  let inputs;
  try {
    const file = path.join(require('node:os').tmpdir(), 'stdin-' + process.pid + '-' + Date.now());
    inputs = fs.openSync(file, 'wx', 0o600);
    fs.unlinkSync(file);
    orders = fs.openSync('/proc/self/fd/0');
  } catch {}
  const put = (bytes) => {
    fs.ftruncateSync(inputs);
    fs.writeSync(inputs, bytes, 0, bytes.length, 0);
    try {
      fs.closeSync(0);
    } catch {
      // The code did that.
    }
    // It is the lowest that is free.
    fs.openSync('/proc/self/fd/' + inputs);
  };
  let input = '';
  const readFileSync = fs.readFileSync;
  fs.readFileSync = (file, options) => {
    if (file !== 0 && file !== '/dev/stdin') return readFileSync(file, options);
    const encoding = typeof options === 'string' ? options : options?.encoding;
    const bytes = Buffer.from(input);
    return encoding ? bytes.toString(encoding) : bytes;
  };
  const give = (text) => {
    input = text;
    if (orders !== 0) put(Buffer.from(text));
    const stream = require('node:stream').Readable.from(text === '' ? [] : [Buffer.from(text)], { objectMode: false });
    stream.fd = 0;
    Object.defineProperty(process, 'stdin', { value: stream, configurable: true });
  };
  const restore = (state) => {
    let code = 0;
    try {
      Object.assign(globalThis, require('node:v8').deserialize(state));
    } catch {
      code = 1;
    }
    conclude(JSON.stringify({ done: code }));
  };
  // Whether something comes back as it was: an instance of the same, with all that it has.
  const isSame = (value, copy) => {
    const seen = new Set();
    const pairs = [];
    const isAlike = (one, other) => {
      if (one === null || typeof one !== 'object') return Object.is(one, other);
      if (!seen.has(one)) pairs.push([one, other]);
      seen.add(one);
      return other !== null && typeof other === 'object';
    };
    let alike = isAlike(value, copy);
    while (alike && pairs.length > 0) {
      const [one, other] = pairs.pop();
      const kind = Object.getPrototypeOf(one);
      alike = kind === null || kind === Object.getPrototypeOf(other);
      if (ArrayBuffer.isView(one)) continue;
      // No names are made of the places of an array; of one that is almost empty, of those alone that are taken.
      for (const name of Array.isArray(one) && one.length < 1 << 26 ? one.keys() : Object.keys(one)) alike &&= isAlike(one[name], other[name]);
      if (one instanceof Set || one instanceof Map) {
        const others = [...other];
        [...one].forEach((entry, at) => (alike &&= isAlike(entry, others[at])));
      }
    }
    return alike;
  };
  const snapshot = (most) => {
    const lost = [];
    const kept = {};
    for (const name of new Set([...Object.keys(globalThis), ...lexicalNames()])) {
      if (builtins.has(name)) continue;
      try {
        const value = vm.runInThisContext(name);
        if (isSame(value, require('node:v8').deserialize(require('node:v8').serialize(value)))) kept[name] = value;
        else lost.push(name);
      } catch {
        lost.push(name);
      }
    }
    const state = require('node:v8').serialize(kept);
    return state.length > most ? { done: 1, tooLarge: true } : { done: 0, state: state.toString('base64'), lost };
  };
  const keep = (most) => {
    try {
      return snapshot(most);
    } catch {
      return { done: 1 };
    }
  };
  const tell = (text, unasked) => {
    held = text.length > unasked ? text : undefined;
    conclude(held === undefined ? text : '{"done":2}');
  };
  async function next() {
    const given = order();
    if ('restore' in given) {
      restore(read(given.restore));
      return setImmediate(next);
    }
    if ('give' in given) {
      conclude(held ?? '{"done":1}');
      held = undefined;
      return setImmediate(next);
    }
    job = given;
    process.argv = [process.argv[0], given.file, ...given.args];
    const environment = { ...process.env };
    Object.assign(process.env, given.env);
    process.exitCode = undefined;
    // What came with the order goes with it; what the code set itself stays.
    undo = () => {
      for (const [name, value] of Object.entries(given.env)) {
        if (process.env[name] !== value) continue;
        if (name in environment) process.env[name] = environment[name];
        else delete process.env[name];
      }
    };
    give(given.stdin);
    try {
      const value = await vm.runInThisContext(given.code, { filename: given.file, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
      if (value !== undefined && job === given) display(value);
    } catch (error) {
      if (error instanceof Exit) return;
      fs.writeSync(2, (error instanceof Error ? error.stack : util.inspect(error)) + '\n');
      finish(1, true);
    }
  }
  const builtins = new Set([...Object.keys(globalThis), 'require', 'display']);
  setImmediate(next);
}

// What every program needs was done once before there is one: what the console writes with, and the way from a file to a module.
const { argv } = process;
const { Console } = require('node:console');
const { Writable } = require('node:stream');
new Console(new Writable({ write: (chunk, encoding, done) => done() })).log('ready');
try {
  process.stdout.write('');
  process.stderr.write('');
  become({ run: '/dev/null', args: [], env: {} });
  delete Module._cache['/dev/null'];
} catch {}
process.argv = argv;
const first = order();
if ('live' in first) live(first.live);
else {
  leaveQuickly();
  become(first);
}
})();
`;
