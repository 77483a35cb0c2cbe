import type * as z from 'zod';
import type { AccessLevel, Caller } from './access.ts';
import type { ErrorReason } from './errors.ts';
import { once } from './once.ts';
import type { ByteChannel } from './wire.ts';

/**
 * How plain HTTP shows an operation beside `POST /api/{operation}`. Data only, so that no transport names an operation.
 * `{path}` in the route takes the rest of the URL, slashes included.
 */
export interface HttpHint {
  /** e.g. `GET /files/{path}`, below /api. */
  route: string;
  /** Request header → input field. */
  request?: Readonly<Record<string, string>>;
  /** Output field → response header; the fields listed here are not repeated in a body of bytes. */
  response?: Readonly<Record<string, string>>;
  /** Output flag → status, when the flag is true. */
  status?: Readonly<Record<string, number>>;
}

/** Which paths a call touches, for callers whose token is limited to some paths. */
export type Scope =
  /** These input fields hold paths (a string or an array of strings; `a.*.b` is b of each in the list a, where it has one); dispatch checks them. */
  | { fields: readonly string[] }
  /** The implementation leaves out what the caller may not see (`call.visible`). */
  | 'filtered'
  /** Touches no file. */
  | 'none'
  /** Touches the whole workspace: refused to callers limited to some paths. */
  | 'workspace';

export interface Operation<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  S extends z.ZodType | undefined = z.ZodType | undefined,
  B extends boolean | undefined = boolean | undefined,
> {
  summary: string;
  access: AccessLevel;
  scope: Scope;
  /** With the scope `workspace`: fields that hold paths, as in a scope. What lies there may be kept from the caller; of a folder the implementation leaves it out. */
  paths?: readonly string[];
  input: I;
  /** The answer; with `bytes` or `item` it comes beside or after them. */
  output: O;
  /** Present when items are streamed before the answer. */
  item?: S;
  /** The field of its items that holds values by their mime types, those of images as base64: for who shows them. */
  byType?: string;
  /** The stream ends only when the caller goes: it can't be gathered into one answer. */
  endless?: boolean;
  /** The caller sends a stream of bytes (`call.body`). */
  body?: 'bytes';
  /** The answer is accompanied by a stream of bytes. */
  bytes?: B;
  /** Reasons beyond those that any call can meet. */
  errors: readonly ErrorReason[];
  http?: HttpHint;
  /** Destroys or overwrites what can't be made again by another call (shown to agents). */
  destructive?: boolean;
}

/** A capability: operations by name. The sidecar and the hub each have a table of them. */
export type Table = Readonly<Record<string, Operation>>;

/** An operation as it is written down: its schemas are made when they are first asked for. */
export type Definition<I extends z.ZodType, O extends z.ZodType, S extends z.ZodType | undefined, B extends boolean | undefined> = Omit<
  Operation<I, O, S, B>,
  'input' | 'output' | 'item'
> & { input: () => I; output: () => O; item?: () => S };

/** Throws TypeError where a schema is given itself, and not the function that makes it. */
export function operation<
  I extends z.ZodType,
  O extends z.ZodType,
  S extends z.ZodType | undefined = undefined,
  B extends boolean | undefined = undefined,
>({ input, output, item, ...rest }: Definition<I, O, S, B>): Operation<I, O, S, B> {
  for (const [name, make] of Object.entries({ input, output, item }))
    if (make !== undefined && typeof make !== 'function')
      throw new TypeError(`The ${name} of an operation is a function that makes its schema: ${name}: () => z.object({…})`);
  const schemas = { input: once(input), output: once(output), ...(item === undefined ? {} : { item: once(item) }) };
  const properties = Object.entries(schemas).map(([name, get]) => [name, { get, enumerable: true }]);
  return Object.defineProperties(rest, Object.fromEntries(properties) as PropertyDescriptorMap) as Operation<I, O, S, B>;
}

/** What a client may give; defaults may be left out. */
export type Asked<Op extends Operation> = z.input<Op['input']>;
export type Input<Op extends Operation> = z.output<Op['input']>;
export type Output<Op extends Operation> = z.output<Op['output']>;
export type Item<Op extends Operation> = NonNullable<Op['item']> extends z.ZodType ? z.output<NonNullable<Op['item']>> : never;
/** The output; where the operation streams, with its items, all at once. */
export type Answer<Op extends Operation> = [Item<Op>] extends [never] ? Output<Op> : Output<Op> & { items: Item<Op>[] };

/** What an implementation gets besides its input. */
export interface Call<ItemType = unknown> {
  /** Aborted on cancel, lost caller, deadline, revoked token and shutdown; its reason is an OutriggerError. */
  readonly signal: AbortSignal;
  readonly caller: Caller;
  readonly requestId: string;
  /** Streams one item; resolves when the caller has room for more. Rejects when the call is aborted. */
  emit(item: ItemType): Promise<void> | void;
  /** The bytes that the caller sends; empty when it sends none. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The socket to attach a document to, when the transport has one. */
  readonly channel: ByteChannel | undefined;
  /** Whether the caller's scopes reach this path. */
  visible(path: string): boolean;
  /** The same of a path that leads to `place` when links are followed: both have to be reached. */
  visibleAt(path: string, place: string): boolean;
  /** Whether the caller's scopes lead to this place, in which no link is. */
  reaches(place: string): boolean;
  /**
   * Throws OUT_OF_SCOPE where a path of the input leads out of the caller's paths by now, which a folder that was moved meanwhile can do. For who opens
   * something after it has waited, in the turn in which it was opened.
   */
  confirmScope(): void;
}

/** What an operation with `bytes` answers: the facts first, then the bytes, pulled at the caller's pace. */
export interface WithBytes<Head> {
  head: Head;
  bytes: AsyncIterable<Uint8Array>;
}

export type Implementation<Op extends Operation> = (
  input: Input<Op>,
  call: Call<Item<Op>>,
) => true extends Op['bytes'] ? Promise<WithBytes<Output<Op>>> | WithBytes<Output<Op>> : Promise<Output<Op>> | Output<Op>;

export type Implementations<T extends Table> = { [K in keyof T]: Implementation<T[K]> };
