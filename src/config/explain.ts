import type { LoadedConfig, OptionSource } from './load.ts';
import { envName, flagName, type OptionKey, optionKeys, optionRow } from './options.ts';

/** As help calls it. */
const folderArgument = '[folder]';

export interface ExplainedOption {
  key: OptionKey;
  value: unknown;
  source: string;
  env: string;
  flag: string;
  text: string;
}

/** Every option with its value and where that came from; secrets are not shown. */
export function explainConfig({ config, sources }: LoadedConfig): ExplainedOption[] {
  return optionKeys.map((key) => ({
    key,
    value: optionRow(key).secret === true && config[key] !== undefined ? '(set, not shown)' : (config[key] ?? null),
    source: sourceText(key, sources[key]),
    env: envName(key),
    flag: key === 'root' ? folderArgument : `--${flagName(key)}`,
    text: optionRow(key).text,
  }));
}

function sourceText(key: OptionKey, source: OptionSource): string {
  if (source.from === 'default') return 'default';
  if (source.from === 'flag' && key === 'root') return folderArgument;
  return source.from === 'file' ? source.file : source.name;
}
