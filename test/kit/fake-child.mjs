// A child that speaks the wire of stdio just well enough, and misbehaves as its arguments say:
// `node fake-child.mjs <mode>… [stdio --root <folder>]`.
//   die-at-start[=text]     ends with code 3 before it answers anything
//   silent                  reads and never answers
//   deaf-after=<n>          answers n requests, then never again
//   junk                    prints lines that are no messages around each answer
//   slow-start=<ms>         answers nothing before that
//   ignore-sigterm          neither SIGTERM nor the end of its input ends it
//   close-stdout            closes its stdout after the first answer, and lives on
//   starts=<file>           appends a line to the file at each start
//   die-after-starts=<n>    with `starts`: from the n-th start on it dies before it is ready
// Methods: ping, echo (params back), text {text}, split (an answer cut inside a character), long {length}, slow {ms}, hang,
// exit {code}, crash-before-answer, crash-after-answer, cancelled (ids that were cancelled), fail {code}, count (endless items).
import fs from 'node:fs';

const args = process.argv.slice(2);
const value = (name) => args.find((arg) => arg === name || arg.startsWith(`${name}=`))?.slice(name.length + 1);
const has = (name) => value(name) !== undefined;
const write = (text) => process.stdout.write(text);
const cancelled = [];
let answered = 0;
const startedAt = Date.now();

if (has('starts')) {
  fs.appendFileSync(value('starts'), `${process.pid}\n`);
  const starts = fs.readFileSync(value('starts'), 'utf8').split('\n').length - 1;
  if (has('die-after-starts') && starts > Number(value('die-after-starts'))) process.exit(4);
}
if (has('die-at-start')) {
  process.stderr.write(`${value('die-at-start') || 'no reason given'}\n`);
  process.exit(3);
}
if (has('ignore-sigterm')) {
  process.on('SIGTERM', () => undefined);
  setInterval(() => undefined, 1000);
}
process.stderr.write('fake child: started\n');

let rest = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (let cut = rest.indexOf(10); cut >= 0; cut = rest.indexOf(10)) {
    const line = rest.subarray(0, cut).toString('utf8');
    rest = rest.subarray(cut + 1);
    take(JSON.parse(line));
  }
});
process.stdin.on('end', () => {
  if (!has('ignore-sigterm')) process.exit(0);
});

function take(frame) {
  if (frame.cancel === true) {
    cancelled.push(frame.id);
    return;
  }
  if (frame.method === undefined || has('silent')) return;
  if (has('deaf-after') && answered >= Number(value('deaf-after'))) return;
  const waitMs = has('slow-start') ? Number(value('slow-start')) - (Date.now() - startedAt) : 0;
  if (waitMs > 0) setTimeout(() => answer(frame), waitMs);
  else answer(frame);
}

function answer({ id, method, params }) {
  answered++;
  if (has('junk')) write('Debugger attached.\n{"half":\n[1,2]\n{"id":7,"ok":true}\n{"id":"nobody","ok":true,"result":1}\n\n');
  const result = (value) => write(`${JSON.stringify({ id, ok: true, result: value })}\n`);
  if (method === 'ping') result({ version: '9.9.9', build: 'fake' });
  else if (method === 'echo') result(params);
  else if (method === 'split') {
    const bytes = Buffer.from(`${JSON.stringify({ id, ok: true, result: 'é日本🛟' })}\n`);
    const writeByte = (at) => {
      if (at < bytes.length) write(bytes.subarray(at, at + 1), setImmediate(writeByte, at + 1));
    };
    writeByte(0);
  } else if (method === 'long') result('x'.repeat(params.length));
  else if (method === 'slow') setTimeout(() => result('late'), params.ms);
  else if (method === 'exit') process.exit(params.code);
  else if (method === 'crash-before-answer') process.kill(process.pid, 'SIGKILL');
  else if (method === 'crash-after-answer') write(`${JSON.stringify({ id, ok: true, result: 'last' })}\n`, () => process.exit(5));
  else if (method === 'cancelled') result(cancelled);
  else if (method === 'fail') write(`${JSON.stringify({ id, ok: false, error: { code: params.code, message: 'as asked' } })}\n`);
  else if (method === 'count') for (let n = 1; n <= 10; n++) write(`${JSON.stringify({ id, items: [n] })}\n`);
  else if (method !== 'hang') write(`${JSON.stringify({ id, ok: false, error: { code: 'unknown_method', message: `no ${method}` } })}\n`);
  if (has('close-stdout') && answered === 1) process.stdout.end();
}
