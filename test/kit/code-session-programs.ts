export type ProgramLanguage = 'py' | 'js' | 'sh';
export type KeepingLanguage = 'py' | 'js';

/** What a program does to its files, in this order; a read writes what is there. */
export type Does =
  | { kind: 'write' | 'append'; name: string; text: string }
  | { kind: 'remove' | 'read'; name: string }
  | { kind: 'rename' | 'link'; name: string; to: string };

/** How it ends, after all that: by itself, or in a way that the caller brings about while it waits. */
export type End = 'ok' | 'exit' | 'kill' | 'timeout' | 'cancel' | 'gone' | 'output' | 'child' | 'input';

const waits: readonly End[] = ['timeout', 'cancel', 'gone'];

const python = `import os, sys
for does in DOES:
    kind, name = does['kind'], does['name']
    if kind in ('write', 'append', 'rename') and '/' in does.get('to', name): os.makedirs(os.path.dirname(does.get('to', name)), exist_ok=True)
    if kind in ('write', 'append'):
        with open(name, kind[0]) as file: file.write(does['text'])
    if kind == 'remove' and os.path.lexists(name): os.remove(name)
    if kind == 'rename' and os.path.lexists(name): os.rename(name, does['to'])
    if kind == 'link' and not os.path.lexists(name): os.symlink(does['to'], name)
    if kind == 'read': sys.stdout.write('[' + (open(name).read() if os.path.exists(name) else 'none') + ']')
sys.stdout.write('<done>')
sys.stdout.flush()
`;

const pythonEnds: Partial<Record<End, string>> = {
  exit: 'import sys\nsys.exit(3)',
  kill: 'import os\nos.kill(os.getpid(), 9)',
  output: 'import sys, time\nsys.stdout.write("x" * 9000)\nsys.stdout.flush()\ntime.sleep(60)',
  child: 'import subprocess\nsubprocess.Popen(["sleep", "300"], start_new_session=True, stdin=-3, stdout=-3, stderr=-3) and None',
  input: 'import sys\nsys.stdout.write(sys.stdin.read())',
};

const javascript = `const fs = process.getBuiltinModule('node:fs');
  const path = process.getBuiltinModule('node:path');
  for (const { kind, name, text, to } of DOES) {
    if (kind === 'write' || kind === 'append' || kind === 'rename') fs.mkdirSync(path.dirname(to ?? name), { recursive: true });
    if (kind === 'write') fs.writeFileSync(name, text);
    if (kind === 'append') fs.appendFileSync(name, text);
    if (kind === 'remove') fs.rmSync(name, { force: true });
    if (kind === 'rename' && fs.existsSync(name)) fs.renameSync(name, to);
    if (kind === 'link') try { fs.symlinkSync(to, name); } catch {}
    if (kind === 'read') process.stdout.write('[' + (fs.existsSync(name) ? fs.readFileSync(name, 'utf8') : 'none') + ']');
  }
  process.stdout.write('<done>');`;

const javascriptEnds: Partial<Record<End, string>> = {
  exit: 'process.exit(3);',
  kill: 'process.kill(process.pid, 9); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);',
  output: 'process.stdout.write("x".repeat(9000)); await new Promise((resolve) => setTimeout(resolve, 60_000));',
  child: 'process.getBuiltinModule("node:child_process").spawn("sleep", ["300"], { detached: true, stdio: "ignore" }).unref();',
  input: 'process.stdout.write(process.getBuiltinModule("node:fs").readFileSync(0, "utf8"));',
};

const shellEnds: Partial<Record<End, string>> = {
  exit: 'exit 3',
  kill: 'kill -9 $$',
  output: 'printf %09000d 0 | tr 0 x; sleep 60',
  child: 'setsid sleep 300 < /dev/null > /dev/null 2>&1 &',
  input: 'cat',
};

/** A program that does that. One that keeps its variables counts its runs first, and writes the count. */
export function fileProgram(language: ProgramLanguage, does: readonly Does[], end: End, counts: boolean): string {
  if (language === 'sh')
    return [...does.map(shellLine), "printf '<done>'", shellEnds[end] ?? (waits.includes(end) ? 'sleep 60' : '')].join('\n');
  if (language === 'py') {
    const count = counts ? 'count = globals().get("count", 0) + 1\nprint(f"<{count}>", end="")\n' : '';
    const list = `__import__('json').loads(${JSON.stringify(JSON.stringify(does))})`;
    const last = pythonEnds[end] ?? (waits.includes(end) ? 'import time\ntime.sleep(60)' : 'pass');
    return `${count}exec(${JSON.stringify(python)}, {'DOES': ${list}})\n${last}\n`;
  }
  const count = counts ? 'var count = (globalThis.count ?? 0) + 1; process.stdout.write("<" + count + ">");' : '';
  const last = javascriptEnds[end] ?? (waits.includes(end) ? 'await new Promise((resolve) => setTimeout(resolve, 60_000));' : '');
  return `${count}\n${counts ? 'await ' : ''}(async () => {\n  const DOES = ${JSON.stringify(does)};\n  ${javascript}\n  ${last}\n})();\nundefined;\n`;
}

function shellLine(one: Does): string {
  const name = quoted(`./${one.name}`);
  const makesFolder = (file: string): string => `mkdir -p "$(dirname ${quoted(`./${file}`)})"`;
  if (one.kind === 'write') return `${makesFolder(one.name)}; printf %s ${quoted(one.text)} > ${name}`;
  if (one.kind === 'append') return `${makesFolder(one.name)}; printf %s ${quoted(one.text)} >> ${name}`;
  if (one.kind === 'remove') return `rm -f ${name}`;
  if (one.kind === 'rename')
    return `${makesFolder(one.to)}; if [ -e ${name} ] && [ ${name} != ${quoted(`./${one.to}`)} ]; then mv ${name} ${quoted(`./${one.to}`)}; fi`;
  if (one.kind === 'link') return `[ -L ${name} ] || ln -s ${quoted(one.to)} ${name}`;
  return `printf '['; if [ -e ${name} ]; then cat ${name}; else printf none; fi; printf ']'`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
