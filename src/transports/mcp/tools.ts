import {
  type CallToolRequest,
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { allowsLevel, type Caller } from '../../contract/access.ts';
import { OutriggerError, toWireError } from '../../contract/errors.ts';
import { type JsonSchema, operationSchema } from '../../contract/json-schema.ts';
import type { Operation, Table } from '../../contract/operation.ts';
import { type Cut, cutsText, fitted } from './bounded.ts';
import { exactSchema, refuseUnknown } from './exact-input.ts';
import { GatheredItems } from './gathered-items.ts';
import { ItemImages } from './item-images.ts';
import { callOperation, type McpCallDependencies, requestSignal } from './mcp-call.ts';
import { plainSchema } from './plain-schema.ts';

export interface ToolDependencies extends McpCallDependencies {
  table: Table;
  /** Whether an operation is to be had here, e.g. its part is switched on. All are when left out. */
  offers?: ((name: string) => boolean) | undefined;
}

export interface ToolOptions {
  /** Longest answer, bytes of JSON; what is longer is cut in the middle. */
  maxResultBytes: number;
  /** Of the images beside it, bytes of base64; those for which there is no room are left out. */
  maxImageBytes: number;
}

interface OperationTool {
  name: string;
  operation: Operation;
  tool: Tool;
}

/** Over MCP there is no socket that a document could be attached to, and the rest of the answer says where such a socket is. */
const needsSocket = new Set(['documents.open']);
const progressEveryMs = 250;
const toolsOf = new WeakMap<Table, ReadonlyMap<string, OperationTool>>();

/** The operations of a table as tools, for one caller. */
export class McpTools {
  readonly #deps: ToolDependencies;
  readonly #options: ToolOptions;

  constructor(dependencies: ToolDependencies, options: ToolOptions) {
    this.#deps = dependencies;
    this.#options = options;
  }

  /** What this caller may use. An agent that sees a tool should not have to find out that it is refused. */
  list(): Tool[] {
    const { table, caller, offers } = this.#deps;
    return [...operationTools(table).values()].flatMap(({ name, operation, tool }) =>
      mayUse(caller, operation) && offers?.(name) !== false ? [tool] : [],
    );
  }

  /**
   * Calls the operation behind a tool. What the operation refuses or fails with is a result that says so; only a tool that is
   * not there is an error of the protocol (https://modelcontextprotocol.io/specification/2025-11-25/server/tools#error-handling).
   */
  async call({ name, arguments: input }: CallToolRequest['params'], context: ServerContext): Promise<CallToolResult> {
    const found = operationTools(this.#deps.table).get(name);
    if (found === undefined)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool ${JSON.stringify(name.slice(0, 100))}.`);
    const { maxResultBytes, maxImageBytes } = this.#options;
    const { item: streams, byType } = found.operation;
    // Sizes of items are rough, and the answer itself needs some room.
    const gathered = streams === undefined ? undefined : new GatheredItems(maxResultBytes * 0.8);
    const images = new ItemImages(maxImageBytes);
    const progress = progressOf(context);
    try {
      refuseUnknown(name, input, found.tool.inputSchema as JsonSchema);
      const { output } = await callOperation(this.#deps, {
        name: found.name,
        input: input ?? {},
        signal: requestSignal(context),
        ...(gathered === undefined
          ? {}
          : {
              emit: (item) => {
                gathered.add(byType === undefined ? item : images.take(item, byType));
                return progress?.(gathered.count);
              },
            }),
      });
      return gathered === undefined ? toolResult(output, maxResultBytes) : streamResult(output, gathered, images, maxResultBytes);
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      return errorResult(error, operationTools(this.#deps.table), maxResultBytes);
    }
  }
}

/**
 * The name of an operation's tool. MCP allows the dot, but the programs that hand tools to a model take
 * `^[a-zA-Z0-9_-]{1,64}$` alone, so `files.read` is `files_read`.
 */
export function toolName(operation: string): string {
  return operation.replaceAll('.', '_');
}

/** Whether an operation can be a tool: asked with JSON, answered with JSON, at an end, and not for handing out tokens. */
export function isTool(name: string, operation: Operation): boolean {
  const { body, bytes, endless, access } = operation;
  return body === undefined && bytes !== true && endless !== true && access !== 'admin' && !needsSocket.has(name);
}

/** Made once a table: schemas take a while. Throws where two operations would have the same name. */
function operationTools(table: Table): ReadonlyMap<string, OperationTool> {
  const made = toolsOf.get(table);
  if (made !== undefined) return made;
  const tools = new Map<string, OperationTool>();
  for (const [name, operation] of Object.entries(table)) {
    if (!isTool(name, operation)) continue;
    const tool = describeTool(name, operation);
    const other = tools.get(tool.name);
    if (other !== undefined) throw new Error(`${name} and ${other.name} would both be the tool ${tool.name}; rename one of them.`);
    tools.set(tool.name, { name, operation, tool });
  }
  toolsOf.set(table, tools);
  return tools;
}

function describeTool(name: string, operation: Operation): Tool {
  const reads = operation.access === 'read';
  return {
    name: toolName(name),
    title: name,
    description: operation.summary,
    inputSchema: exactSchema(plainSchema({ ...operationSchema(operation, 'input'), type: 'object' })) as Tool['inputSchema'],
    annotations: {
      title: name,
      readOnlyHint: reads,
      destructiveHint: operation.destructive === true,
      // Of writes the table does not say it: a second edit may fail where the first one worked.
      ...(reads ? { idempotentHint: true } : {}),
      // All is about one folder, but a program that is run may go anywhere.
      openWorldHint: operation.access === 'execute',
    },
  };
}

function mayUse(caller: Caller, operation: Operation): boolean {
  return allowsLevel(caller.access, operation.access) && !(caller.paths !== undefined && operation.scope === 'workspace');
}

function streamResult(output: unknown, gathered: GatheredItems, images: ItemImages, maxBytes: number): CallToolResult {
  const cuts: Cut[] = gathered.omitted > 0 ? [{ at: 'items', omitted: gathered.omitted, unit: 'items' }] : [];
  const { content, ...rest } = toolResult({ ...(output as object), items: gathered.items }, maxBytes, cuts);
  return { ...rest, content: [...content, ...images.content] };
}

function toolResult(output: unknown, maxBytes: number, before: readonly Cut[] = []): CallToolResult {
  const { value, cuts } = fitted(output, maxBytes);
  const all = [...before, ...cuts];
  const content: CallToolResult['content'] = [{ type: 'text', text: JSON.stringify(value) ?? 'null' }];
  if (all.length > 0) content.push({ type: 'text', text: cutsText(all) });
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? { content, structuredContent: value as Record<string, unknown> }
    : { content };
}

function errorResult(error: OutriggerError, tools: ReadonlyMap<string, OperationTool>, maxBytes: number): CallToolResult {
  // A model knows operations by the names of their tools.
  const hint = error.hint.replace(/\b[a-z]+\.[a-zA-Z]+\b/g, (name) => (tools.has(toolName(name)) ? toolName(name) : name));
  const wire = fitted({ ...toWireError(error), hint }, maxBytes).value as Record<string, unknown>;
  const text = `${error.reason} (${error.code}): ${String(wire['message'])}\n${hint}`;
  return { isError: true, content: [{ type: 'text', text }], structuredContent: wire };
}

/** Tells a client that asked for it how many items came so far, some times a second at most. */
function progressOf(context: ServerContext): ((count: number) => Promise<void> | undefined) | undefined {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let last = Number.NEGATIVE_INFINITY;
  return (count) => {
    const now = performance.now();
    if (now - last < progressEveryMs) return undefined;
    last = now;
    // A client that can't be told is noticed by the call's signal.
    return context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: count } }).catch(() => undefined);
  };
}
