import type { DeployParameter } from '../../contract/deploy.ts';

/** As the fields hold them: text for all but switches. */
export type FieldValue = string | boolean;
export type Fields = Readonly<Record<string, FieldValue>>;
export type ParameterValue = string | number | boolean;

const commonName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** What the fields of a profile begin with. */
export function firstFields(parameters: Readonly<Record<string, DeployParameter>>, kept: Fields = {}): Fields {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => {
      const before = kept[name];
      if (parameter.type === 'switch') return [name, typeof before === 'boolean' ? before : (parameter.default ?? false)];
      const first =
        parameter.default === undefined ? (parameter.type === 'choice' ? (parameter.choices[0] ?? '') : '') : String(parameter.default);
      const fits = typeof before === 'string' && (parameter.type !== 'choice' || parameter.choices.includes(before));
      return [name, fits ? before : first];
    }),
  );
}

/** Why a value can't be taken; undefined when it can. An empty field is left out: whether the program needs it, `isNeeded` says. */
export function fieldProblem(parameter: DeployParameter, value: FieldValue, isNeeded: boolean): string | undefined {
  if (parameter.type === 'switch' || typeof value === 'boolean') return undefined;
  const text = value.trim();
  if (text === '') return isNeeded ? 'It is needed.' : undefined;
  if (text.startsWith('-') && parameter.type !== 'integer') return 'It may not begin with a dash: that would be an option.';
  if (text.includes('\0')) return 'It holds a sign that no argument can.';
  if (parameter.type === 'integer') return integerProblem(text, parameter);
  if (parameter.type === 'name' && !(parameter.pattern === undefined ? commonName : wholly(parameter.pattern)).test(text))
    return parameter.pattern === undefined ? 'Letters, digits, “_”, “.” and “-” only.' : `It has to match ${parameter.pattern}`;
  if (parameter.type === 'choice' && !parameter.choices.includes(text)) return 'Choose one of the list.';
  return undefined;
}

/** Values as the operation takes them. */
export function valuesOf(parameters: Readonly<Record<string, DeployParameter>>, fields: Fields): Record<string, ParameterValue> {
  const values: Record<string, ParameterValue> = {};
  for (const [name, { type }] of Object.entries(parameters)) {
    const field = fields[name];
    if (typeof field === 'boolean') values[name] = field;
    else if (field !== undefined && field.trim() !== '') values[name] = type === 'integer' ? Number(field.trim()) : field.trim();
  }
  return values;
}

/** Only an argument that is nothing but the parameter is left out without a value; behind a short option that would leave the option alone. */
export function isNeeded(name: string, argv: readonly string[]): boolean {
  const hole = `{${name}}`;
  return argv.some((word, at) => (word === hole ? /^-\w$/.test(argv[at - 1] ?? '') : word.includes(hole)));
}

function integerProblem(text: string, { min, max }: { min?: number | undefined; max?: number | undefined }): string | undefined {
  const number = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(number)) return 'A whole number is needed.';
  if (min !== undefined && number < min) return `At least ${min}.`;
  if (max !== undefined && number > max) return `At most ${max}.`;
  return undefined;
}

function wholly(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    // The sidecar knows how to read it; it has the last word.
    return /^/;
  }
}
