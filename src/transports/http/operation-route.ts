import type { HttpHint } from '../../contract/operation.ts';
import { OutriggerError } from '../../contract/errors.ts';

/** A hint's route as the router takes it, and how to read its parts back from a URL. */
export interface OperationRoute {
  method: string;
  /** e.g. `/api/files/*` */
  pattern: string;
  /** Of the fields in it, in order. */
  names: readonly string[];
  /** The fields named in the route, decoded exactly once. Throws OutriggerError BAD_PATH. */
  fields(url: string): Record<string, string>;
}

/** `{name}` takes one segment, as the last one it takes the rest of the URL, slashes included. Throws for a route it can't read. */
export function operationRoute(prefix: string, hint: HttpHint): OperationRoute {
  const match = /^([A-Z]+) (\/\S*)$/.exec(hint.route);
  if (match?.[1] === undefined || match[2] === undefined) throw new Error(`The route ${JSON.stringify(hint.route)} is not "METHOD /path".`);
  const segments = `${prefix}${match[2]}`.slice(1).split('/');
  const names = segments.map((segment) => /^\{(\w+)\}$/.exec(segment)?.[1]);
  const last = segments.length - 1;
  return {
    method: match[1],
    names: names.filter((name) => name !== undefined),
    pattern: `/${segments.map((segment, at) => (names[at] === undefined ? segment : at === last ? '*' : `:${names[at]}`)).join('/')}`,
    fields(url) {
      const cut = url.search(/[?#]/);
      const parts = (cut < 0 ? url : url.slice(0, cut)).slice(1).split('/');
      const fields: Record<string, string> = {};
      names.forEach((name, at) => {
        if (name !== undefined) fields[name] = decode(at === last ? parts.slice(at).join('/') : (parts[at] ?? ''));
      });
      return fields;
    },
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new OutriggerError('BAD_PATH', 'The URL is not percent-encoded UTF-8.', { cause: error });
  }
}
