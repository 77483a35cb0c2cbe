import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/options.ts';

type Parsed<T> =
  | { success: true; data: T }
  | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };

/** An option that holds settings by name, checked. Of one that is empty, as it is by default, no schema is made. Throws ConfigError. */
export function namedSettings<T>(
  config: Config,
  option: 'processes.agents' | 'deploy.profiles' | 'code.rollout',
  schema: () => { safeParse(value: unknown): Parsed<Record<string, T>> },
): Record<string, T> {
  const given: object = config[option];
  if (!Array.isArray(given) && Object.keys(given).length === 0) return {};
  const parsed = schema().safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConfigError([`${option}: ${issue?.path.join('.')}: ${issue?.message}`]);
}
