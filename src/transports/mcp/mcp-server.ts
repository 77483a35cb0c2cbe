import { Server, type ServerContext } from '@modelcontextprotocol/server';
import { Listens } from './listens.ts';
import { McpResources, hasResources, type ResourceOptions } from './resources.ts';
import { requestSignal, toProtocolError } from './mcp-call.ts';
import { type FeedReader, ResourceFeed, type ResourceFeedOptions } from './resource-feed.ts';
import { McpTools, type ToolDependencies, type ToolOptions } from './tools.ts';

export interface McpServerOptions extends Partial<ToolOptions>, Partial<ResourceOptions> {
  version: string;
  feed?: ResourceFeedOptions;
  /** Why nothing can be written here, for the client's model; a sentence without its subject. */
  readOnly?: string | undefined;
}

/** One client's end: the protocol, and what feeds it with news. */
export interface McpPeer {
  readonly server: Server;
  /**
   * Follows resources for a client of revision 2026-07-28, which asks for them in one long request that the SDK answers
   * itself. Resolves when every change from now on will be told, until `signal` is aborted. Throws a ProtocolError for what may
   * not be followed; nothing of the request is followed then.
   */
  follow(uris: readonly string[], signal: AbortSignal): Promise<void>;
  /** Where news go; a transport may put another in its place before the first request. */
  reader: FeedReader;
  /** A reader that was away is back, and is told what waits for it. */
  resume(): void;
  /** Ends the feed; the server is closed by whoever connected it. */
  release(): void;
}

const defaultMaxResultBytes = 64 * 1024;
const defaultMaxImageBytes = 1024 * 1024;
const defaultMaxResourceBytes = 1024 * 1024;
const instructions =
  'Tools are the operations of one workspace folder. Paths are relative to it, with / between names, and hold no "..". ' +
  'Long answers are cut in the middle and say so: ask for a range of lines, a folder or a smaller limit instead. ' +
  'Give the etag of what you read as ifMatch when you write, so that no change of others is lost.';

/** A server of the official SDK whose tools are the operations of the table and whose resources are the files of the workspace. */
export function createMcpServer(dependencies: ToolDependencies, options: McpServerOptions): McpPeer {
  const { version, maxResultBytes = defaultMaxResultBytes, maxResourceBytes = defaultMaxResourceBytes } = options;
  const { maxImageBytes = defaultMaxImageBytes } = options;
  const tools = new McpTools(dependencies, { maxResultBytes, maxImageBytes });
  const withResources = hasResources(dependencies.table);
  const said = options.readOnly === undefined ? instructions : `${instructions} Nothing can be written or run here: ${options.readOnly}`;
  const server = new Server(
    { name: 'outrigger', title: 'Outrigger', version },
    { capabilities: { tools: {}, ...(withResources ? { resources: { subscribe: true, listChanged: true } } : {}) }, instructions: said },
  );
  server.setRequestHandler('tools/list', () => ({ tools: tools.list() }));
  server.setRequestHandler('tools/call', ({ params }, context) => tools.call(params, context));

  const feed = new ResourceFeed(dependencies, () => peer.reader, options.feed);
  const resources = new McpResources(dependencies, { maxResourceBytes });
  if (withResources) serveResources(server, resources, feed);
  const listens = new Listens(resources, feed);
  const peer: McpPeer = {
    server,
    follow: (uris, signal) => failing(() => listens.add(uris, signal), uris[0]),
    reader: { updated: (uri) => server.sendResourceUpdated({ uri }), listChanged: () => server.sendResourceListChanged() },
    resume: () => feed.resume(),
    release: () => feed.close(),
  };
  return peer;
}

function serveResources(server: Server, resources: McpResources, feed: ResourceFeed): void {
  server.setRequestHandler('resources/list', async ({ params }, context) => {
    // Who asks for the list is told when it changes; that it can't be told now is no reason to keep the list from it.
    if (isConnection(context)) await feed.start().catch(() => undefined);
    return failing(() => resources.list(params?.cursor, requestSignal(context)));
  });
  server.setRequestHandler('resources/templates/list', () => resources.templates());
  server.setRequestHandler('resources/read', ({ params }, context) =>
    failing(() => resources.read(params.uri, requestSignal(context)), params.uri),
  );
  server.setRequestHandler('resources/subscribe', ({ params: { uri } }, context) =>
    failing(async () => {
      feed.follow(await resources.checked(uri, requestSignal(context)), uri);
      await feed.start();
      return {};
    }, uri),
  );
  server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) =>
    failing(async () => {
      feed.unfollow(resources.followedPath(uri), uri);
      return {};
    }, uri),
  );
}

/** Whether there is a connection or session to tell news on: requests of revision 2026-07-28 over HTTP stand alone. */
function isConnection(context: ServerContext): boolean {
  return context.http === undefined || context.sessionId !== undefined;
}

async function failing<T>(run: () => Promise<T>, uri?: string): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toProtocolError(error, uri);
  }
}
