import { type ErrorReason, errorCodes, errorTable } from '../../contract/errors.ts';
import { type JsonSchema, operationSchema } from '../../contract/json-schema.ts';
import type { Operation, Table } from '../../contract/operation.ts';
import { operationRoute } from './operation-route.ts';

export interface OpenApiFacts {
  title: string;
  version: string;
  /** Before every path, e.g. `/api`. */
  prefix: string;
}

type Json = Record<string, unknown>;

/** Reasons that any call can meet. */
const commonReasons: readonly ErrorReason[] = [
  'BAD_INPUT',
  'BAD_PATH',
  'NO_TOKEN',
  'BAD_TOKEN',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
  'ACCESS_DENIED',
  'READ_ONLY',
  'OUT_OF_SCOPE',
  'BAD_HOST',
  'BAD_ORIGIN',
  'INPUT_TOO_LARGE',
  'OUTPUT_TOO_LARGE',
  'TOO_MANY',
  'PART_OFF',
  'INTERNAL',
  'STOPPING',
];

const texts = new WeakMap<Table, string>();

/** The document as text; made once a table. */
export function openApiText(table: Table, facts: OpenApiFacts): string {
  let text = texts.get(table);
  if (text === undefined) {
    text = JSON.stringify(openApi(table, facts));
    texts.set(table, text);
  }
  return text;
}

/** OpenAPI 3.1 of the table: schemas, access, errors by reason, streams. */
export function openApi(table: Table, facts: OpenApiFacts): Json {
  const schemas: Json = { Error: errorSchema };
  const paths: Record<string, Json> = {};
  for (const [name, operation] of Object.entries(table)) {
    const base = describe(name, operation, schemas);
    const path = (paths[`${facts.prefix}/${name}`] ??= {});
    const query = queryParameters(base.input);
    const bytesBody = { requestBody: { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } } };
    path['post'] =
      operation.body === 'bytes'
        ? { operationId: name, ...base.common, parameters: query, ...bytesBody }
        : { operationId: name, ...base.common, requestBody: { content: { 'application/json': { schema: base.input } } } };
    if (operation.access === 'read' && operation.body === undefined)
      path['get'] = { operationId: `${name}.get`, ...base.common, parameters: query };
    if (operation.http === undefined) continue;
    const route = operationRoute(facts.prefix, operation.http);
    const headers = Object.entries(operation.http.request ?? {});
    const taken = new Set([...route.names, ...headers.map(([, field]) => field)]);
    const hinted = (paths[`${facts.prefix}${operation.http.route.split(' ')[1]}`] ??= {});
    hinted[route.method.toLowerCase()] = {
      operationId: `${name}.raw`,
      ...base.common,
      parameters: [
        ...route.names.map((field) => ({ name: field, in: 'path', required: true, schema: property(base.input, field) })),
        ...headers.map(([header, field]) => ({ name: header, in: 'header', schema: property(base.input, field) })),
        ...query.filter((parameter) => !taken.has(parameter['name'] as string)),
      ],
      ...(operation.body === 'bytes' ? bytesBody : {}),
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: facts.title, version: facts.version },
    security: [{ bearer: [] }],
    paths,
    components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

const errorSchema = {
  type: 'object',
  required: ['code', 'reason', 'message', 'retryable'],
  properties: {
    code: { enum: [...errorCodes] },
    reason: { type: 'string' },
    message: { type: 'string' },
    hint: { type: 'string' },
    retryable: { type: 'boolean' },
    details: {},
    requestId: { type: 'string' },
  },
};

function describe(name: string, operation: Operation, schemas: Json): { input: Json; common: Json } {
  const input = hoisted(operationSchema(operation, 'input'), `${name}.input`, schemas);
  const output = hoisted(operationSchema(operation, 'output'), `${name}.output`, schemas);
  const item = operation.item === undefined ? undefined : hoisted(operationSchema(operation, 'item'), `${name}.item`, schemas);
  return {
    input,
    common: {
      summary: operation.summary,
      tags: [name.split('.')[0]],
      'x-access': operation.access,
      responses: { ...answerResponses(operation, answerContent(operation, output, item)), ...errorResponses(operation) },
    },
  };
}

/** An answer has the status that the hint gives to a flag of the output, else 200. */
function answerResponses(operation: Operation, content: Json): Json {
  const responses: Json = { 200: { description: 'The answer.', content } };
  // A 304 has no body, whatever is asked.
  for (const [flag, status] of Object.entries(operation.http?.status ?? {}))
    responses[status] = { description: `The answer, where \`${flag}\` is true.`, content: status === 304 ? {} : content };
  return responses;
}

function answerContent(operation: Operation, output: Json, item: Json | undefined): Json {
  if (operation.bytes === true) {
    const type = Object.values(operation.http?.response ?? {}).includes('content-type') ? '*/*' : 'application/octet-stream';
    return { [type]: { schema: { type: 'string', format: 'binary' } } };
  }
  if (item === undefined) return { 'application/json': { schema: output } };
  const error = { $ref: '#/components/schemas/Error' };
  const content: Json = {
    'text/event-stream': {
      schema: {
        oneOf: [event('item', item), event('end', output), event('error', error)],
        description: 'Items, then exactly one end or error; `id` is the cursor to go on from.',
      },
    },
    'application/x-ndjson': { schema: { oneOf: [only('item', item), only('end', output), only('error', error)] } },
  };
  // An endless stream has no whole answer.
  if (operation.endless !== true) content['application/json'] = { schema: withItems(output, item) };
  return content;
}

/** One object, not `allOf` of two: the output allows no properties beside its own. */
function withItems(output: Json, item: Json): Json {
  const { required = [], properties = {} } = output as { required?: string[]; properties?: Json };
  return { ...output, required: [...required, 'items'], properties: { ...properties, items: { type: 'array', items: item } } };
}

function event(name: string, data: Json): Json {
  return { type: 'object', required: ['event', 'data'], properties: { id: { type: 'string' }, event: { const: name }, data } };
}

function only(name: string, schema: Json): Json {
  return { type: 'object', required: [name], properties: { [name]: schema } };
}

function errorResponses(operation: Operation): Json {
  const byStatus = new Map<number, ErrorReason[]>();
  const ownReasons: readonly ErrorReason[] = operation.endless === true ? ['STREAM_ONLY', ...operation.errors] : operation.errors;
  for (const reason of new Set([...commonReasons, ...ownReasons])) {
    const { status } = errorTable[reason];
    byStatus.set(status, [...(byStatus.get(status) ?? []), reason]);
  }
  const schema = (reasons: ErrorReason[]): Json => ({
    allOf: [{ $ref: '#/components/schemas/Error' }, { properties: { reason: { enum: reasons } } }],
  });
  return Object.fromEntries(
    [...byStatus].map(([status, reasons]) => [
      status,
      { description: reasons.join(', '), content: { 'application/json': { schema: schema(reasons) } } },
    ]),
  );
}

/** The schema with what it refers to put among the components, where a document's references look. */
function hoisted(whole: JsonSchema | undefined, owner: string, schemas: Json): Json {
  const { $defs, ...schema } = whole ?? {};
  // Names that zod made up (`__schema0`) mean something else in every schema.
  const componentName = (name: string): string => (name.startsWith('__') ? `${owner}${name}` : name);
  const hoist = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hoist);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === '$ref' ? reference(inner) : hoist(inner)]));
  };
  const reference = (target: unknown): unknown => {
    if (target === '#') return `#/components/schemas/${owner}`;
    const name = typeof target === 'string' ? /^#\/\$defs\/(.+)$/.exec(target)?.[1] : undefined;
    return name === undefined ? target : `#/components/schemas/${componentName(name)}`;
  };
  for (const [name, definition] of Object.entries(($defs ?? {}) as Json)) schemas[componentName(name)] = hoist(definition);
  const self = hoist(schema) as Json;
  if (JSON.stringify(self).includes(`"#/components/schemas/${owner}"`)) schemas[owner] = self;
  return self;
}

function queryParameters(input: Json): Json[] {
  const required = new Set((input['required'] as string[] | undefined) ?? []);
  return Object.entries((input['properties'] ?? {}) as Json).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.has(name),
    ...(isReadAsJson(schema as JsonSchema) ? { content: { 'application/json': { schema } } } : { schema }),
  }));
}

/** In a query, an object and what may be anything; `schema` alone would make parameters of an object's properties. */
function isReadAsJson({ type, anyOf, oneOf, ...other }: JsonSchema): boolean {
  return type === 'object' || (type ?? anyOf ?? oneOf ?? other['enum'] ?? other['const']) === undefined;
}

function property(input: Json, name: string): unknown {
  return ((input['properties'] ?? {}) as Json)[name] ?? { type: 'string' };
}
