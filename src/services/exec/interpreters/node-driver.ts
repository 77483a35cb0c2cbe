/**
 * What a Node runs that was started before its work: as `pythonDriver` and `livePythonDriver`, with the same orders and the same marks. To what is
 * left of the variables it adds `"ends": true` where the code ended itself, or failed, and left something to be done: its next run would do that.
 */
export const nodeDriver = String.raw`
// In a scope of its own: the code may call its variables as it likes.
(() => {
const { Array, ArrayBuffer, Atomics, Buffer, Date, Int32Array, JSON, Map, Number, Object, Promise, Reflect, Set, SharedArrayBuffer, String } = globalThis;
const fs = require('node:fs');
const vm = require('node:vm');
const path = require('node:path');
const util = require('node:util');
const Module = require('node:module');
// The name is the code's.
const load = require;

// What Node gives to code of its command line, and to no program. Modules by their names are left to code whose variables live on.
const { crypto, ...conveniences } = Object.fromEntries(
  [...Module.builtinModules, 'exports', '__filename', '__dirname']
    .filter((name) => Object.hasOwn(globalThis, name) && !['console', 'process', 'performance'].includes(name))
    .map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
);
for (const name of [...Object.keys(conveniences), 'require']) delete globalThis[name];
// Node puts that there again when this is over.
process.nextTick(() => delete globalThis.module);
Object.defineProperty(globalThis, 'crypto', { ...crypto, get: { crypto: () => load('node:crypto').webcrypto }.crypto });
process.execArgv = [];
delete process._eval;

const { fstatSync, writeSync } = fs;
const { setInterval } = globalThis;
let word;
try {
  const stat = fstatSync(3);
  if (stat.isFIFO()) word = stat;
} catch {}

// So often it is seen whether there is anything but programs to wait for.
const LOOK_MS = 20;
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
  // The program goes on after its code: what Node would still hold of that then is told by nobody.
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) {
    stream._handle?.setBlocking?.(true);
    // Ended by one code, it is there for the next one: Node itself would end what lies below it as well.
    stream._final = (done) => done();
  }
  // What is cut at any byte is whole characters then.
  const escaped = (text) => text.replace(/[^\x00-\x7f]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
  const put = (number, text) => {
    const bytes = Buffer.from('\x1e' + token + text + '\x1e');
    for (let done = 0; done < bytes.length; ) {
      try {
        done += writeSync(number, bytes, done);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
        Atomics.wait(pause, 0, 0, 1);
      }
    }
  };
  const pause = new Int32Array(new SharedArrayBuffer(4));
  // More than that can be torn by what others write.
  const room = 4096 - token.length - 2;
  const write = (number, ...texts) => {
    const [text] = texts;
    if (texts.length === 1 && text.length <= room && escaped(text).length <= room) return put(number, escaped(text));
    texts.forEach((text, which) => {
      for (let at = 0; at < text.length; ) {
        let size = room;
        let mark;
        do {
          const last = which === texts.length - 1 && at + size >= text.length;
          mark = escaped(JSON.stringify(last ? { part: text.slice(at, at + size), last } : { part: text.slice(at, at + size) }));
        } while (mark.length > room && (size = Math.ceil(size * 0.7)));
        put(number, mark);
        at += size;
      }
    });
  };
  const conclude = (...texts) => {
    write(2, '{"done":0}');
    write(1, ...texts);
  };
  globalThis.display = (value) => write(1, JSON.stringify({ display: bundle(value) }));
  for (const [name, how] of Object.entries(conveniences)) if (how.enumerable === false) Object.defineProperty(globalThis, name, how);
  const setCrypto = (value) => Object.defineProperty(globalThis, 'crypto', { value, writable: true, enumerable: true, configurable: true });
  Object.defineProperty(globalThis, 'crypto', { ...crypto, set: setCrypto });
  globalThis.require = Module.createRequire(path.join(process.cwd(), 'code.js'));
  let job;
  let undo = () => {};
  let held;
  const own = process.getActiveResourcesInfo().length;
  // Programs that the code started and hears nothing of keep it from nothing, once there is nothing else to wait for. It may listen to them later.
  const isHeard = (one, names) => names.some((name) => one.listenerCount(name) > 0);
  const letGo = () => {
    const unheard = process._getActiveHandles().flatMap((one) => {
      if (typeof one.spawnfile !== 'string' || isHeard(one, ['exit', 'close', 'message', 'disconnect'])) return [];
      const streams = one.stdio?.filter((stream) => stream !== null) ?? [];
      return streams.some((stream) => isHeard(stream, ['data', 'readable'])) ? [] : [one, ...streams];
    });
    for (const one of unheard) one.unref?.();
    if (process.getActiveResourcesInfo().length > own) for (const one of unheard) one.ref?.();
  };
  setInterval(() => job !== undefined && letGo(), LOOK_MS).unref();
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
        tell({ ...facts, ends }, how.unasked);
        setImmediate(next);
      });
    });
  };
  process.on('uncaughtException', (error) => {
    if (error instanceof Exit) return;
    complain(error);
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
  // What called the code is none of it.
  const strip = (error, seen = new Set()) => {
    if (!util.types.isNativeError(error) || seen.has(error)) return;
    seen.add(error);
    try {
      const { stack } = error;
      const ours = stack.search(/\n +at Session\.post \(node:inspector:/);
      error.stack = (ours < 0 ? stack : stack.slice(0, ours)).replace(/\n +at [^\n]*\[eval\]:[^\n]*/g, '');
      for (const one of [error.cause, ...(Array.isArray(error.errors) ? error.errors : [])]) strip(one, seen);
    } catch {
      // Nobody can change it.
    }
  };
  const complain = (error, place = '') => {
    strip(error);
    const text = util.inspect(error);
    // It is put in brackets where it has no stack.
    fs.writeSync(2, place + (place === '' ? text : text.replace(/^\[([^]*)\]$/, '$1')) + '\n');
  };
  // The debugger knows let and const, which are no properties of the global object, and lets them be declared again after they were.
  let debug;
  const connect = () => {
    if (debug !== undefined) return;
    debug = new (load('node:inspector').Session)();
    debug.connect();
  };
  const ask = (method, request) => {
    let found;
    connect();
    debug.post(method, request, (error, answer) => (found = answer));
    return found;
  };
  const lexicalNames = () => ask('Runtime.globalLexicalScopeNames', {})?.names ?? [];
  // It gives values by their numbers alone, but calls what takes them.
  let takes;
  let taken;
  const valueOf = ({ objectId, value, unserializableValue }) => {
    if (takes === undefined) {
      globalThis.__take = (value) => (taken = value);
      takes = ask('Runtime.evaluate', { expression: '__take' }).result.objectId;
      delete globalThis.__take;
    }
    const functionDeclaration = 'function (value) { this(value); }';
    ask('Runtime.callFunctionOn', { objectId: takes, functionDeclaration, arguments: [{ objectId, value, unserializableValue }], silent: true });
    const found = taken;
    taken = undefined;
    return found;
  };
  // Without spaces, as the comment wants it.
  const comment = (file) => '\n//# sourceURL=' + file.replace(/\s/g, encodeURIComponent);
  let evaluations = 0;
  const evaluate = (code, file) => {
    connect();
    // Of its own for each: to let go of one that is still awaited ends Node when its promise is collected.
    const objectGroup = 'code ' + ++evaluations;
    const { promise, resolve } = Promise.withResolvers();
    const expression = withImports(code) + comment(file);
    debug.post('Runtime.evaluate', { expression, replMode: true, objectGroup, silent: true }, (error, found) => {
      if (error !== null) return resolve({ value: error, isThrown: true, place: '' });
      const { result, exceptionDetails: wrong } = found;
      const value = valueOf(wrong?.exception ?? result);
      ask('Runtime.releaseObjectGroup', { objectGroup });
      // What the console was given is held by it as well.
      ask('Runtime.discardConsoleEntries', {});
      resolve({ value, isThrown: wrong !== undefined, place: wrong === undefined ? '' : placeOf(wrong, code, file) });
    });
    return promise;
  };
  // What is no code has no place in its stack.
  const placeOf = ({ exception, lineNumber, columnNumber }, code, file) => {
    if (!/^SyntaxError: .*\n +at Session\.post /.test(exception?.description)) return '';
    const lines = code.split('\n');
    // The end of the code stands behind our comment.
    const [at, column] = lineNumber < lines.length ? [lineNumber, columnNumber] : [lines.length - 1, lines.at(-1).length];
    return file + ':' + (at + 1) + '\n' + lines[at] + '\n' + ' '.repeat(column) + '^\n\n';
  };

  // A script has no static imports, and what the debugger runs no others: each becomes a call, on its line.
  const lexical =
    /(?<blank>\s+|\/\/.*|\/\*[^]*?\*\/)|'(?:\\[^]|[^'\\\n])*'|"(?:\\[^]|[^"\\\n])*"|(?<word>[\p{ID_Start}$_][\p{ID_Continue}$]*)|[^]/uy;
  const expression = /\/(?![*\/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^\/\\[\n])+\/\w*/y;
  const template = /(?:\\[^]|\$(?!\{)|[^\x60\\$])*(?:\x60|\$\{)/y;
  const statement =
    /import\b\s*(?:(?<names>[^'"();=]+?)\s*\bfrom\s*)?(?<from>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")(?:\s*with\s*(?<attributes>\{[^}]*\}))?\s*?(?:;|(?=\n|$))/uy;
  const beforeOperand = new Set('return typeof case in of delete void throw new else do await yield instanceof'.split(' '));
  const withImports = (code) => {
    if (!/\bimport\b/.test(code)) return code;
    Object.defineProperty(globalThis, '__import', { value: importOf, configurable: true });
    let out = '';
    let last = '';
    // Of each bracket that is open, what it closes with: a part of a template goes on behind some.
    const open = [];
    const take = (pattern, at) => {
      pattern.lastIndex = at;
      return pattern.exec(code);
    };
    for (let at = 0; at < code.length; ) {
      const found = take(lexical, at);
      let [text] = found;
      let made = text;
      const { blank, word } = found.groups;
      const mayBeOperand = beforeOperand.has(last) || !/^[\p{ID_Continue}$'"\x60)\]}]/u.test(last);
      if (text === '/' && mayBeOperand) made = text = take(expression, at)?.[0] ?? text;
      else if (text === '\x60' || (text === '}' && open.at(-1) === '\x60')) {
        if (text === '}') open.pop();
        text += take(template, at + 1)?.[0] ?? code.slice(at + 1);
        made = text;
        if (text.endsWith('$' + '{')) open.push('\x60');
      } else if (text === '{') open.push('}');
      else if (text === '}') open.pop();
      else if (word === 'import' && last !== '.' && last !== '#') {
        const whole = open.length === 0 ? take(statement, at) : null;
        if (whole !== null) [text, made] = [whole[0], asCall(whole.groups) + '\n'.repeat(whole[0].split('\n').length - 1)];
        else if (/^\s*\(/.test(code.slice(at + 6, at + 200)) && !isMethod(code, at + 6)) made = '__import';
      }
      if (blank === undefined) last = text.endsWith('$' + '{') ? '(' : text;
      out += made;
      at += text.length;
    }
    return out;
  };
  // What follows its bracket on the same line begins a body; no call has one.
  const isMethod = (code, from) => {
    let depth = 0;
    for (let at = from; at < code.length; at = lexical.lastIndex) {
      lexical.lastIndex = at;
      const [text] = lexical.exec(code);
      if (text === '(') depth++;
      if (text === ')' && --depth === 0) return /^[^\S\n]*\{/.test(code.slice(at + 1, at + 200));
    }
    return false;
  };
  const asCall = ({ names = '', from, attributes }) => {
    const all = names.match(/\*\s*as\s+([^\s,]+)/)?.[1];
    const first = names.match(/^([^\s,{}*]+)/)?.[1];
    const some = (names.match(/\{([^}]*)\}/)?.[1] ?? '').split(',').map((one) => one.trim().split(/\s+as\s+/)).filter(([name]) => name !== '');
    const bound = [...(first === undefined ? [] : [['default', first]]), ...some];
    const options = attributes === undefined ? 'undefined' : '{ with: ' + attributes + ' }';
    const call = 'await __import(' + [from, options, JSON.stringify(bound.map(([name]) => name))].join(', ') + ')';
    const pattern = '{ ' + bound.map(([name, as = name]) => name + ': ' + as).join(', ') + ' }';
    if (all !== undefined) return 'const ' + all + ' = ' + call + (bound.length === 0 ? '' : ', ' + pattern + ' = ' + all) + ';';
    return bound.length === 0 ? 'void ' + call + ';' : 'const ' + pattern + ' = ' + call + ';';
  };
  const importOf = async (from, options, names = []) => {
    const module = await import(from, options);
    const missing = names.find((name) => !(name in module));
    if (missing === undefined) return module;
    throw new SyntaxError("The requested module '" + from + "' does not provide an export named '" + missing + "'");
  };
  // The orders came by the real standard input: the code gets one of its own, and what it starts reads that as well, where it can be put there.
  let inputs;
  try {
    const file = path.join(load('node:os').tmpdir(), 'stdin-' + process.pid + '-' + Date.now());
    inputs = fs.openSync(file, 'wx', 0o600);
    fs.unlinkSync(file);
    orders = fs.openSync('/proc/self/fd/0');
  } catch {}
  const putInput = (bytes) => {
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
    if (orders !== 0) putInput(Buffer.from(text));
    const stream = load('node:stream').Readable.from(text === '' ? [] : [Buffer.from(text)], { objectMode: false });
    stream.fd = 0;
    Object.defineProperty(process, 'stdin', { value: stream, configurable: true });
  };
  const restore = (state) => {
    let code = 0;
    try {
      // Some names of Node have only a way to be read.
      for (const [name, value] of Object.entries(load('node:v8').deserialize(state)))
        Object.defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });
    } catch {
      code = 1;
    }
    conclude(JSON.stringify({ done: code }));
  };
  const { types } = util;
  const errors = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];
  const arrays = ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float16', 'Float32', 'Float64', 'BigInt64', 'BigUint64'];
  const others = ['Object', 'Array', 'Map', 'Set', 'Date', 'RegExp', 'ArrayBuffer', 'DataView', 'Boolean', 'Number', 'String', 'BigInt'];
  const prototypes = Object.fromEntries(
    [...others, ...errors, ...arrays.map((name) => name + 'Array')].map((name) => [name, globalThis[name]?.prototype]),
  );
  const kindOf = (one) => {
    if (Array.isArray(one)) return 'Array';
    if (types.isMap(one)) return 'Map';
    if (types.isSet(one)) return 'Set';
    if (types.isDate(one)) return 'Date';
    if (types.isRegExp(one)) return 'RegExp';
    if (types.isNativeError(one)) return errors.includes(one.name) ? one.name : 'Error';
    if (types.isAnyArrayBuffer(one)) return 'ArrayBuffer';
    if (ArrayBuffer.isView(one)) return types.isDataView(one) ? 'DataView' : one[Symbol.toStringTag];
    return types.isBoxedPrimitive(one) ? Object.prototype.toString.call(one).slice(8, -1) : 'Object';
  };
  // The least of bytes that something takes when it is written down, up to more than there may be; undefined where it would not come back
  // as it was: an instance of the same, with all that it has. What was seen before costs nothing.
  const weigh = (value, most, seen) => {
    const added = [];
    const found = [];
    let bytes = 0;
    const visit = (one) => {
      bytes += typeof one === 'string' ? one.length + 2 : 1;
      if (typeof one === 'function' || typeof one === 'symbol') return false;
      if (one === null || typeof one !== 'object' || seen.has(one)) return true;
      seen.add(one);
      added.push(one);
      found.push(one);
      return true;
    };
    const visitAll = (one) => {
      const kind = kindOf(one);
      const prototype = Object.getPrototypeOf(one);
      if (ArrayBuffer.isView(one) || kind === 'ArrayBuffer') bytes += one.byteLength;
      if (prototype !== null && prototype !== prototypes[kind] && prototype !== Buffer.prototype) return false;
      if (types.isProxy(one) || types.isPromise(one)) return false;
      if (ArrayBuffer.isView(one) || types.isBoxedPrimitive(one)) return true;
      if (kind === 'Map' || kind === 'Set') {
        for (const entry of one) if (kind === 'Map' ? !visit(entry[0]) || !visit(entry[1]) : !visit(entry)) return false;
      }
      // No names are made of the places of an array; of one that is almost empty, of those alone that are taken.
      if (kind === 'Array' && one.length < 1 << 26) {
        for (let at = 0; at < one.length && bytes <= most; at++) if (!visit(one[at])) return false;
        return true;
      }
      const names = Object.keys(one);
      if (kind !== 'Object' && kind !== 'Array') return names.length === 0;
      return names.every((name) => visit(name) && visit(one[name]));
    };
    let isSame = visit(value);
    while (isSame && found.length > 0 && bytes <= most) isSame = visitAll(found.pop());
    if (isSame) return bytes;
    for (const one of added) seen.delete(one);
    return undefined;
  };
  const valuesOf = () => {
    const values = new Map();
    const names = Object.keys(globalThis).filter((name) => !isBuiltin(name));
    for (const name of new Set([...names, ...lexicalNames()])) {
      try {
        values.set(name, vm.runInThisContext(name));
      } catch {
        // Nothing came to be in it.
      }
    }
    return values;
  };
  const snapshot = (most) => {
    const { serialize } = load('node:v8');
    const values = valuesOf();
    const kept = {};
    const seen = new Set();
    let bytes = 0;
    for (const [name, value] of values) {
      const weight = weigh(value, most - bytes, seen);
      if (weight === undefined) continue;
      kept[name] = value;
      bytes += weight;
      // To write it down takes room for that, for growing, and for it as text.
      if (bytes > most || bytes * 4 > process.availableMemory()) return { done: 1, tooLarge: true };
    }
    seen.clear();
    let state;
    try {
      state = serialize(kept);
    } catch {
      for (const name of Object.keys(kept)) {
        try {
          serialize(kept[name]);
        } catch {
          delete kept[name];
        }
      }
      state = serialize(kept);
    }
    if (state.length > most) return { done: 1, tooLarge: true };
    return { done: 0, state: state.toString('base64'), lost: [...values.keys()].filter((name) => !Object.hasOwn(kept, name)) };
  };
  const keep = (most) => {
    try {
      return snapshot(most);
    } catch {
      return { done: 1 };
    }
  };
  // A state is text of the simplest kind: it is not copied into the JSON that it belongs to.
  const tell = ({ state, ...facts }, unasked) => {
    const json = JSON.stringify(facts);
    const texts = state === undefined ? [json] : [json.slice(0, -1) + ',"state":"', state, '"}'];
    held = texts.reduce((sum, text) => sum + text.length, 0) > unasked ? texts : undefined;
    conclude(...(held === undefined ? [texts.join('')] : ['{"done":2}']));
  };
  async function next() {
    const given = order();
    if ('restore' in given) {
      restore(read(given.restore));
      return setImmediate(next);
    }
    if ('give' in given) {
      conclude(...(held ?? ['{"done":1}']));
      held = undefined;
      return setImmediate(next);
    }
    job = given;
    process.argv = [process.argv[0], given.file, ...given.args];
    const environment = { ...process.env };
    Object.assign(process.env, given.env);
    process.exitCode = undefined;
    for (const stream of streams) if (!stream.writable) stream._undestroy();
    // What came with the order goes with it; what the code set itself stays.
    undo = () => {
      for (const [name, value] of Object.entries(given.env)) {
        if (process.env[name] !== value) continue;
        if (name in environment) process.env[name] = environment[name];
        else delete process.env[name];
      }
    };
    give(given.stdin);
    const { value, isThrown, place } = await evaluate(given.code, given.file);
    try {
      if (isThrown) throw value;
      const last = await value;
      if (last !== undefined && job === given) display(last);
    } catch (error) {
      if (error instanceof Exit || job !== given) return;
      complain(error, place);
      finish(1, true);
    }
  }
  const first = Object.getOwnPropertyDescriptors(globalThis);
  // A name that has still what it had is none of the code's.
  const isBuiltin = (name) => {
    const now = Object.getOwnPropertyDescriptor(globalThis, name);
    return Object.hasOwn(first, name) && now.value === first[name].value && now.get === first[name].get;
  };
  setImmediate(next);
}

// What every program needs was done once before there is one: what the console writes with, and the way from a file to a module.
const { argv } = process;
const { Console } = load('node:console');
const { Writable } = load('node:stream');
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
