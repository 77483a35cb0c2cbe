// The ways by which the callers of the model ask: each gives an answer in the same shape.
import { createClient } from '../../src/client/client.ts';
import { type ErrorReason, errorTable, OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { gathered } from './parity.ts';
import { type Expected, type ModelCall, readingCalls } from './workspace-model-answers.ts';

type Fields = Record<string, unknown>;

export interface Outcome {
  fields?: Fields;
  bytes?: Buffer;
  items?: Fields[];
  reason?: string;
  message?: string;
  /** Of a wire that tells no reason. */
  status?: number;
}

export interface Way {
  name: string;
  /** Who asks. */
  who: string;
  takes(call: ModelCall): boolean;
  ask(call: ModelCall): Promise<Outcome>;
}

export interface Ways {
  all: Way[];
  close(): void;
}

const json = { 'content-type': 'application/json' };

/** Percent-encoded; a slash is one or is encoded as well. */
function encoded(path: string): string {
  const slash = path.length % 3 === 0 ? '%2F' : '/';
  return path.split('/').map(encodeURIComponent).join(slash);
}

/** A URL says no path that has to be made plain first. */
function isPlain(path: string): boolean {
  return path !== '' && !path.includes('\0') && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}

function queryOf(input: object): string {
  return new URLSearchParams(Object.entries(input).map(([key, value]) => [key, String(value)])).toString();
}

function outcomeOfItems(answer: Fields): Outcome {
  const { items, ...fields } = answer;
  return items === undefined ? { fields } : { fields, items: items as Fields[] };
}

/** All ways of one caller. */
export function openWays(url: string, token: string, who: string): Ways {
  const client = createClient<Operations>({ url, token });
  const send = (
    method: string,
    target: string,
    headers: Record<string, string> = {},
    body?: string | Buffer | FormData,
  ): Promise<Response> =>
    fetch(url + target, {
      ...{ method, ...(body === undefined ? {} : { body: body as string }) },
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
  const refusal = async (response: Response): Promise<Outcome> => {
    const { reason, message } = (await response.json()) as { reason: string; message: string };
    if (errorTable[reason as ErrorReason]?.status !== response.status) throw new Error(`${reason} has the status ${response.status}`);
    return { reason, message };
  };
  const answer = async (response: Response): Promise<Outcome> =>
    response.ok ? outcomeOfItems((await response.json()) as Fields) : refusal(response);
  const named = async (response: Response): Promise<Outcome> => {
    if (!response.ok && response.status !== 304) return refusal(response);
    const fields = JSON.parse(decodeURIComponent(response.headers.get('outrigger-output') ?? '')) as Fields;
    return { fields, bytes: Buffer.from(await response.arrayBuffer()) };
  };

  const all: Way[] = [
    { name: 'RPC', who, takes: () => true, ask: (call) => quietly(() => overRpc(call)) },
    {
      name: 'POST',
      who,
      takes: () => true,
      async ask(call) {
        if (call.name === 'files.upload')
          return answer(
            await send('POST', `/api/files.upload?${queryOf(call.input)}`, { 'content-type': 'application/octet-stream' }, call.bytes),
          );
        const response = await send('POST', `/api/${call.name}`, json, JSON.stringify(call.input));
        return call.name === 'files.download' ? named(response) : answer(response);
      },
    },
    {
      name: 'GET',
      who,
      takes: ({ name }) => readingCalls.includes(name),
      async ask(call) {
        const response = await send('GET', `/api/${call.name}?${queryOf(call.input)}`);
        return call.name === 'files.download' ? named(response) : answer(response);
      },
    },
    { name: 'REST', who, takes: takesRest, ask: overRest },
    { name: 'Platxa', who, takes: takesPlatxa, ask: overPlatxa },
  ];

  async function overRpc(call: ModelCall): Promise<Outcome> {
    if (call.name === 'files.upload') return { fields: (await client.upload(call.name, call.input, call.bytes)) as Fields };
    if (call.name !== 'files.download') return outcomeOfItems((await client.call(call.name, call.input as never)) as Fields);
    const { output, bytes } = await client.download(call.name, call.input);
    return { fields: output as Fields, bytes: Buffer.from(await gathered(bytes)) };
  }

  async function overRest(call: ModelCall): Promise<Outcome> {
    switch (call.name) {
      case 'files.download': {
        const { path, range, ...conditions } = call.input;
        const headers = { ...headersOf(conditions), ...(range === undefined ? {} : { range }) };
        const response = await send('GET', `/api/files/${encoded(path)}`, headers);
        if (!response.ok && response.status !== 304) return refusal(response);
        const bytes = Buffer.from(await response.arrayBuffer());
        const notModified = response.status === 304;
        const contentRange = response.headers.get('content-range') ?? undefined;
        return { fields: { etag: response.headers.get('etag'), notModified, partial: response.status === 206, contentRange }, bytes };
      }
      case 'files.upload': {
        const { path, ifMatch, ifNoneMatch, ...rest } = call.input;
        const target = `/api/files/${encoded(path)}?${queryOf(rest)}`;
        const response = await send('PUT', target, headersOf({ ifMatch, ifNoneMatch }), call.bytes);
        const { fields, ...more } = await answer(response);
        if (fields === undefined) return more;
        const isAsTold = fields['created'] === (response.status === 201) && response.headers.get('etag') === fields['etag'];
        return isAsTold ? { fields } : { reason: `status ${response.status} and ETag ${response.headers.get('etag')}` };
      }
      case 'files.remove': {
        const { path, ifMatch, ...rest } = call.input;
        return answer(await send('DELETE', `/api/files/${encoded(path)}?${queryOf(rest)}`, headersOf({ ifMatch })));
      }
      default:
        throw new Error(call.name);
    }
  }

  async function overPlatxa(call: ModelCall): Promise<Outcome> {
    const target = `/files/${encoded('path' in call.input ? (call.input.path ?? '') : '')}`;
    if (call.name === 'files.list') {
      const response = await send('GET', '/files');
      const { files } = (await response.json()) as { files: string[] };
      return { items: files.map((path) => ({ path })) };
    }
    const response = await platxa(call, target);
    const etag = response.headers.get('etag') ?? undefined;
    const told = (await response.json()) as { content?: string; size?: number; error?: string };
    if (!response.ok) return { status: response.status, message: told.error ?? '' };
    if (call.name === 'files.remove') return {};
    if (call.name === 'files.upload') return { fields: { etag, size: told.size } };
    if (call.name === 'files.write') return { fields: { etag } };
    const bom = told.content?.startsWith('\ufeff') === true ? true : undefined;
    return { fields: { etag, text: bom === true ? told.content?.slice(1) : told.content, bom } };
  }

  function platxa(call: ModelCall, target: string): Promise<Response> {
    switch (call.name) {
      case 'files.read':
        return send('GET', target);
      case 'files.write':
        return send('PUT', target, { ...json, ...headersOf(call.input) }, JSON.stringify({ content: call.input.text }));
      case 'files.remove':
        return send('DELETE', target, headersOf(call.input));
      case 'files.upload': {
        const form = new FormData();
        form.append('file', new Blob([Uint8Array.from(call.bytes)]), 'upload');
        return send('POST', `${target}/upload`, headersOf(call.input), form);
      }
      default:
        throw new Error(call.name);
    }
  }

  return { all, close: () => client.close() };
}

const headerOf: Readonly<Record<string, string>> = {
  ifMatch: 'if-match',
  ifNoneMatch: 'if-none-match',
  ifModifiedSince: 'if-modified-since',
  ifUnmodifiedSince: 'if-unmodified-since',
  ifRange: 'if-range',
};

function headersOf(input: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([key, value]) =>
      headerOf[key] === undefined || value === undefined ? [] : [[headerOf[key], String(value)]],
    ),
  );
}

function takesRest(call: ModelCall): boolean {
  return (call.name === 'files.download' || call.name === 'files.upload' || call.name === 'files.remove') && isPlain(call.input.path);
}

/** What the shapes of Platxa can say. */
function takesPlatxa(call: ModelCall): boolean {
  const has = (...fields: string[]): boolean => fields.some((field) => (call.input as Fields)[field] !== undefined);
  switch (call.name) {
    case 'files.list':
      return call.input.path === '' && call.input.recursive === true && !has('limit');
    case 'files.read':
      return isPlain(call.input.path) && !has('startLine', 'endLine', 'head', 'tail', 'source');
    case 'files.write':
      return isPlain(call.input.path) && !has('parents', 'mode', 'durability');
    case 'files.remove':
      return isPlain(call.input.path) && !has('recursive', 'missingOk');
    case 'files.upload':
      // Into a folder a file goes under its own name, and where that leads the model does not ask.
      return isPlain(call.input.path) && !has('parents', 'mode', 'durability') && call.bytes.length % 2 === 0;
    default:
      return false;
  }
}

async function quietly(run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    return { reason: error.reason, message: error.message };
  }
}

/** How an outcome differs from what is expected; undefined where it does not. */
export function differenceOf(expected: Expected, outcome: Outcome): string | undefined {
  const { reasons } = expected;
  if (reasons !== undefined) {
    const statuses: number[] = reasons.map((one) => (one === 'BAD_PATH' || one === 'PATH_ESCAPES' ? 403 : errorTable[one].status));
    if (outcome.status !== undefined)
      return statuses.includes(outcome.status) ? undefined : `status ${outcome.status}, not ${reasons.join(' or ')}`;
    if (outcome.reason === undefined) return `it was done, and not refused with ${reasons.join(' or ')}`;
    return (reasons as readonly string[]).includes(outcome.reason) ? undefined : `${outcome.reason}, not ${reasons.join(' or ')}`;
  }
  if (outcome.reason !== undefined || outcome.status !== undefined)
    return `refused with ${outcome.reason ?? outcome.status} (${outcome.message}), and nothing was in the way`;
  return (
    fieldsDiffer(expected.fields ?? {}, outcome.fields ?? {}, outcome.fields !== undefined) ??
    (expected.bytes !== undefined && outcome.bytes?.equals(expected.bytes) !== true ? 'other bytes' : undefined) ??
    itemsDiffer(expected, outcome)
  );
}

function itemsDiffer({ items, fields }: Expected, outcome: Outcome): string | undefined {
  if (items === undefined) return undefined;
  const found = new Map((outcome.items ?? []).map((item) => [item['path'], item]));
  if (found.size !== outcome.items?.length) return 'an entry is listed twice';
  const isCut = fields?.['truncated'] === true;
  if (found.size !== (isCut ? fields?.['count'] : items.length))
    return `${found.size} entries instead of ${items.length}: ${[...found.keys()].join(', ')}`;
  for (const item of items) {
    const other = found.get(item['path']);
    if (other === undefined && isCut) continue;
    if (other === undefined) return `${String(item['path'])} is not listed`;
    const wrong = 'kind' in other ? fieldsDiffer(item, other, true) : undefined;
    if (wrong !== undefined) return `${String(item['path'])}: ${wrong}`;
  }
  return undefined;
}

/** Fields that a wire does not tell are passed over, unless `isWhole`. */
function fieldsDiffer(wanted: Fields, found: Fields, isWhole: boolean): string | undefined {
  for (const [key, value] of Object.entries(wanted)) {
    if (key === 'atMost') {
      const copied = found['copied'] as number;
      if (!(copied >= 0 && copied <= (value as number) + 8)) return `copied is ${copied}, not about ${String(value)}`;
      continue;
    }
    if (!isWhole || (!(key in found) && value !== undefined && !isFull(found))) continue;
    const other = found[key];
    if (Array.isArray(value)) {
      for (const [at, one] of value.entries()) {
        const wrong = fieldsDiffer(one as Fields, ((other as Fields[] | undefined) ?? [])[at] ?? {}, true);
        if (wrong !== undefined) return `${key} ${at}: ${wrong}`;
      }
    } else if (typeof value === 'object' && value !== null) {
      const wrong = fieldsDiffer(value as Fields, (other ?? {}) as Fields, true);
      if (wrong !== undefined) return `${key}: ${wrong}`;
    } else if (other !== value) return `${key} is ${JSON.stringify(other)}, not ${JSON.stringify(value)}`;
  }
  return undefined;
}

/** An answer of an operation has its path; what REST and Platxa tell in headers has not. */
function isFull(found: Fields): boolean {
  return 'path' in found || 'revision' in found || 'op' in found;
}
