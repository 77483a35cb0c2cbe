import { type Command, Help, Option } from 'commander';
import { flagName, type OptionKey, optionKeys, optionRow } from '../config/options.ts';

/** What most people ever set; the help shows these, and `--help-all` the others too. */
const common: ReadonlySet<OptionKey> = new Set<OptionKey>([
  'host',
  'port',
  'components',
  'operationModules',
  'readOnly',
  'state',
  'tokenFile',
  'allowedHosts',
  'tls',
  'watch.ignore',
  'link.config',
  'log.level',
]);

/** Commands that take all options of the sidecar, which are made when the command is run or explained: at each start it is only one. */
const takingOptions = new WeakMap<Command, OwnDefaults>();

/** Of a command whose defaults are other ones: what its help says of them. */
type OwnDefaults = Partial<Record<OptionKey, { text: string; default: string }>>;

export function withOptions(command: Command, own: OwnDefaults = {}): Command {
  takingOptions.set(command, own);
  return command;
}

/** Flags of every option of the table. */
export function makeOptions(command: Command): void {
  const own = takingOptions.get(command);
  if (own === undefined) return;
  takingOptions.delete(command);
  command.option('--config <file>', 'a config file (JSON)');
  const keys = optionKeys.filter((key) => optionRow(key).secret !== true && key !== 'root');
  const flags = keys.flatMap((key) => addFlags(command, key, own[key]).map((option) => ({ key, option })));
  command.addOption(new Option('--help-all').hideHelp());

  let all = false;
  command.on('option:help-all', () => {
    all = true;
    command.help();
  });
  command.addHelpText('after', () => (all ? '' : `\n\`--help-all\` lists all ${keys.length} options.`));
  command.configureHelp({
    formatHelp: (shown, helper) => {
      for (const { key, option } of flags) {
        option.hideHelp(!all && !common.has(key));
        option.helpGroup(all && key.includes('.') ? `${heading(key)}:` : 'Options:');
      }
      const text = Help.prototype.formatHelp.call(helper, shown, helper);
      // What is hidden is not suggested for a flag with a slip in it.
      for (const { option } of flags) option.hideHelp(false);
      return text;
    },
  });
}

function addFlags(command: Command, key: OptionKey, own: OwnDefaults[OptionKey]): Option[] {
  const row = optionRow(key);
  const option = new Option(`--${flagName(key)}${valueOf(key)}`, own?.text ?? row.text);
  if (row.choices !== undefined && row.type === 'choice') option.choices(row.choices);
  const options = [option];
  if (row.type === 'switch' && row.default === true) options.push(new Option(`--no-${flagName(key)}`, 'Turns that off.'));
  for (const one of options) {
    one.attributeName = () => key;
    command.addOption(one);
  }
  // For the help alone: what is set before `addOption` counts as given.
  const text = own?.default ?? defaultText(row.default);
  if (text !== undefined) option.default(row.default, text);
  return options;
}

function valueOf(key: OptionKey): string {
  const { type, unit } = optionRow(key);
  if (type === 'switch') return '';
  if (type === 'integer') return ` <${unit === 'ms' || unit === 'bytes' || unit === 's' ? unit : 'n'}>`;
  return type === 'list' ? ' <a,b>' : type === 'object' ? ' <json>' : ' <value>';
}

/** Undefined where there is none, or an empty one. */
function defaultText(value: ReturnType<typeof optionRow>['default']): string | undefined {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(', ');
  return value === undefined || typeof value === 'object' ? undefined : String(value);
}

/** `documents.maxBytes` → `Documents`. */
function heading(key: OptionKey): string {
  const part = key.slice(0, key.indexOf('.'));
  return part.charAt(0).toUpperCase() + part.slice(1);
}
