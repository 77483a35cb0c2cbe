import type { Dispatch } from '../../src/contract/dispatch.ts';
import type { WireError } from '../../src/contract/errors.ts';
import type { Caller } from '../../src/contract/access.ts';
import type { Peer } from '../../src/core/peer.ts';

export interface Options {
  signal?: AbortSignal;
}

/** One way of reaching operations. What it answers must be what every other one answers. */
export interface Driver {
  name: string;
  /** The whole answer; streamed items gathered in it. */
  call(name: string, input: object, options?: Options): Promise<unknown>;
  /** Items as they come, then the answer. */
  stream(name: string, input: object, options?: Options): { items: AsyncIterable<unknown>; end: Promise<unknown> };
  upload(name: string, input: object, bytes: AsyncIterable<Uint8Array>, options?: Options): Promise<unknown>;
  download(name: string, input: object, options?: Options): Promise<{ output: unknown; bytes: Uint8Array }>;
}

export async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

/** A driver over one end of an RPC connection. */
export function peerDriver(name: string, peer: Pick<Peer<WireError>, 'call'>): Driver {
  return {
    name,
    call: (method, input, options = {}) => peer.call(method, input, options).result,
    stream(method, input, options = {}) {
      const call = peer.call(method, input, { stream: true, ...options });
      return { items: call.items, end: call.result };
    },
    upload: (method, input, body, options = {}) => peer.call(method, input, { body, ...options }).result,
    async download(method, input, options = {}) {
      const call = peer.call(method, input, { stream: true, ...options });
      const bytes = await gathered(call.bytes);
      return { output: await call.result, bytes };
    },
  };
}

/** A driver that calls dispatch in the same process. */
export function dispatchDriver(dispatch: Dispatch, caller: Caller): Driver {
  let count = 0;
  const request = (name: string, input: object, options: Options) => ({
    name,
    input,
    caller,
    transport: 'process',
    requestId: `process.${++count}`,
    signal: options.signal ?? new AbortController().signal,
  });
  return {
    name: 'in process',
    async call(name, input, options = {}) {
      const { output, items } = await dispatch(request(name, input, options));
      return items === undefined ? output : { ...(output as object), items };
    },
    stream(name, input, options = {}) {
      const controller = new AbortController();
      options.signal?.addEventListener('abort', () => controller.abort(options.signal?.reason), { once: true });
      const held: unknown[] = [];
      let wake: () => void = () => undefined;
      let over = false;
      const answer = dispatch({
        ...request(name, input, { signal: controller.signal }),
        emit: (item) => {
          held.push(item);
          wake();
          // One item at a time: the reader sets the pace.
          return new Promise((resolve) => setImmediate(resolve));
        },
      });
      const end = answer.then(({ output }) => output);
      end
        .catch(() => undefined)
        .finally(() => {
          over = true;
          wake();
        });
      async function* items(): AsyncGenerator<unknown, void> {
        try {
          for (;;) {
            while (held.length > 0) yield held.shift();
            if (over) break;
            await new Promise<void>((resolve) => (wake = resolve));
          }
          await end;
        } finally {
          controller.abort();
        }
      }
      return { items: items(), end };
    },
    upload: async (name, input, body, options = {}) => (await dispatch({ ...request(name, input, options), body })).output,
    async download(name, input, options = {}) {
      const { output, bytes } = await dispatch(request(name, input, options));
      return { output, bytes: bytes === undefined ? new Uint8Array(0) : await gathered(bytes) };
    },
  };
}
