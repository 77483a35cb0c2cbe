// A limited caller asks two sidecars the same, by chance and by every way. What lies outside of his paths differs, and is changed all the time by others:
// he must hear the same from both, and nothing out there may change by what he does.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { AccessLevel } from '../../src/contract/access.ts';
import type { Client } from '../../src/client/client.ts';
import { operations, type OperationName, type Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { asked, type Asking, askingOf, LAST_CURSOR, otherNames, wholeNames } from './limited-calls.ts';
import { links, outsideOf, PREFIXES, privateMessage, privateName, putAt, type Side, withSides } from './limited-world.ts';
import { type LimitedWays, openWays, type Outcome } from './limited-ways.ts';
import { Random } from './random.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';

/** What may differ between any two sidecars, and why it says nothing of what a caller may not see. */
const passing: Readonly<Record<string, string>> = {
  revision:
    'One counter for the folder (ARCHITECTURE.md, "One writer, one revision"): that something changed somewhere is told, not what or where.',
  cursor: 'The same counter, with the epoch of the journal.',
  at: 'A clock.',
  modified: 'A clock.',
  created: 'A clock.',
  startedAt: 'A clock.',
  uptimeMs: 'A clock.',
  elapsedMs: 'A clock.',
  lastModified: 'A clock.',
  memoryBytes: 'Of the process.',
  connections: 'Of the process, in system.health; of documents it is compared as the number of people.',
  id: 'Made at random: of tokens, workspaces and requests.',
  requestId: 'Made at random.',
  request_id: 'Made at random.',
  client: 'Of Yjs, made at random.',
  'last-modified': 'A clock.',
  'x-revision': 'As `revision`.',
  'x-cursor': 'As `cursor`.',
  tried: 'How long attempts took, in code.isolation.',
  why: 'The same.',
  rss: 'As memoryBytes.',
  uptime: 'A clock.',
  root: 'Where the folder is on this machine, for admins.',
  state: 'How far the index is when it is asked; of documents, whether the disk has it already.',
};

export interface ModelCounts {
  calls: number;
  answered: number;
  refused: number;
  feedItems: number;
  documents: number;
  byOperation: Map<OperationName, number>;
}

export const modelCounts = (): ModelCounts => ({ calls: 0, answered: 0, refused: 0, feedItems: 0, documents: 0, byOperation: new Map() });

/** The paths of the caller, and one by which the model sees that the feeds have caught up. */
const PATHS = [...PREFIXES, 'mark'];
const SEGMENT = 25;
const SYMBOLS_WITHIN_MS = 5000;

export async function runLimitedCaller(seed: number, steps: number, counts: ModelCounts): Promise<void> {
  const random = new Random(seed);
  const access = random.of<AccessLevel>(['read', 'write', 'write', 'execute', 'admin']);
  const caller = { access, paths: PATHS };
  await withSides(caller, { A: new Random(seed + 1), B: new Random(seed + 7919) }, async (sides) => {
    const ways = await Promise.all(sides.map((side) => openWays(side, caller)));
    const model = new LimitedCallerModel(random, access, sides, ways as [LimitedWays, LimitedWays], counts);
    try {
      await model.run(steps);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}, a caller with ${access}:\n${told}\n\nwhat was done:\n${model.trace.slice(-60).join('\n')}`, {
        cause: error,
      });
    } finally {
      await model.close();
      for (const one of ways) await one.close();
    }
  });
}

/** What was typed has come to the sidecar; where it does not within a moment, it never will. */
async function hasCome(client: Client<Operations>, path: string, text: string): Promise<void> {
  const read = async (): Promise<string> => (await client.call('files.read', { path }).catch(() => ({ text: '' }))).text;
  await eventually(async () => (await read()).includes(text), 1000).catch(() => undefined);
}

class LimitedCallerModel {
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #sides: [Side, Side];
  readonly #ways: [LimitedWays, LimitedWays];
  readonly #counts: ModelCounts;
  readonly #asking: Asking;
  readonly #access: AccessLevel;
  readonly #cursors = new Map<Side, string>();
  readonly #commits = new Map<Side, Map<string, string>>();
  /** Names of documents that were told of by the feed. */
  readonly #documents: Set<string>[] = [new Set(), new Set()];
  readonly #resources: Set<string>[] = [new Set(), new Set()];
  /** Others in documents, by side. */
  readonly #people: YjsClient[] = [];
  #marks = 0;
  /** Puts a prefix back that others took away. */
  #back: (() => Promise<void>) | undefined;

  constructor(random: Random, access: AccessLevel, sides: [Side, Side], ways: [LimitedWays, LimitedWays], counts: ModelCounts) {
    this.#access = access;
    this.#random = random;
    this.#sides = sides;
    this.#ways = ways;
    this.#counts = counts;
    this.#asking = askingOf(random);
    for (const side of sides) this.#readCommits(side);
  }

  async run(steps: number): Promise<void> {
    await this.#settle();
    for (let step = 0; step < steps; step++) {
      const kind = this.#random.below(20);
      if (kind < 3) await this.#others();
      else if (kind < 6) await this.#elsewhere();
      else if (kind === 6) await this.#document();
      else if (kind === 7) await this.#otherShapes();
      else await this.#call();
      if (step % SEGMENT === SEGMENT - 1) await this.#compareFeeds();
    }
    await this.#compareFeeds();
    await eventually(() => this.#compareNames());
  }

  async close(): Promise<void> {
    for (const person of this.#people) person.destroy();
    await this.#back?.();
  }

  // ── what the limited caller does

  async #call(): Promise<void> {
    const name = this.#random.of(this.#random.below(8) === 0 ? wholeNames : otherNames);
    const input = asked[name]?.(this.#asking) ?? {};
    const able = [0, 1, 2, 3, 4].filter((at) => this.#ways[0].ways[at]?.takes(name) === true);
    const at = this.#random.of(able);
    const way = this.#ways[0].ways[at]?.name;
    const answers = await this.#both(`${name} over ${way} ${JSON.stringify(input)}`, async (side, ways) => {
      const own = JSON.parse(JSON.stringify(input).replaceAll(`"${LAST_CURSOR}"`, JSON.stringify(this.#cursors.get(side) ?? ''))) as {
        cursor?: string;
      };
      if (own.cursor === '') delete own.cursor;
      const answer = (): Promise<Outcome> => (ways.ways[at] as LimitedWays['ways'][number]).ask(name, own);
      let said = await answer();
      const deadline = performance.now() + SYMBOLS_WITHIN_MS;
      while (JSON.stringify(said).includes('"complete":false') && performance.now() < deadline) said = await answer();
      return said;
    });
    // What git did in the folder is told when the watch has seen it: before what comes next.
    if (name === 'git.restore' || name === 'git.clone') await this.#settle();
    this.#counts.byOperation.set(name, (this.#counts.byOperation.get(name) ?? 0) + 1);
    const told = JSON.stringify(answers[0]);
    const isRefused = /"reason":"(?:OUT_OF_SCOPE|ACCESS_DENIED|PART_OFF)"/.test(told);
    if (isRefused) this.#counts.refused++;
    else this.#counts.answered++;
    if (operations[name].scope === 'workspace') assert.ok(isRefused, `${name} of the whole workspace is refused: ${told}`);
  }

  /** The same on both sides; what is told is compared, and that nothing outside changed. */
  async #both(what: string, run: (side: Side, ways: LimitedWays) => Promise<unknown>): Promise<unknown[]> {
    this.trace.push(what);
    this.#counts.calls++;
    const before = this.#sides.map((side) => outsideOf(side, PATHS));
    const answers = await Promise.all(this.#sides.map((side, at) => run(side, this.#ways[at] as LimitedWays)));
    for (const [at, side] of this.#sides.entries()) {
      const after = outsideOf(side, PATHS);
      const news = [
        ...after.filter((line) => before[at]?.includes(line) !== true),
        ...(before[at] ?? []).filter((line) => !after.includes(line)).map((line) => `- ${line}`),
      ];
      assert.equal(news.join('\n'), '', `outside, on side ${side.name}, after ${what}`);
    }
    const plain = answers.map((answer, at) => this.#plain(this.#sides[at] as Side, answer));
    for (const [at, answer] of answers.entries()) this.#keepCursor(this.#sides[at] as Side, answer);
    this.#same(plain, `what is told of ${what}`);
    return plain;
  }

  /** The shapes of other programs, and routes that are no operation's name. */
  async #otherShapes(): Promise<void> {
    const target = encodeURI(this.#asking.path()).replaceAll('#', '%23').replaceAll('?', '%3F');
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ content: this.#asking.text() });
    const form = { 'content-type': 'multipart/form-data; boundary=x' };
    const part = `--x\r\ncontent-disposition: form-data; name="file"; filename="${this.#random.of(['up.txt', '../up.txt', 'a.txt'])}"\r\n\r\nneedle\n\r\n--x--\r\n`;
    const shapes: [method: string, target: string, body?: string | undefined, headers?: Record<string, string>][] = [
      ...([
        ['GET', '/files'],
        ['GET', '/git/status'],
        ['GET', '/git/log'],
        ['GET', '/git/diff'],
        ['GET', '/health'],
        ['GET', '/ready'],
      ] as [string, string][]),
      ...([
        ['GET', `/files/${target}`],
        ['DELETE', `/files/${target}`],
        ['GET', `/git/diff?path=${target}`],
        ['GET', `/api/files/${target}`],
      ] as [string, string][]),
      ['HEAD', `/api/files/${target}`],
      ['GET', `/api/files/${target}`, undefined, { 'if-none-match': '*' }],
      ['PUT', `/files/${target}`, body, json],
      ['PUT', `/api/files/${target}`, 'put needle\n', { 'content-type': 'application/octet-stream' }],
      ['DELETE', `/api/files/${target}`],
      ['POST', `/files/${target}/upload`, part, form],
      ['POST', '/git/commit', JSON.stringify({ message: 'x' }), json],
      ['POST', '/v1/exec', JSON.stringify({ lang: 'bash', code: 'touch priv/touched' }), json],
      ['GET', '/v1/files/AAAAAAAAAAAAAAAAAAAAA'],
      ['GET', '/api/openapi.json'],
      ['GET', '/readyz'],
      ['GET', '/healthz'],
      ['GET', '/metrics'],
      ['GET', '/version'],
    ];
    const which = this.#random.below(shapes.length + 3);
    const shape = shapes[which];
    if (shape !== undefined) {
      await this.#both(shape.join(' '), (_side, ways) => ways.http(...shape));
      return;
    }
    const uri = `workspace:///${target}`;
    await this.#both(`resources of MCP, ${uri}`, async (_side, { mcp }) => {
      const said = (run: Promise<unknown>): Promise<unknown> =>
        run.catch((error: Error & { code?: unknown }) => ({ code: error.code, message: error.message }));
      if (which === shapes.length) return said(mcp.listResources());
      if (which === shapes.length + 1) return said(mcp.listTools().then(({ tools }) => tools.map(({ name }) => name)));
      return said(mcp.readResource({ uri }));
    });
  }

  /** A document by y-websocket. */
  async #document(): Promise<void> {
    this.#counts.documents++;
    const room = this.#random.below(3) === 0 ? this.#asking.path() : this.#asking.own();
    if (room === '' || room.includes('\0')) return;
    const word = `typed${this.#counts.documents} `;
    await this.#both(`the document ${JSON.stringify(room)}, ${word}`, async (side) => {
      const person = openYjsClient(side.running.url, { token: side.token, room });
      try {
        await eventually(() => person.provider.synced || person.closes.length > 0, 10_000);
        if (!person.provider.synced) return { closed: person.closes[0] };
        const before = person.text.toString();
        person.text.insert(0, word);
        if (this.#access !== 'read') await hasCome(side.running.client, room, word);
        const names = [...person.provider.awareness.getStates().values()]
          .map((state) => (state as { user?: { name?: string } }).user?.name ?? '')
          .sort();
        return { before, names };
      } finally {
        person.destroy();
        await side.running.client.call('documents.flush', {});
      }
    });
    await this.#settle();
  }

  // ── what others do

  /** Within the prefixes and over their border: on both sides what a limited caller can't tell apart. */
  async #others(): Promise<void> {
    const number = this.#random.below(1000);
    const own = this.#random.of(['pub/a.txt', 'pub/made.txt', 'pub/sub/d.txt', 'later/first', 'own/deep/x.txt']);
    const text = this.#asking.text();
    const link = this.#random.of([...Object.values(links), '../own', 'sub']);
    const doIt = this.#random.of<[string, (side: Side) => Promise<unknown> | void]>([
      [`others write ${own}`, ({ running }) => running.client.call('files.write', { path: own, text, parents: true })],
      [`a program writes ${own}`, ({ root }) => putAt(root, own, text)],
      [`a program removes ${own}`, ({ root }) => fs.rmSync(path.join(root, own), { force: true, recursive: true })],
      [
        `pub/swap becomes a link to ${link}`,
        ({ root }) => {
          fs.rmSync(path.join(root, 'pub/swap'), { force: true, recursive: true });
          fs.symlinkSync(link, path.join(root, 'pub/swap'));
        },
      ],
      [
        'pub/swap becomes a folder',
        ({ root }) => {
          fs.rmSync(path.join(root, 'pub/swap'), { force: true, recursive: true });
          putAt(root, 'pub/swap/target.txt', 'own needle\n');
        },
      ],
      [
        'a file comes to pub/border.txt from elsewhere',
        async ({ running, random }) => {
          const from = `priv/${privateName(random)}`;
          await running.client.call('files.write', { path: from, text: `border needle ${number}\n`, parents: true });
          await running.client.call('files.remove', { path: 'pub/border.txt', missingOk: true, recursive: true });
          await running.client.call('files.move', { from, to: 'pub/border.txt', parents: true });
        },
      ],
      [
        'pub/border.txt goes elsewhere',
        async ({ running, random }) => {
          await running.client.call('files.move', {
            from: 'pub/border.txt',
            to: `priv/${privateName(random)}/${privateName(random)}`,
            parents: true,
          });
        },
      ],
      [
        'later is made again',
        ({ root }) => {
          fs.rmSync(path.join(root, 'later'), { force: true, recursive: true });
          if (number % 2 === 0) putAt(root, 'later/first', `first ${number}\n`);
          else putAt(root, 'later', 'a file\n');
        },
      ],
      ['something is committed elsewhere', (side) => this.#commitElsewhere(side)],
      [`${own} is committed, below another name of a branch`, (side) => this.#commitOwn(side, own, number)],
      [`a merge ${number % 2 === 0 ? 'begins' : 'is over'}`, (side) => this.#merge(side, number % 2 === 0)],
      [`somebody types in ${own}`, (side) => this.#typeInside(side, own, number)],
    ]);
    if (this.#random.below(8) === 0) {
      await this.#movePrefix(this.#random.of(['pub', 'own', 'own/deep', 'pub/sub']));
      return;
    }
    await this.#eachSide(...doIt);
  }

  async #eachSide(what: string, run: (side: Side) => Promise<unknown> | void): Promise<void> {
    this.trace.push(what);
    const ends = await Promise.all(
      this.#sides.map(async (side) => {
        try {
          await run(side);
          return 'done';
        } catch (error) {
          return String(error);
        }
      }),
    );
    // What others meet there they meet on both sides.
    if ((ends[0] === 'done') !== (ends[1] === 'done')) assert.deepEqual(ends[1], ends[0], what);
    await this.#settle();
  }

  /** A prefix, or a folder above it, is somewhere else for some calls, and comes back. */
  async #movePrefix(prefix: string): Promise<void> {
    const places = new Map(this.#sides.map((side) => [side, `gone-${privateName(side.random)}`]));
    const placeOf = (side: Side): string => places.get(side) ?? '';
    const byProgram = this.#random.below(2) === 0;
    const move = (from: (side: Side) => string, to: (side: Side) => string): Promise<void> =>
      this.#eachSide(`${prefix} is moved ${byProgram ? 'by a program' : 'by a call'}`, (side) => {
        if (byProgram) fs.renameSync(path.join(side.root, from(side)), path.join(side.root, to(side)));
        else return side.running.client.call('files.move', { from: from(side), to: to(side) });
      });
    const own = (): string => prefix;
    if (!this.#sides.every(({ root }) => fs.existsSync(path.join(root, prefix)))) return;
    await move(own, placeOf);
    this.#back = async () => {
      this.#back = undefined;
      if (this.#sides.some(({ root }) => fs.existsSync(path.join(root, prefix))))
        await this.#eachSide(`${prefix} is removed`, ({ root }) => fs.rmSync(path.join(root, prefix), { recursive: true, force: true }));
      await move(placeOf, own);
    };
    for (let calls = this.#random.below(5); calls > 0; calls--) await this.#call();
    await this.#back();
  }

  /** Outside of the prefixes each side does what it likes. */
  async #elsewhere(): Promise<void> {
    for (const side of this.#sides) {
      const { running, root, random } = side;
      const { client } = running;
      const name = `priv/${privateName(random)}`;
      const there = fs.readdirSync(path.join(root, 'priv')).filter((one) => one.startsWith('n'));
      const some = there[random.below(Math.max(1, there.length))];
      const at = some === undefined ? name : `priv/${some}`;
      const ways: [string, () => unknown][] = [
        [
          'write',
          () => client.call('files.write', { path: name, text: `needle ${side.name} ${random.below(1e6)}\n`.repeat(1 + random.below(50)) }),
        ],
        ['write by a program', () => putAt(root, `${name}/in/a/folder.txt`, 'needle\n')],
        ['remove', () => fs.rmSync(path.join(root, at), { recursive: true, force: true })],
        ['move', () => client.call('files.move', { from: at, to: name })],
        [
          'target',
          () =>
            fs.existsSync(path.join(root, 'priv/target.txt'))
              ? fs.rmSync(path.join(root, 'priv/target.txt'))
              : putAt(root, 'priv/target.txt', 'secret needle\n'),
        ],
        [
          'only',
          () =>
            fs.existsSync(path.join(root, 'priv/only'))
              ? fs.rmSync(path.join(root, 'priv/only'), { recursive: true })
              : putAt(root, 'priv/only/deeper/key', 'secret\n'),
        ],
        [
          'link',
          () => {
            fs.rmSync(path.join(root, 'priv/link'), { force: true });
            const target = random.of(['/etc/hostname', 'target.txt', 'link', '../own/none/x', '']);
            if (target !== '') fs.symlinkSync(target, path.join(root, 'priv/link'));
          },
        ],
        ['link to us', () => fs.symlinkSync('../pub/sub', path.join(root, name))],
        ['mode', () => fs.chmodSync(path.join(root, 'priv'), random.of([0o755, 0o700, 0o750]))],
        ['document', () => this.#typeElsewhere(side, `${name}.txt`)],
        ['checkpoint', () => client.call('checkpoints.create', { title: privateName(random) })],
        ['program', () => client.call('processes.run', { argv: ['true'] })],
        ['token', () => client.call('tokens.create', { name: privateName(random), access: 'read' })],
        ['stage', () => side.git('add', 'priv')],
        ['code', () => putAt(root, `${name}.ts`, `export class ${side.name}${random.below(1000)} {}\n`)],
      ];
      const [what, run] = random.of(ways);
      this.trace.push(`elsewhere on ${side.name}: ${what} ${name} ${at}`);
      try {
        await run();
      } catch {
        // What is not there, or is there already.
      }
    }
    await this.#settle();
  }

  async #typeElsewhere({ random, running: { url, client, token } }: Side, room: string): Promise<void> {
    const person = openYjsClient(url, { token, room, name: 'somebody' });
    this.#people.push(person);
    await person.synced();
    const word = `needle ${random.below(1e6)} `;
    person.text.insert(0, word);
    await hasCome(client, room, word);
    await client.call('documents.flush', {});
    if (this.#people.length > 6) this.#people.shift()?.destroy();
  }

  async #typeInside({ running: { url, client, token } }: Side, room: string, number: number): Promise<void> {
    const person = openYjsClient(url, { token, room, name: 'somebody' });
    try {
      await eventually(() => person.provider.synced || person.closes.length > 0, 10_000);
      person.text.insert(0, `by others ${number} `);
      await hasCome(client, room, `by others ${number} `);
      await client.call('documents.flush', {});
    } finally {
      person.destroy();
    }
  }

  /** A commit that touches nothing of the caller's: of it he hears no more than the hash. */
  #commitElsewhere(side: Side): void {
    const name = `priv/${privateName(side.random)}.txt`;
    putAt(side.root, name, 'needle\n'.repeat(1 + side.random.below(9)));
    side.git('add', name);
    const author = `--author=${side.name} <${privateName(side.random)}@example.org>`;
    side.git('commit', '-q', '-m', privateMessage(side.name, side.random), author, '--only', '--', name);
    this.#readCommits(side);
  }

  /** Of one that touches them he hears all but the branches and tags that name it. */
  #commitOwn(side: Side, own: string, number: number): void {
    side.git('commit', '-q', '-m', `commit ${number}`, '--only', '--', own);
    side.git('branch', privateName(side.random));
    this.#readCommits(side);
  }

  /** As git writes it down: what is merged has a name, and its conflicts may lie elsewhere. */
  #merge(side: Side, begins: boolean): void {
    const files = ['MERGE_HEAD', 'MERGE_MSG'].map((name) => path.join(side.root, '.git', name));
    for (const file of files) fs.rmSync(file, { force: true });
    if (!begins) return;
    const name = privateName(side.random);
    const texts = [side.git('rev-parse', 'HEAD~1'), `Merge branch '${name}'\n\n# Conflicts:\n#\tpriv/${name}\n`];
    for (const [at, file] of files.entries()) fs.writeFileSync(file, texts[at] ?? '');
  }

  #readCommits(side: Side): void {
    const all = side.git('rev-list', '--topo-order', '--reverse', 'HEAD').trim().split('\n');
    this.#commits.set(side, new Map(all.map((hash, at) => [hash, `commit ${at}`])));
  }

  /** Both sidecars know of all that was done. */
  async #settle(): Promise<void> {
    await Promise.all(
      this.#sides.map(async ({ running: { client } }) => {
        await client.call('documents.flush', {});
        await client.call('index.wait', { timeoutMs: 20_000 });
      }),
    );
  }

  // ── what is compared

  async #compareFeeds(): Promise<void> {
    await this.#settle();
    const mark = `mark ${++this.#marks}\n`;
    await Promise.all(this.#sides.map(({ running }) => running.client.call('files.write', { path: 'mark', text: mark })));
    const heard = await Promise.all(
      this.#ways.map(async ({ heard: feeds }) => {
        for (const name of ['RPC', 'SSE', 'platxa']) {
          const isThere = (item: unknown): boolean => (item as { path?: string }).path === 'mark';
          await eventually(() => assert.ok(feeds.get(name)?.some(isThere), `the feed ${name} has the mark`));
        }
        return new Map([...feeds].map(([name, items]) => [name, items.splice(0)]));
      }),
    );
    for (const name of ['RPC', 'SSE', 'platxa']) {
      const told = heard.map((feeds, at) => this.#plain(this.#sides[at] as Side, feeds.get(name)));
      this.#counts.feedItems += (told[0] as unknown[]).length;
      this.#same(told, `what the feed ${name} told`);
    }
    for (const [at, feeds] of heard.entries()) for (const uri of feeds.get('MCP') as string[]) this.#resources[at]?.add(uri);
    for (const [at, feeds] of heard.entries()) this.#hearDocuments(at, feeds.get('documents') ?? []);
  }

  #hearDocuments(at: number, items: readonly unknown[]): void {
    for (const { changed, closed } of items as { changed: { path: string }[]; closed: string[] }[])
      for (const name of [...changed.map((info) => info.path), ...closed]) {
        assert.ok(
          PATHS.some((prefix) => name === prefix || name.startsWith(`${prefix}/`)),
          `a document of elsewhere is told of: ${name}`,
        );
        this.#documents[at]?.add(name);
      }
  }

  #same([a, b]: readonly unknown[], what: string): void {
    if (JSON.stringify(a) !== JSON.stringify(b)) assert.fail(`${what}\nA ${JSON.stringify(a)}\nB ${JSON.stringify(b)}`);
  }

  /** Of what is told together within a time, each thing once, the names are compared at the end. */
  #compareNames(): void {
    for (const [at, { heard }] of this.#ways.entries()) {
      for (const uri of heard.get('MCP')?.splice(0) ?? []) this.#resources[at]?.add(uri as string);
      this.#hearDocuments(at, heard.get('documents')?.splice(0) ?? []);
    }
    const sorted = (names: readonly Set<string>[]): string[][] => names.map((one) => [...one].sort());
    for (const [what, names] of [
      ['documents', this.#documents],
      ['resources', this.#resources],
    ] as const) {
      const [a, b] = sorted(names);
      assert.deepEqual(b, a, `${what} that a feed told of`);
    }
  }

  #keepCursor(side: Side, answer: unknown): void {
    const cursor = /"cursor":"([^"]+)"/.exec(JSON.stringify(answer))?.[1];
    if (cursor !== undefined) this.#cursors.set(side, cursor);
  }

  #plain(side: Side, value: unknown): unknown {
    const commits = this.#commits.get(side);
    const text = JSON.stringify(value ?? null, (key, part: unknown) => {
      if (Object.hasOwn(passing, key) && typeof part !== 'object') return typeof part;
      return Array.isArray(part) && part.every((one) => typeof (one as { path?: unknown } | null)?.path === 'string')
        ? part.toSorted((one: { path: string }, other: { path: string }) => (one.path < other.path ? -1 : 1))
        : part;
    });
    return JSON.parse(text.replace(/\b[0-9a-f]{40}\b/g, (hash) => commits?.get(hash) ?? hash)) as unknown;
  }
}
