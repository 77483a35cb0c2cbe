import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import { hashSecret, newSecret } from './secrets.ts';

/** While one secret is replaced by another, both hold. */
const MAX_SECRETS = 2;

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
}

interface SecretRow {
  agent: string;
  hash: string;
  used: number;
}

/** Which agents there are and which secrets are theirs; of secrets only hashes are kept. Changes are on the disk when a method returns. */
export class AgentRegistry {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #statements = new Map<string, StatementSync>();

  /** `file`: `:memory:`, or an absolute path. */
  constructor({ file, now }: { file: string; now: () => number }) {
    this.#now = now;
    this.#database = new DatabaseSync(file);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS agents(id TEXT PRIMARY KEY, name TEXT NOT NULL, capabilities TEXT NOT NULL, created INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS secrets(hash TEXT PRIMARY KEY, agent TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL);
      CREATE INDEX IF NOT EXISTS secrets_of ON secrets(agent);
      CREATE TABLE IF NOT EXISTS enrolments(hash TEXT PRIMARY KEY, agent TEXT, expires INTEGER NOT NULL);`);
  }

  /** A token with which one agent, or this one alone, registers itself, once. */
  enrol(agent: string | undefined, expires: number): string {
    const token = newSecret('enrol');
    this.#sql('DELETE FROM enrolments WHERE expires <= ?').run(this.#now());
    this.#sql('INSERT INTO enrolments(hash, agent, expires) VALUES(?, ?, ?)').run(hashSecret(token), agent ?? null, expires);
    return token;
  }

  /** Spends an enrolment token. Throws BAD_TOKEN, ALREADY_THERE. */
  enrolled(token: string, agent: string): string {
    const row = this.#sql('SELECT agent, expires FROM enrolments WHERE hash = ?').get(hashSecret(token)) as
      | { agent: string | null; expires: number }
      | undefined;
    if (row === undefined || row.expires <= this.#now() || (row.agent !== null && row.agent !== agent))
      throw new OutriggerError('BAD_TOKEN', 'That enrolment token does not hold, or is for another agent.');
    const secret = this.register(agent);
    this.#sql('DELETE FROM enrolments WHERE hash = ?').run(hashSecret(token));
    return secret;
  }

  /** Makes an agent known; gives its secret. Throws ALREADY_THERE. */
  register(agent: string): string {
    if (this.#secretsOf(agent).length > 0) throw new OutriggerError('ALREADY_THERE', `There is an agent ${agent} already.`);
    const secret = newSecret(agent);
    this.#sql('INSERT INTO agents(id, name, capabilities, created) VALUES(?, ?, ?, ?) ON CONFLICT(id) DO NOTHING').run(
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

  /** An agent came with this secret, which is its own: older ones end, and what it says of itself is kept. */
  arrived(agent: string, secret: string, name: string, capabilities: readonly string[]): void {
    const hash = hashSecret(secret);
    const mine = this.#secretsOf(agent).find((row) => row.hash === hash);
    if (mine?.used === 0) {
      this.#sql('UPDATE secrets SET used = 1 WHERE hash = ?').run(hash);
      this.#sql('DELETE FROM secrets WHERE agent = ? AND hash <> ? AND used = 1').run(agent, hash);
    }
    this.#sql('UPDATE agents SET name = ?1, capabilities = ?2 WHERE id = ?3 AND (name <> ?1 OR capabilities <> ?2)').run(
      name,
      JSON.stringify(capabilities),
      agent,
    );
  }

  /** Another secret, which holds beside the present one until it was used. Throws NOT_FOUND. */
  rotate(agent: string): string {
    const rows = this.#secretsOf(agent);
    if (rows.length === 0) throw new OutriggerError('NOT_FOUND', `There is no agent ${agent} with a secret.`);
    // One that was never used is replaced itself.
    if (rows.length >= MAX_SECRETS) this.#sql('DELETE FROM secrets WHERE agent = ? AND used = 0').run(agent);
    const secret = newSecret(agent);
    this.#addSecret(agent, secret);
    return secret;
  }

  /** Ends all secrets of an agent; how many there were. Throws NOT_FOUND. */
  revoke(agent: string): number {
    if (this.get(agent) === undefined) throw new OutriggerError('NOT_FOUND', `There is no agent ${agent}.`);
    return Number(this.#sql('DELETE FROM secrets WHERE agent = ?').run(agent).changes);
  }

  get(agent: string): KnownAgent | undefined {
    const row = this.#sql('SELECT * FROM agents WHERE id = ?').get(agent) as AgentRow | undefined;
    return row === undefined ? undefined : this.#known(row);
  }

  list(): KnownAgent[] {
    return (this.#sql('SELECT * FROM agents ORDER BY id').all() as unknown as AgentRow[]).map((row) => this.#known(row));
  }

  close(): void {
    this.#database.close();
  }

  #known(row: AgentRow): KnownAgent {
    return {
      id: row.id,
      name: row.name,
      capabilities: JSON.parse(row.capabilities) as string[],
      createdAt: row.created,
      secrets: this.#secretsOf(row.id).length,
    };
  }

  #secretsOf(agent: string): SecretRow[] {
    return this.#sql('SELECT agent, hash, used FROM secrets WHERE agent = ?').all(agent) as unknown as SecretRow[];
  }

  #addSecret(agent: string, secret: string): void {
    this.#sql('INSERT INTO secrets(hash, agent, created, used) VALUES(?, ?, ?, 0)').run(hashSecret(secret), agent, this.#now());
  }

  /** Made once each: to prepare one takes longer than to run it. */
  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) this.#statements.set(text, (statement = this.#database.prepare(text)));
    return statement;
  }
}
