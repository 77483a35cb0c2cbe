import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { getEventListeners } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { AccessLevel, Caller } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Implementations } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import type { State } from '../services/state/state.ts';

const MAX_TOKENS = 1000;
const TOKEN_FILE = 'token';
/** A timer does not count while the machine sleeps, nor what the clock is set: an end is looked at again after so long. */
const LOOK_AGAIN_MS = 30_000;
/** So long, a token that ended is told from one that never was. */
const KEEP_ENDED_MS = 86_400_000;
const MAIN_ID = 'main';

type TokenKind = 'person' | 'agent' | 'service';

interface TokenRow {
  id: string;
  name: string;
  kind: TokenKind;
  access: AccessLevel;
  paths: string | null;
  hash: string;
  created: number;
  expires: number | null;
  revoked: number;
}

interface Live {
  caller: Caller;
  ended: AbortController;
  timer: NodeJS.Timeout | undefined;
}

export interface CallersOptions {
  /** Set by configuration; else one is made and kept with the state. */
  token: string | undefined;
  owner: string;
}

/**
 * Who holds which token. The main token gives everything; others are made with a level, paths and an end, and only their
 * hashes are kept. A caller carries a signal that is aborted when its token ends, so that whatever it opened is closed.
 */
export class Callers {
  readonly #state: State;
  readonly #now: () => number;
  readonly #owner: string;
  readonly #given: boolean;
  #mainToken: string;
  readonly #live = new Map<string, Live>();
  readonly #cookieKey: string;

  constructor(dependencies: { state: State; now: () => number }, options: CallersOptions) {
    this.#state = dependencies.state;
    this.#now = dependencies.now;
    this.#owner = options.owner;
    this.#given = options.token !== undefined;
    this.#mainToken = options.token ?? mainTokenOf(this.#state);
    this.#cookieKey = this.#state.get('cookieKey') ?? randomBytes(32).toString('base64url');
    this.#state.set('cookieKey', this.#cookieKey);
  }

  /** True when configuration set the main token: whoever did knows it, and it is shown nowhere. */
  get tokenWasGiven(): boolean {
    return this.#given;
  }

  /** Shown once, at start and by `outrigger token`. */
  get mainToken(): string {
    return this.#mainToken;
  }

  /** The name of the page's cookie: workspaces on one host have one each. */
  get cookieName(): string {
    return `outrigger_${this.#state.id}`;
  }

  /** Throws NO_TOKEN, BAD_TOKEN, TOKEN_EXPIRED or TOKEN_REVOKED. */
  byToken(token: string | undefined): Caller {
    if (token === undefined || token === '') throw new OutriggerError('NO_TOKEN', 'This workspace needs a token.');
    if (sameSecret(token, this.#mainToken)) return this.#mainCaller();
    const row = this.#state.statement('SELECT * FROM tokens WHERE hash = ?').get(hashSecret(token)) as unknown as TokenRow | undefined;
    if (row === undefined) throw new OutriggerError('BAD_TOKEN', 'That token does not hold here.');
    return this.#callerOf(row);
  }

  /** The caller behind the page's cookie. Throws as byToken does. */
  byCookie(cookie: string): Caller {
    const [id = '', mac = ''] = cookie.split('.');
    const row = id === MAIN_ID ? undefined : this.#row(id);
    const secret = id === MAIN_ID ? hashSecret(this.#mainToken) : row?.hash;
    if (secret === undefined || !sameSecret(mac, this.#mac(id, secret)))
      throw new OutriggerError('BAD_TOKEN', 'The login of this page does not hold any more.');
    return row === undefined ? this.#mainCaller() : this.#callerOf(row);
  }

  /** The cookie for a token that holds; it ends with the token. */
  cookieFor(caller: Caller): string {
    const secret = caller.id === MAIN_ID ? hashSecret(this.#mainToken) : (this.#row(caller.id)?.hash ?? '');
    return `${caller.id}.${this.#mac(caller.id, secret)}`;
  }

  /** Makes a new main token; all who used the old one are cut, `by` after the answer. Fails when it was set by configuration. */
  rotate(by?: Caller): string {
    if (this.#given) throw new OutriggerError('BAD_INPUT', 'The token is set by configuration; change it there.');
    const token = newSecret();
    this.#state.writeFile(TOKEN_FILE, `${token}\n`);
    this.#mainToken = token;
    this.#end(MAIN_ID, new OutriggerError('TOKEN_REVOKED', 'The token was replaced.'), by);
    return this.#mainToken;
  }

  close(): void {
    for (const { timer } of this.#live.values()) clearTimeout(timer);
  }

  operations(): Pick<Implementations<typeof system>, 'tokens.create' | 'tokens.rotate' | 'tokens.list' | 'tokens.revoke'> {
    return {
      'tokens.create': (input) => {
        this.#forgetEnded();
        const { count } = this.#state.statement('SELECT count(*) AS count FROM tokens').get() as { count: number };
        if (count >= MAX_TOKENS)
          throw new OutriggerError(
            'TOO_MANY',
            `${MAX_TOKENS} tokens are kept already; revoke some: those that ended count for one more day.`,
          );
        const secret = newSecret();
        const created = this.#now();
        const row: TokenRow = {
          id: randomBytes(6).toString('hex'),
          name: input.name,
          kind: input.kind,
          access: input.access,
          paths: input.paths === undefined ? null : JSON.stringify(input.paths),
          hash: hashSecret(secret),
          created,
          expires: input.expiresInS === undefined ? null : created + input.expiresInS * 1000,
          revoked: 0,
        };
        this.#state
          .statement('INSERT INTO tokens(id, name, kind, access, paths, hash, created, expires, revoked) VALUES(?,?,?,?,?,?,?,?,0)')
          .run(row.id, row.name, row.kind, row.access, row.paths, row.hash, row.created, row.expires);
        return { ...shown(row), secret };
      },
      'tokens.rotate': (_input, call) => ({ secret: this.rotate(call.caller) }),
      'tokens.list': () => ({
        tokens: (this.#state.statement('SELECT * FROM tokens ORDER BY created').all() as unknown as TokenRow[]).map(shown),
      }),
      'tokens.revoke': ({ id }) => {
        const row = this.#row(id);
        if (row === undefined) throw new OutriggerError('NOT_FOUND', `There is no token ${JSON.stringify(id.slice(0, 40))}.`);
        const live = this.#live.get(id);
        // Whatever a token opened listens for its end.
        const connections = live === undefined ? 0 : getEventListeners(live.ended.signal, 'abort').length;
        this.#state.statement('UPDATE tokens SET revoked = 1, expires = min(coalesce(expires, ?1), ?1) WHERE id = ?2').run(this.#now(), id);
        this.#end(id, new OutriggerError('TOKEN_REVOKED', 'That token was revoked.'));
        return { revoked: row.revoked === 0, connections };
      },
    };
  }

  #forgetEnded(): void {
    this.#state.statement('DELETE FROM tokens WHERE expires < ?').run(this.#now() - KEEP_ENDED_MS);
  }

  #row(id: string): TokenRow | undefined {
    return this.#state.statement('SELECT * FROM tokens WHERE id = ?').get(id) as unknown as TokenRow | undefined;
  }

  #mainCaller(): Caller {
    return this.#liveCaller({ id: MAIN_ID, name: this.#owner, kind: 'person', access: 'admin', shared: true }, null);
  }

  #callerOf(row: TokenRow): Caller {
    if (row.revoked !== 0) throw new OutriggerError('TOKEN_REVOKED', 'That token was revoked.');
    if (row.expires !== null && row.expires <= this.#now()) throw new OutriggerError('TOKEN_EXPIRED', 'That token has run out.');
    const caller: Caller = { id: row.id, name: row.name, kind: row.kind, access: row.access };
    if (row.paths !== null) caller.paths = JSON.parse(row.paths) as string[];
    return this.#liveCaller(caller, row.expires);
  }

  #liveCaller(facts: Caller, expires: number | null): Caller {
    const known = this.#live.get(facts.id);
    if (known !== undefined) return known.caller;
    const ended = new AbortController();
    const live: Live = { caller: { ...facts, ended: ended.signal }, ended, timer: undefined };
    this.#live.set(facts.id, live);
    if (expires !== null) this.#endAt(facts.id, live, expires);
    return live.caller;
  }

  #endAt(id: string, live: Live, expires: number): void {
    const wait = expires - this.#now();
    if (wait <= 0) this.#end(id, new OutriggerError('TOKEN_EXPIRED', 'That token has run out.'));
    else live.timer = setTimeout(() => this.#endAt(id, live, expires), Math.min(wait, LOOK_AGAIN_MS)).unref();
  }

  /** Where who asked for it, `by`, is cut as well, that waits for the answer: nobody else is told the new token. */
  #end(id: string, reason: OutriggerError, by?: Caller): void {
    const live = this.#live.get(id);
    if (live === undefined) return;
    this.#live.delete(id);
    clearTimeout(live.timer);
    if (by?.id === id) setImmediate(() => live.ended.abort(reason));
    else live.ended.abort(reason);
  }

  #mac(id: string, secret: string): string {
    return createHmac('sha256', this.#cookieKey).update(`${id}\0${secret}`).digest('base64url');
  }
}

function shown(row: TokenRow): {
  id: string;
  name: string;
  kind: TokenKind;
  access: AccessLevel;
  paths?: string[];
  created: number;
  expires: number | null;
  revoked: boolean;
} {
  const { id, name, kind, access, created, expires } = row;
  const facts = { id, name, kind, access, created, expires, revoked: row.revoked !== 0 };
  return row.paths === null ? facts : { ...facts, paths: JSON.parse(row.paths) as string[] };
}

function newSecret(): string {
  return randomBytes(24).toString('base64url');
}

function hashSecret(secret: string): string {
  return hash('sha256', secret);
}

/** In constant time, whatever the lengths. */
function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
}

/** The token kept with the state, or undefined: read by the command line of the same user. */
export function readMainToken(folder: string): string | undefined {
  try {
    return fs.readFileSync(path.join(folder, TOKEN_FILE), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function mainTokenOf(state: State): string {
  // A second sidecar of the folder has a token of its own, for its own life.
  if (!state.writable) return newSecret();
  const kept = readMainToken(state.folder);
  if (kept !== undefined) return kept;
  const token = newSecret();
  state.writeFile(TOKEN_FILE, `${token}\n`);
  return token;
}
