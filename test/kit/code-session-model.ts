import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Client } from '../../src/client/client.ts';
import type { CodeOutcome } from '../../src/contract/code.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { eventually } from './eventually.ts';
import { type Does, type End, fileProgram, type KeepingLanguage, type ProgramLanguage } from './code-session-programs.ts';
import type { Random } from './random.ts';

/** Undefined: there is no such file. */
type Content = string | undefined;

interface Variables {
  language: KeepingLanguage;
  count: number;
}

interface ModelSession {
  id: string;
  entity: string | undefined;
  /** What each file may hold: one thing where that is sure. */
  files: Map<string, Content[]>;
  /** What may be kept. */
  variables: (Variables | undefined)[];
  ids: Map<string, string>;
  /** Files of runs that did not live to tell of them: another run may. */
  loose: Set<string>;
  isClosed: boolean;
  /** Runs that keep variables, and what is done to those, come one after the other. */
  turn: Promise<void>;
  saved: { bytes: Buffer; variables: Variables } | undefined;
}

export interface ModelSidecar {
  client: Client<Operations>;
  url: string;
  token: string;
  /** It was killed, or stopped. */
  isGone: boolean;
}

interface Seen {
  out: string;
  end: CodeOutcome | undefined;
}

const languages: readonly ProgramLanguage[] = ['py', 'js', 'sh'];
const ends: readonly End[] = ['ok', 'ok', 'ok', 'ok', 'exit', 'kill', 'timeout', 'cancel', 'cancel', 'gone', 'output', 'child', 'input'];
const names = ['a.txt', 'b c.txt', 'ü 日本.txt', '.hidden', '.d/.e/f', "it's $(x).txt", 'new\nline', '-n', '"q".txt'] as const;
const OUTPUT_BYTES = 4000;

/** Clients that work in sessions of code by chance, and what must have come of it. */
export class CodeSessionModel {
  readonly #random: Random;
  readonly #sessions: ModelSession[] = [];
  readonly #mark = `model-${process.pid}-${Date.now()}`;
  readonly #history: string[] = [];
  #runs = 0;
  #sidecar: ModelSidecar;

  constructor(random: Random, sidecar: ModelSidecar) {
    this.#random = random;
    this.#sidecar = sidecar;
  }

  /** What was done last, for whoever reads of a failure. */
  get history(): string {
    return this.#history.slice(-60).join('\n');
  }

  goOnWith(sidecar: ModelSidecar): void {
    this.#sidecar = sidecar;
  }

  /** One client: its files are of its own names, so that others may work in the same session. */
  async steps(client: number, count: number): Promise<void> {
    for (let step = 0; step < count && !this.#sidecar.isGone; step++) await this.#step(client);
  }

  /** Nothing goes on: all is as it must be, and what was in doubt is known. */
  async settle(): Promise<void> {
    await eventually(() => assert.deepEqual(this.#programs(), [], 'programs of runs that ended'));
    for (const session of this.#open()) await this.#settleOne(session);
    const listed = (await this.#sidecar.client.call('code.sessions', {})).sessions.map(({ id }) => id);
    for (const { id, isClosed } of this.#sessions) assert.equal(listed.includes(id), !isClosed, `session ${id} is listed`);
  }

  async closeAll(): Promise<void> {
    for (const session of this.#open()) await this.#close(session);
  }

  #open(): ModelSession[] {
    return this.#sessions.filter(({ isClosed }) => !isClosed);
  }

  #programs(): number[] {
    return markedWith('MARK', (value) => value.startsWith(this.#mark));
  }

  async #step(client: number): Promise<void> {
    const open = this.#open();
    if (open.length < 2 || (open.length < 5 && this.#random.below(12) === 0)) return this.#make();
    const session = this.#random.of(open);
    const kind = this.#random.below(20);
    if (kind < 11) return this.#runFiles(session, client, false);
    if (kind < 15) return this.#inTurn(session, () => this.#runFiles(session, client, true));
    if (kind === 15) return this.#put(session, client);
    if (kind === 16) return this.#remove(session, client);
    if (kind === 17) return this.#inTurn(session, () => this.#state(session));
    if (kind === 18) return this.#inTurn(session, () => this.#bothAtOnce(session));
    return this.#random.below(2) === 0 ? this.#close(session) : this.#make();
  }

  async #inTurn(session: ModelSession, work: () => Promise<void>): Promise<void> {
    const before = session.turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    session.turn = promise;
    await before;
    try {
      if (!session.isClosed && !this.#sidecar.isGone) await work();
    } finally {
      resolve();
    }
  }

  /** False where the sidecar went, or the session was closed, while that was done. */
  async #tried(session: ModelSession | undefined, work: () => Promise<void>): Promise<boolean> {
    const sidecar = this.#sidecar;
    try {
      await work();
      return true;
    } catch (error) {
      if (sidecar.isGone || (session?.isClosed === true && error instanceof OutriggerError)) return false;
      throw error;
    }
  }

  async #make(): Promise<void> {
    const entity = this.#random.below(2) === 0 ? undefined : `entity-${this.#sessions.length}-${this.#random.below(1000)}`;
    await this.#tried(undefined, async () => {
      const { id } = await this.#sidecar.client.call('code.openSession', entity === undefined ? {} : { entity });
      if (this.#sessions.some((session) => session.id === id)) return;
      this.#note(`open ${id} ${entity ?? ''}`);
      this.#sessions.push({
        id,
        entity,
        files: new Map(),
        variables: [undefined],
        ids: new Map(),
        loose: new Set(),
        isClosed: false,
        turn: Promise.resolve(),
        saved: undefined,
      });
    });
  }

  async #close(session: ModelSession): Promise<void> {
    this.#note(`close ${session.id}`);
    session.isClosed = true;
    await this.#tried(undefined, async () => void (await this.#sidecar.client.call('code.closeSession', { session: session.id })));
  }

  async #runFiles(session: ModelSession, client: number, keepState: boolean): Promise<void> {
    const language = this.#random.of(keepState ? (['py', 'js'] as const) : languages);
    const picked = this.#random.of(ends);
    const end = keepState && picked === 'input' ? 'ok' : picked;
    const does = this.#does(client);
    const { code, expected } = this.#programOf(session, language, does, end, keepState);
    const before = new Map([...session.files].map(([name, contents]) => [name, [...contents]]));
    const after = afterAll(session.files, does);
    let variables = keepState ? this.#counted(session, language as KeepingLanguage) : [];
    this.#note(`${session.id} ${language} ${keepState ? 'keep ' : ''}${end} ${JSON.stringify(does)}`);
    const doubt = (): void => {
      for (const [name, contents] of after) {
        session.files.set(name, unique([...(before.get(name) ?? [undefined]), ...contents, ...betweenOf(before, does, name)]));
        session.loose.add(name);
      }
      if (keepState) session.variables = unique([...session.variables, ...variables]);
    };
    let seen: Seen = { out: '', end: undefined };
    // Until all is told, it may have come to any of its steps.
    const isSure = await this.#tried(session, async () => {
      seen = await this.#run(session, { language, code, keepState }, end);
    }).catch((error: unknown) => {
      doubt();
      throw error;
    });
    const done = seen.out.includes('<done>');
    if (!isSure || !done) {
      doubt();
      if (isSure && end !== 'cancel' && end !== 'gone' && end !== 'timeout' && !session.isClosed)
        assert.fail(`it did not come to its end: ${JSON.stringify(seen)}`);
      return;
    }
    if (session.isClosed) return;
    if (this.#sidecar.isGone || end === 'gone') doubt();
    for (const [name, contents] of after) session.files.set(name, contents);
    assert.match(seen.out, expected, `${language} ${end}`);
    const told = /^<(\d+)>/.exec(seen.out)?.[1];
    if (told !== undefined) variables = variables.filter(({ count }) => count === Number(told));
    if (seen.end === undefined) return;
    this.#checkEnd(seen.end, end);
    this.#checkFiles(session, seen.end, before, after, client);
    if (keepState)
      session.variables =
        end === 'ok' || end === 'child' ? variables : unique([...session.variables, ...(end === 'exit' ? variables : [])]);
  }

  #does(client: number): Does[] {
    const name = (): string => `c${client}${this.#random.of(names)}`;
    return Array.from({ length: 1 + this.#random.below(5) }, (): Does => {
      const kind = this.#random.of(['write', 'write', 'append', 'remove', 'rename', 'read', 'read', 'link'] as const);
      if (kind === 'rename') return { kind, name: name(), to: name() };
      if (kind === 'link') return { kind, name: `c${client} link`, to: name() };
      return kind === 'write' || kind === 'append'
        ? { kind, name: name(), text: `${kind} ${this.#random.below(50)};` }
        : { kind, name: name() };
    });
  }

  #programOf(
    session: ModelSession,
    language: ProgramLanguage,
    does: readonly Does[],
    end: End,
    keepState: boolean,
  ): { code: string; expected: RegExp } {
    const parts: string[] = [];
    if (keepState)
      parts.push(
        `<(?:${this.#counted(session, language as KeepingLanguage)
          .map(({ count }) => count)
          .join('|')})>`,
      );
    const now = new Map(session.files);
    for (const one of does) {
      if (one.kind === 'read')
        parts.push(`(?:${(now.get(one.name) ?? [undefined]).map((content) => escaped(`[${content ?? 'none'}]`)).join('|')})`);
      for (const [name, contents] of afterAll(now, [one])) now.set(name, contents);
    }
    const tail = end === 'output' ? 'x*' : end === 'input' ? 'given' : '';
    return { code: fileProgram(language, does, end, keepState), expected: new RegExp(`^${parts.join('')}<done>${tail}$`) };
  }

  /** What the variables may be after one more run that counts. */
  #counted({ variables }: ModelSession, language: KeepingLanguage): Variables[] {
    return unique(variables.map((one) => ({ language, count: one?.language === language ? one.count + 1 : 1 })));
  }

  async #run(session: ModelSession, input: { language: string; code: string; keepState: boolean }, end: End): Promise<Seen> {
    const mark = `${this.#mark}-${this.#runs++}`;
    const sidecar = this.#sidecar;
    const leaving = new AbortController();
    const limits = { wallMs: end === 'timeout' ? 1500 : 60_000, outputBytes: OUTPUT_BYTES };
    const whose = session.entity !== undefined && this.#random.below(2) === 0 ? { entity: session.entity } : { session: session.id };
    const asked = { ...input, ...whose, limits, env: { MARK: mark }, keepStdinOpen: end === 'input' };
    const early = this.#random.below(3) === 0 ? this.#random.below(300) : undefined;
    const seen: Seen = { out: '', end: undefined };
    let hasActed = false;
    const act = (run: string): void => {
      if (hasActed) return;
      hasActed = true;
      if (end === 'gone') leaving.abort();
      if (end === 'cancel') void sidecar.client.call('code.cancel', { run }).catch(() => {});
      if (end === 'input') void sidecar.client.call('code.input', { run, text: 'given', end: true }).catch(() => {});
    };
    let run = '';
    const stream = sidecar.client.stream('code.run', asked, { signal: leaving.signal });
    stream.end.catch(() => {});
    try {
      for await (const item of stream) {
        if (item.type === 'started') {
          run = item.run;
          if (!session.isClosed) assert.equal(item.session, session.id);
          if (early !== undefined) setTimeout(() => act(run), early).unref();
        }
        if (item.type === 'output') seen.out += item.stream === 'stdout' ? item.text : `!${item.text}`;
        if (seen.out.includes('<done>')) act(run);
      }
      seen.end = await stream.end;
    } catch (error) {
      if (end !== 'gone' || !leaving.signal.aborted) throw error;
    }
    if (!sidecar.isGone)
      await eventually(() =>
        assert.deepEqual(
          markedWith('MARK', (value) => value === mark),
          [],
          'programs of a run that ended',
        ),
      );
    return seen;
  }

  #checkEnd({ reason, exitCode, notes }: CodeOutcome, end: End): void {
    const told = `${end}: ${reason} ${exitCode} ${notes.join(' ')}`;
    if (end === 'ok' || end === 'child' || end === 'input') assert.deepEqual([reason, exitCode], ['exit', 0], told);
    if (end === 'exit') assert.deepEqual([reason, exitCode], ['exit', 3], told);
    if (end === 'kill') assert.equal(reason, 'signal', told);
    if (end === 'timeout') assert.deepEqual([reason, exitCode], ['timeout', 124], told);
    if (end === 'cancel') assert.equal(reason, 'canceled', told);
    if (end === 'output') assert.equal(reason, 'output', told);
  }

  #checkFiles(
    session: ModelSession,
    { files }: CodeOutcome,
    before: ReadonlyMap<string, readonly Content[]>,
    after: ReadonlyMap<string, readonly Content[]>,
    client: number,
  ): void {
    const told = new Map(files.map((file) => [file.name, file]));
    for (const { name } of files) {
      const isOwn = name.startsWith(`c${client}`);
      assert.ok(
        after.has(name) || session.loose.has(name),
        `the run did not write ${JSON.stringify(name)}${isOwn ? '' : ', another client did'}`,
      );
    }
    for (const [name, contents] of after) {
      const [earlier] = before.get(name) ?? [undefined];
      const isKnown = (before.get(name)?.length ?? 1) === 1 && contents.length === 1 && !session.loose.has(name);
      if (isKnown)
        assert.equal(told.has(name), contents[0] !== undefined && contents[0] !== earlier, `${JSON.stringify(name)} among the files`);
      const file = told.get(name);
      if (file === undefined) continue;
      assert.ok(
        contents.some((content) => content !== undefined && sha256(content) === file.sha256),
        `the content of ${JSON.stringify(name)}`,
      );
      const id = session.ids.get(name);
      if (isKnown && id !== undefined && earlier !== undefined) assert.equal(file.id, id, `the id of ${JSON.stringify(name)}`);
      session.ids.set(name, file.id);
    }
    for (const [name, contents] of after) if (contents.includes(undefined)) session.ids.delete(name);
  }

  async #put(session: ModelSession, client: number): Promise<void> {
    const { given, stored } = this.#random.of([
      { given: `c${client}a.txt`, stored: `c${client}a.txt` },
      { given: `some/c${client} é.txt`, stored: `c${client}__.txt` },
    ]);
    const text = `put ${this.#random.below(1000)};`;
    const before = session.files.get(stored) ?? [undefined];
    session.files.set(stored, unique([...before, text]));
    this.#note(`${session.id} put ${given} ${text}`);
    const sure = await this.#tried(session, async () => {
      const file = await this.#sidecar.client.upload('code.putFile', { session: session.id, name: given }, Buffer.from(text));
      assert.deepEqual([file.name, file.sha256], [stored, sha256(text)]);
      const id = session.ids.get(stored);
      if (before.length === 1 && before[0] !== undefined && id !== undefined)
        assert.equal(file.id, id, 'the id of a file that was put again');
      session.ids.set(stored, file.id);
    });
    if (sure) session.files.set(stored, [text]);
    else session.loose.add(stored);
  }

  async #remove(session: ModelSession, client: number): Promise<void> {
    const own = [...session.files].find(
      ([name, contents]) => name.startsWith(`c${client}`) && contents.length === 1 && contents[0] !== undefined && session.ids.has(name),
    );
    const id = own === undefined ? undefined : session.ids.get(own[0]);
    if (own === undefined || id === undefined) return;
    const [name, before] = own;
    this.#note(`${session.id} remove ${name}`);
    session.files.set(name, [...before, undefined]);
    const sure = await this.#tried(
      session,
      async () => void (await this.#sidecar.client.call('code.removeFile', { session: session.id, id })),
    );
    session.ids.delete(name);
    if (sure) session.files.set(name, [undefined]);
  }

  async #state(session: ModelSession): Promise<void> {
    const [sure, ...others] = session.variables;
    const input = { session: session.id };
    if (session.saved !== undefined && this.#random.below(2) === 0) {
      const { bytes, variables } = session.saved;
      this.#note(`${session.id} put state ${JSON.stringify(variables)}`);
      session.variables = unique([...session.variables, variables]);
      if (await this.#tried(session, async () => void (await this.#sidecar.client.upload('code.putState', input, bytes))))
        session.variables = [variables];
      return;
    }
    if (sure === undefined || others.length > 0 || this.#random.below(3) === 0) {
      this.#note(`${session.id} remove state`);
      session.variables = unique([...session.variables, undefined]);
      if (await this.#tried(session, async () => void (await this.#sidecar.client.call('code.removeState', input))))
        session.variables = [undefined];
      return;
    }
    await this.#tried(session, async () => {
      session.saved = { bytes: await this.#bytes('code.getState', input), variables: sure };
    });
  }

  /** Python and JavaScript in one session, of which either may come first. */
  async #bothAtOnce(session: ModelSession): Promise<void> {
    this.#note(`${session.id} both at once`);
    const of = (language: KeepingLanguage): Promise<Seen> =>
      this.#run(session, { language, code: fileProgram(language, [], 'ok', true), keepState: true }, 'ok');
    const after = unique([
      ...this.#counted(session, 'py'),
      ...this.#counted(session, 'js'),
      ...(['py', 'js'] as const).map((language) => ({ language, count: 1 })),
    ]);
    session.variables = unique([...session.variables, ...after]);
    await this.#tried(session, async () => {
      for (const { out } of await Promise.all([of('py'), of('js')])) if (!session.isClosed) assert.match(out, /^<\d+><done>$/);
      session.variables = after;
    });
  }

  async #settleOne(session: ModelSession): Promise<void> {
    await session.turn;
    const { client } = this.#sidecar;
    const list = [
      'import os, json',
      'seen = {}',
      'for at, _, names in os.walk("."):',
      '  for name in names:',
      '    path = os.path.relpath(os.path.join(at, name), ".")',
      '    if not os.path.islink(path) and at + name not in (".code.py", ".source_code.py"): seen[path] = open(path).read()',
      'print(json.dumps(seen))',
    ].join('\n');
    const { out, end } = await this.#run(session, { language: 'py', code: list, keepState: false }, 'ok');
    const there = JSON.parse(out) as Record<string, string>;
    for (const { name } of end?.files ?? [])
      assert.ok(session.loose.has(name), `a run that wrote nothing tells of ${JSON.stringify(name)}`);
    for (const name of new Set([...session.files.keys(), ...Object.keys(there)])) {
      const contents = session.files.get(name) ?? [undefined];
      assert.ok(
        contents.includes(there[name]),
        `${session.id}: ${JSON.stringify(name)} is ${there[name]} and may be ${JSON.stringify(contents)}`,
      );
      session.files.set(name, [there[name]]);
    }
    const info = await client.call('code.session', { session: session.id });
    assert.equal(info.files.length, Object.keys(there).length, 'each file once');
    assert.deepEqual(
      Object.fromEntries(info.files.map(({ name, sha256: hash }) => [name, hash])),
      Object.fromEntries(Object.entries(there).map(([name, text]) => [name, sha256(text)])),
    );
    for (const { name, id } of info.files) {
      if (!session.loose.has(name) && session.ids.has(name)) assert.equal(id, session.ids.get(name), `the id of ${JSON.stringify(name)}`);
      assert.equal((await this.#bytes('code.getFile', { session: session.id, id })).toString(), there[name]);
    }
    session.ids = new Map(info.files.map(({ name, id }) => [name, id]));
    session.loose.clear();
    if (!session.variables.includes(undefined)) assert.notEqual(info.state, null, 'the variables');
    if (session.variables.every((one) => one === undefined)) assert.equal(info.state, null);
  }

  async #bytes(name: 'code.getFile' | 'code.getState', input: object): Promise<Buffer> {
    const response = await fetch(`${this.#sidecar.url}/api/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#sidecar.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    assert.equal(response.status, 200, name);
    return Buffer.from(await response.arrayBuffer());
  }

  #note(what: string): void {
    this.#history.push(what);
  }
}

/** Of the files that are named, what they may hold then. */
function afterAll(files: ReadonlyMap<string, readonly Content[]>, does: readonly Does[]): Map<string, Content[]> {
  const now = new Map<string, Content[]>();
  const of = (name: string): Content[] => now.get(name) ?? [...(files.get(name) ?? [undefined])];
  for (const one of does) {
    if (one.kind === 'write') now.set(one.name, [one.text]);
    if (one.kind === 'append')
      now.set(
        one.name,
        of(one.name).map((content) => (content ?? '') + one.text),
      );
    if (one.kind === 'remove') now.set(one.name, [undefined]);
    if (one.kind !== 'rename' || one.name === one.to) continue;
    const moved = of(one.name);
    const others = moved.includes(undefined) ? of(one.to) : [];
    now.set(one.to, unique([...moved.filter((content) => content !== undefined), ...others]));
    now.set(one.name, [undefined]);
  }
  return now;
}

/** What a file may hold while such a program is at its work: a write begins with an empty file. */
function betweenOf(before: ReadonlyMap<string, readonly Content[]>, does: readonly Does[], name: string): Content[] {
  return ['', ...does.flatMap((_, count) => afterAll(before, does.slice(0, count + 1)).get(name) ?? [])];
}

function unique<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one) ?? '', one])).values()];
}

function escaped(text: string): string {
  return text.replace(/[[\]\\^$.*+?(){}|]/g, '\\$&');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
