import type { CodeLimits, EffectiveLimits } from '../../contract/code.ts';
import type { Language } from './languages.ts';

const KB = 1024;
const MB = 1024 * KB;

export const defaultLimits: EffectiveLimits = {
  wallMs: 30_000,
  cpuMs: 60_000,
  memoryBytes: 512 * MB,
  processes: 64,
  outputBytes: MB,
  fileBytes: 64 * MB,
  diskBytes: 256 * MB,
};

/** Less than this runs nothing at all. */
const least: EffectiveLimits = {
  wallMs: 100,
  cpuMs: 100,
  memoryBytes: 8 * MB,
  processes: 1,
  outputBytes: KB,
  fileBytes: 0,
  diskBytes: 64 * KB,
};

/** What is asked for, rounded down to whole numbers and brought into its bounds, and times the multipliers of the language; with a sentence for each that was changed. */
export function effectiveLimits(
  asked: { readonly [Name in keyof CodeLimits]?: number | undefined },
  language: Pick<Language, 'timeMultiplier' | 'memoryMultiplier'>,
  most: EffectiveLimits,
): { limits: EffectiveLimits; notes: string[] } {
  const notes: string[] = [];
  const limits = { ...defaultLimits };
  for (const name of Object.keys(defaultLimits) as (keyof EffectiveLimits)[]) {
    const wanted = asked[name] ?? Math.min(defaultLimits[name], most[name]);
    limits[name] = Math.min(Math.max(Math.floor(wanted), least[name]), most[name]);
    if (limits[name] !== wanted) notes.push(`The limit ${name} is ${limits[name]}: ${wanted} is out of bounds.`);
  }
  limits.wallMs = Math.round(limits.wallMs * language.timeMultiplier);
  limits.cpuMs = Math.round(limits.cpuMs * language.timeMultiplier);
  limits.memoryBytes = Math.round(limits.memoryBytes * language.memoryMultiplier);
  return { limits, notes };
}
