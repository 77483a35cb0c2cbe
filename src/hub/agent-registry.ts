import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import { hubOperations } from '../contract/hub-operations.ts';
import { inTransaction } from '../core/transaction.ts';
import { hashSecret, newSecret } from './secrets.ts';

/**
 * While one secret is replaced by others, all hold that its agent may have: which of them it stored is known when it comes with one. Some more than
 * may be sent into a connection that is dead and not yet known to be.
 */
const MAX_SECRETS = 8;

export interface KnownAgent {
  id: string;
  name: string;
  capabilities: readonly string[];
  createdAt: number;
  /** How many of its secrets hold. */
  secrets: number;
}

interface AgentRow {
  id: string;
  name: string;
  capabilities: string;
  created: number;
  secrets: number;
}

const KNOWN = 'SELECT agents.*, (SELECT count(*) FROM secrets WHERE agent = agents.id) AS secrets FROM agents';

const SCHEMA_VERSION = 1;

/** How far a secret came, as the column `used` has it. */
const reached = { nobody: 0, used: 1, sent: 2 } as const;

interface SecretRow {
  hash: string;
  used: number;
}

/**
 * Which agents there are and which secrets are theirs; of secrets only hashes are kept. Changes are on the disk when a method returns; those that the disk
 * does not take throw STORAGE_FAILED. Whoever came with a secret hears from a signal that it holds no more.
 */
export class AgentRegistry {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #statements = new Map<string, StatementSync>();
  /** By its hash, for each secret that holds and that somebody came with. */
  readonly #ends = new Map<string, AbortController>();

  /** `file`: `:memory:`, or an absolute path. Throws STATE_TOO_NEW. */
  constructor({ file, now }: { file: string; now: () => number }) {
    this.#now = now;
    this.#database = new DatabaseSync(file);
    const { user_version: version } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > SCHEMA_VERSION) {
      this.#database.close();
      throw new OutriggerError('STATE_TOO_NEW', `${file} is of a newer version (schema ${version}); this one knows ${SCHEMA_VERSION}.`);
    }
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS agents(id TEXT PRIMARY KEY, name TEXT NOT NULL, capabilities TEXT NOT NULL, created INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS secrets(hash TEXT PRIMARY KEY, agent TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS secrets_of ON secrets(agent);
      CREATE TABLE IF NOT EXISTS enrolments(hash TEXT PRIMARY KEY, agent TEXT, expires INTEGER NOT NULL);
      PRAGMA user_version = ${SCHEMA_VERSION};`);
  }

  /** A token with which one agent, or this one alone, registers itself, once. */
  enrol(agent: string | undefined, expires: number): string {
    const token = newSecret('enrol');
    this.#write('DELETE FROM enrolments WHERE expires <= ?', this.#now());
    this.#write('INSERT INTO enrolments(hash, agent, expires) VALUES(?, ?, ?)', hashSecret(token), agent ?? null, expires);
    return token;
  }

  /** Spends an enrolment token. Throws BAD_TOKEN, and what `register` throws: the token can be used again then. */
  enrolled(token: string, agent: string): string {
    const row = this.#sql('SELECT agent, expires FROM enrolments WHERE hash = ?').get(hashSecret(token)) as
      | { agent: string | null; expires: number }
      | undefined;
    if (row === undefined || row.expires <= this.#now() || (row.agent !== null && row.agent !== agent))
      throw new OutriggerError('BAD_TOKEN', 'That enrolment token does not hold, or is for another agent.', {
        hint: '`outrigger hub enrol` prints a new one.',
      });
    return stored(() =>
      inTransaction(this.#database, () => {
        const secret = this.register(agent);
        this.#write('DELETE FROM enrolments WHERE hash = ?', hashSecret(token));
        return secret;
      }),
    );
  }

  /** Makes an agent known; gives its secret. Throws BAD_INPUT where that can be no agent's id, ALREADY_THERE. */
  register(agent: string): string {
    // With an id that operations don't take, it could never be revoked.
    const problem = hubOperations['agents.register'].input.safeParse({ agent }).error?.issues[0];
    if (problem !== undefined) throw new OutriggerError('BAD_INPUT', `That is no id of an agent: ${problem.message}.`);
    if (this.#secretsOf(agent).length > 0) throw new OutriggerError('ALREADY_THERE', `There is an agent ${agent} already.`);
    const secret = newSecret(agent);
    this.#write(
      'INSERT INTO agents(id, name, capabilities, created) VALUES(?, ?, ?, ?) ON CONFLICT(id) DO NOTHING',
      agent,
      agent,
      '[]',
      this.#now(),
    );
    this.#addSecret(agent, secret);
    return secret;
  }

  /** Who has this secret, or undefined. */
  ownerOf(secret: string): string | undefined {
    const row = this.#sql('SELECT agent FROM secrets WHERE hash = ?').get(hashSecret(secret)) as { agent: string } | undefined;
    return row?.agent;
  }

  /** Who has this secret; `ended` is aborted with TOKEN_REVOKED when it holds no more. Undefined where it does not hold. */
  holderOf(secret: string): { agent: string; ended: AbortSignal } | undefined {
    const agent = this.ownerOf(secret);
    if (agent === undefined) return undefined;
    const hash = hashSecret(secret);
    let end = this.#ends.get(hash);
    if (end === undefined) this.#ends.set(hash, (end = new AbortController()));
    return { agent, ended: end.signal };
  }

  /** An agent came with this secret, which is its own: older ones end, and what it says of itself is kept. */
  arrived(agent: string, secret: string, name: string, capabilities: readonly string[]): void {
    const hash = hashSecret(secret);
    const secrets = this.#secretsOf(agent);
    const mine = secrets.findIndex((row) => row.hash === hash);
    if (secrets[mine] !== undefined && secrets[mine].used !== reached.used) this.#reached(hash, reached.used);
    // Whether they were used or not: one that was never used may be in other hands.
    if (mine > 0) this.#end('agent = ? AND rowid < (SELECT rowid FROM secrets WHERE hash = ?)', agent, hash);
    this.#write(
      'UPDATE agents SET name = ?1, capabilities = ?2 WHERE id = ?3 AND (name <> ?1 OR capabilities <> ?2)',
      name,
      JSON.stringify(capabilities),
      agent,
    );
  }

  /** Another secret, which holds beside the present one until it was used. Throws NOT_FOUND. */
  rotate(agent: string): string {
    const [first, ...later] = this.#secretsOf(agent);
    if (first === undefined) throw new OutriggerError('NOT_FOUND', `There is no agent ${agent} with a secret.`);
    // One that was made later and sent to nobody is replaced itself. The first is the one that its agent began with.
    const sent = later.filter(({ used }) => used === reached.sent);
    const ends = [...later.filter(({ used }) => used === reached.nobody), ...sent.slice(0, Math.max(0, sent.length + 2 - MAX_SECRETS))];
    for (const { hash } of ends) this.#end('hash = ?', hash);
    const secret = newSecret(agent);
    this.#addSecret(agent, secret);
    return secret;
  }

  /** Whether the agent may have this secret of `rotate`, and have no other any more: only a newer one that it uses ends it. */
  sent(secret: string, isSent: boolean): void {
    this.#reached(hashSecret(secret), isSent ? reached.sent : reached.nobody);
  }

  /** Ends all secrets of an agent; how many there were. Throws NOT_FOUND. */
  revoke(agent: string): number {
    if (this.get(agent) === undefined) throw new OutriggerError('NOT_FOUND', `There is no agent ${agent}.`);
    return this.#end('agent = ?', agent);
  }

  get(agent: string): KnownAgent | undefined {
    const row = this.#sql(`${KNOWN} WHERE id = ?`).get(agent) as AgentRow | undefined;
    return row === undefined ? undefined : knownOf(row);
  }

  get count(): number {
    return (this.#sql('SELECT count(*) AS count FROM agents').get() as { count: number }).count;
  }

  /** By id: so many of those after one, or all. */
  list(after = '', limit = -1): KnownAgent[] {
    return (this.#sql(`${KNOWN} WHERE id > ? ORDER BY id LIMIT ?`).all(after, limit) as unknown as AgentRow[]).map(knownOf);
  }

  close(): void {
    this.#database.close();
  }

  /** The oldest first. */
  #secretsOf(agent: string): SecretRow[] {
    return this.#sql('SELECT hash, used FROM secrets WHERE agent = ? ORDER BY rowid').all(agent) as unknown as SecretRow[];
  }

  /** Ends those secrets, and tells whoever came with them; how many there were. */
  #end(which: string, ...values: string[]): number {
    const ended = stored(() => this.#sql(`DELETE FROM secrets WHERE ${which} RETURNING hash`).all(...values)) as unknown as {
      hash: string;
    }[];
    for (const { hash } of ended) {
      const end = this.#ends.get(hash);
      this.#ends.delete(hash);
      end?.abort(new OutriggerError('TOKEN_REVOKED', 'That secret holds no more.'));
    }
    return ended.length;
  }

  #addSecret(agent: string, secret: string): void {
    this.#write(
      'INSERT INTO secrets(hash, agent, created, used) VALUES(?, ?, ?, ?)',
      hashSecret(secret),
      agent,
      this.#now(),
      reached.nobody,
    );
  }

  /** What was used stays so. */
  #reached(hash: string, used: number): void {
    this.#write('UPDATE secrets SET used = ? WHERE hash = ? AND used <> ?', used, hash, reached.used);
  }

  #write(text: string, ...values: SQLInputValue[]): void {
    stored(() => this.#sql(text).run(...values));
  }

  /** Made once each: to prepare one takes longer than to run it. */
  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) this.#statements.set(text, (statement = this.#database.prepare(text)));
    return statement;
  }
}

function stored<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof OutriggerError) throw error;
    throw new OutriggerError('STORAGE_FAILED', `The agents could not be stored: ${(error as Error).message}`, { cause: error });
  }
}

function knownOf({ id, name, capabilities, created, secrets }: AgentRow): KnownAgent {
  return { id, name, capabilities: JSON.parse(capabilities) as string[], createdAt: created, secrets };
}
