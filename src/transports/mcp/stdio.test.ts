// What the official client does not do: messages by hand, on a workspace that answers when the test wants.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Dispatch, DispatchRequest } from '../../contract/dispatch.ts';
import { operations } from '../../contract/operations.ts';
import { serveMcpStdio } from './stdio.ts';

interface Line {
  id?: string;
  method?: string;
  params?: { uri?: string };
  error?: { message: string };
}

interface Asked {
  id: string;
  method: string;
  params: object;
}

interface Wire {
  send(...messages: object[]): void;
  lines: Line[];
  /** Sends a request and resolves with its answer, or with the acknowledgement of a `subscriptions/listen`. */
  ask(message: Asked): Promise<Line>;
  /** Tells that a file changed, and resolves when the news of it have gone out. */
  change(path: string): Promise<void>;
  /** Calls of `files.stat` so far. */
  asked: DispatchRequest[];
  /** While it is set, `files.stat` waits for it. */
  hold: Promise<void> | undefined;
  /** Ends the input, with something after the last line. */
  end(rest: string): void;
  output: PassThrough;
  close(): Promise<void>;
  closed: Promise<void>;
}

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
};
const uri = (path: string): string => `workspace:///${path}`;
const listen = (id: string, ...paths: string[]): Asked => ({
  id,
  method: 'subscriptions/listen',
  params: { _meta, notifications: { resourceSubscriptions: paths.map(uri) } },
});
const cancel = (requestId: string): object => ({ method: 'notifications/cancelled', params: { _meta, requestId } });
const list = (id: string): Asked => ({ id, method: 'tools/list', params: { _meta } });
const updates = (lines: readonly Line[]): (string | undefined)[] =>
  lines.flatMap(({ method, params }) => (method === 'notifications/resources/updated' ? [params?.uri] : []));

async function withWire(run: (wire: Wire) => Promise<void>, options: { drainMs?: number } = {}): Promise<void> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let emit: ((item: unknown) => unknown) | undefined;
  const dispatch: Dispatch = async (request) => {
    if (request.name === 'files.stat') {
      wire.asked.push(request);
      await wire.hold;
      request.signal.throwIfAborted();
      return { output: {} };
    }
    assert.equal(request.name, 'changes.watch');
    emit = request.emit;
    void emit?.({ type: 'ready', cursor: 'e-0' });
    return new Promise((_resolve, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)));
  };
  const connection = serveMcpStdio(
    { dispatch, table: operations, caller: { id: 'host', name: 'host', kind: 'agent', access: 'admin' }, input, output },
    { version: '1.0.0', feed: { maxFollowed: 3, everyMs: 5, againAfterMs: 5 }, ...options },
  );
  let rest = '';
  output.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    wire.lines.push(...parts.map((part) => JSON.parse(part) as Line));
  });
  const wire: Wire = {
    send: (...messages) => void input.write(messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('')),
    lines: [],
    async ask(message) {
      const from = wire.lines.length;
      wire.send(message);
      const answer = (): Line | undefined =>
        wire.lines.slice(from).find(({ id, method }) => id === message.id || method === 'notifications/subscriptions/acknowledged');
      await eventually(() => answer() !== undefined);
      return answer() as Line;
    },
    async change(path) {
      const item = { type: 'change', revision: 1, cursor: 'e-1', path, kind: 'file', what: 'changed', before: null, after: null };
      void emit?.({ ...item, cause: { kind: 'outside' }, at: 0 });
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
    asked: [],
    hold: undefined,
    end: (rest) => void input.end(rest),
    output,
    close: connection.close,
    closed: connection.closed,
  };
  try {
    await run(wire);
  } finally {
    output.resume();
    await connection.close();
  }
}

describe('a request to listen', () => {
  test('as the first message of a connection is followed', async () => {
    await withWire(async ({ ask, change, lines }) => {
      assert.equal((await ask(listen('L', 'a'))).error, undefined);
      await change('a');
      assert.deepEqual(updates(lines), [uri('a')]);
    });
  });

  test('as the first message is refused by the word of the workspace', async () => {
    await withWire(async ({ ask }) => {
      assert.match((await ask(listen('L', 'a', 'b', 'c', 'd'))).error?.message ?? '', /TOO_MANY/);
      assert.equal((await ask(list('T'))).error, undefined);
    });
  });

  test('that is canceled before it is acknowledged is neither acknowledged nor followed', async () => {
    await withWire(async (wire) => {
      await wire.ask(list('T'));
      const held = Promise.withResolvers<void>();
      wire.hold = held.promise;
      wire.send(listen('L', 'a'), cancel('L'));
      await eventually(() => wire.asked.length === 1);
      assert.equal(wire.asked[0]?.signal.aborted, true);
      held.resolve();
      wire.hold = undefined;
      await wire.ask(listen('other', 'b'));
      await wire.change('a');
      await wire.change('b');
      assert.deepEqual(updates(wire.lines), [uri('b')]);
      assert.deepEqual(
        wire.lines.flatMap(({ id, method }) => (id === undefined || id === 'T' ? [] : [[id, method]])),
        [],
      );
    });
  });

  test('that has ended follows nothing any more, so that its place is free; what another one follows stays followed', async () => {
    await withWire(async ({ send, ask, change, lines }) => {
      await ask(list('T'));
      assert.equal((await ask(listen('stays', 'both'))).error, undefined);
      for (let n = 0; n < 10; n++) {
        assert.equal((await ask(listen(`n${n}`, `${n}`, 'both'))).error, undefined);
        send(cancel(`n${n}`));
      }
      await change('both');
      await change('9');
      assert.deepEqual(updates(lines), [uri('both')]);
    });
  });

  test('that the protocol refuses follows nothing', async () => {
    await withWire(async ({ ask }) => {
      await ask(list('T'));
      for (let n = 0; n < 10; n++) {
        const { error } = await ask({ ...listen(`n${n}`), params: { notifications: { resourceSubscriptions: [uri(`${n}`)] } } });
        assert.match(error?.message ?? '', /envelope/);
      }
      assert.equal((await ask(listen('L', 'a', 'b', 'c'))).error, undefined);
    });
  });

  test('that has the same resource a thousand times over looks for it once; for too many resources it looks for none', async () => {
    await withWire(async ({ ask, asked }) => {
      assert.equal((await ask(listen('same', ...Array.from({ length: 1000 }, () => 'a')))).error, undefined);
      assert.equal(asked.length, 1);
      assert.match((await ask(listen('many', 'a', 'b', 'c', 'd'))).error?.message ?? '', /TOO_MANY/);
      assert.equal(asked.length, 1);
    });
  });
});

describe('at the end of the input', () => {
  const stat = (id: string): object => ({ id, method: 'tools/call', params: { _meta, name: 'files_stat', arguments: { path: 'a' } } });
  const isClosed = ({ closed }: Wire): (() => boolean) => {
    let over = false;
    void closed.then(() => (over = true));
    return () => over;
  };

  test('what is asked by then is answered, a last line without a line break as well', async () => {
    await withWire(async (wire) => {
      await wire.ask(list('T'));
      const over = isClosed(wire);
      const held = Promise.withResolvers<void>();
      wire.hold = held.promise;
      wire.send(stat('with'));
      wire.end(JSON.stringify({ jsonrpc: '2.0', ...stat('without') }));
      await eventually(() => wire.asked.length === 2);
      assert.equal(over(), false);
      held.resolve();
      await wire.closed;
      assert.deepEqual(
        wire.lines.map(({ id, error }) => [id, error]),
        ['T', 'with', 'without'].map((id) => [id, undefined]),
      );
    });
  });

  test('what was cut off is refused, and what is listened to keeps it from nothing', async () => {
    await withWire(async (wire) => {
      await wire.ask(listen('L', 'a'));
      wire.end('{"jsonrpc":"2.0","id":"cut');
      await wire.closed;
      assert.equal(wire.lines.at(-1)?.error?.message, 'Parse error: Invalid JSON');
    });
  });

  test('a call that takes longer is aborted', async () => {
    await withWire(
      async (wire) => {
        await wire.ask(list('T'));
        wire.hold = new Promise(() => {});
        wire.send(stat('long'));
        await eventually(() => wire.asked.length === 1);
        wire.end('');
        await wire.closed;
        assert.equal(wire.asked[0]?.signal.aborted, true);
      },
      { drainMs: 50 },
    );
  });

  test('a call that was canceled is not waited for', async () => {
    await withWire(
      async (wire) => {
        await wire.ask(list('T'));
        wire.hold = new Promise(() => {});
        wire.send(stat('long'), cancel('long'));
        await eventually(() => wire.asked.length === 1);
        const over = isClosed(wire);
        wire.end('');
        await eventually(over, 20_000);
      },
      { drainMs: 60_000 },
    );
  });
});

test('a connection with a subscription is closed though nothing of it is read', async () => {
  await withWire(async ({ ask, output, close, closed }) => {
    await ask(listen('L', 'a'));
    output.removeAllListeners('data').pause();
    while (output.write(' '.repeat(10_000)));
    let over = false;
    void close()
      .then(() => closed)
      .then(() => (over = true));
    await eventually(() => over, 5000);
  });
});
