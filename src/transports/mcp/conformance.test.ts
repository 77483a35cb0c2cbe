// The official conformance suite against a server with the suite's own tools, resources and prompts, carried by the product's
// endpoint: what is measured is sessions, streams, requests from server to client, and Host and Origin.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  type CallToolResult,
  type ContentBlock,
  type ElicitRequestFormParams,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { withMcp } from '../../../test/kit/mcp-fixtures.ts';
import type { Caller } from '../../contract/access.ts';
import { McpEndpoint } from './endpoint.ts';
import { registerMcpPath } from './mcp-path.ts';
import type { McpPeer } from './mcp-server.ts';

const run = promisify(execFile);
const suite = path.join(import.meta.dirname, '..', '..', '..', 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const silence = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

type Tool = (input: Record<string, unknown>, context: ServerContext) => CallToolResult | Promise<CallToolResult>;

const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const image: ContentBlock = { type: 'image', data: pixel, mimeType: 'image/png' };
const embedded = (uri: string, mimeType: string, value: string): ContentBlock => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
});
const says =
  (...content: ContentBlock[]): Tool =>
  () => ({ content });

function elicits(params: Omit<ElicitRequestFormParams, 'mode'>, words = 'Elicitation completed'): Tool {
  return async (_input, context) => {
    const { action, content } = await context.mcpReq.elicitInput({ mode: 'form', ...params });
    return { content: [text(`${words}: action=${action}, content=${JSON.stringify(content ?? {})}`)] };
  };
}

const titled = (...names: string[]): { const: string; title: string }[] =>
  names.map((name, at) => ({ const: `value${at + 1}`, title: name }));

const tools: Record<string, Tool> = {
  test_simple_text: says(text('This is a simple text response for testing.')),
  test_image_content: says(image),
  test_audio_content: says({ type: 'audio', data: silence, mimeType: 'audio/wav' }),
  test_embedded_resource: says(embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')),
  test_multiple_content_types: says(
    text('Multiple content types test:'),
    image,
    embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ),
  test_tool_with_logging: async (_input, { mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.log('info', data);
      await wait(50);
    }
    return { content: [text('Logged.')] };
  },
  test_error_handling: () => ({ isError: true, content: [text('This tool intentionally returns an error for testing')] }),
  test_tool_with_progress: async (_input, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      await wait(50);
    }
    return { content: [text(String(progressToken))] };
  },
  test_sampling: async ({ prompt }, { mcpReq }) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: String(prompt) } }];
    const { content } = await mcpReq.requestSampling({ messages, maxTokens: 100 });
    return { content: [text(`LLM response: ${'text' in content ? content.text : JSON.stringify(content)}`)] };
  },
  test_elicitation: ({ message }, context) =>
    elicits(
      {
        message: String(message),
        requestedSchema: {
          type: 'object',
          properties: {
            username: { type: 'string', description: "User's response" },
            email: { type: 'string', description: "User's email address" },
          },
          required: ['username', 'email'],
        },
      },
      'User response',
    )({}, context),
  test_elicitation_sep1034_defaults: elicits({
    message: 'Defaults',
    requestedSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      },
    },
  }),
  test_elicitation_sep1330_enums: elicits({
    message: 'Enums',
    requestedSchema: {
      type: 'object',
      properties: {
        untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
        titledSingle: { type: 'string', oneOf: titled('First Option', 'Second Option', 'Third Option') },
        legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
        untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
        titledMulti: { type: 'array', items: { anyOf: titled('First Choice', 'Second Choice', 'Third Choice') } },
      },
    },
  }),
  json_schema_2020_12_tool: says(text('ok')),
};

const inputs: Record<string, Record<string, unknown>> = {
  test_sampling: { properties: { prompt: { type: 'string' } }, required: ['prompt'] },
  test_elicitation: { properties: { message: { type: 'string' } }, required: ['message'] },
  json_schema_2020_12_tool: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  },
};

const prompts: Record<string, { arguments?: string[]; content: (given: Record<string, string>) => ContentBlock[] }> = {
  test_simple_prompt: { content: () => [text('This is a simple prompt for testing.')] },
  test_prompt_with_arguments: {
    arguments: ['arg1', 'arg2'],
    content: ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  },
  test_prompt_with_embedded_resource: {
    arguments: ['resourceUri'],
    content: ({ resourceUri = '' }) => [
      embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'),
      text('Please process the embedded resource above.'),
    ],
  },
  test_prompt_with_image: { content: () => [image, text('Please analyze the image above.')] },
};

/** The server that the suite describes. */
function suiteServer(): McpPeer {
  const server = new Server(
    { name: 'conformance', version: '1.0.0' },
    { capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} } },
  );
  server.setRequestHandler('tools/list', () => ({
    tools: Object.keys(tools).map((name) => ({ name, description: name, inputSchema: { ...inputs[name], type: 'object' as const } })),
  }));
  server.setRequestHandler('tools/call', ({ params }, context) => {
    const tool = tools[params.name];
    assert.ok(tool !== undefined, `there is no tool ${params.name}`);
    return tool(params.arguments ?? {}, context);
  });
  server.setRequestHandler('resources/list', () => ({
    resources: ['test://static-text', 'test://static-binary', 'test://watched-resource'].map((uri) => ({
      uri,
      name: uri,
      description: uri,
    })),
  }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }],
  }));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    if (uri === 'test://static-binary') return { contents: [{ uri, mimeType: 'image/png', blob: pixel }] };
    const id = /^test:\/\/template\/(.*)\/data$/.exec(uri)?.[1];
    if (id === undefined) return { contents: [{ uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }] };
    return {
      contents: [{ uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }],
    };
  });
  server.setRequestHandler('resources/subscribe', () => ({}));
  server.setRequestHandler('resources/unsubscribe', () => ({}));
  server.setRequestHandler('prompts/list', () => ({
    prompts: Object.entries(prompts).map(([name, prompt]) => ({
      name,
      description: name,
      arguments: (prompt.arguments ?? []).map((argument) => ({ name: argument, description: argument, required: true })),
    })),
  }));
  server.setRequestHandler('prompts/get', ({ params }) => ({
    messages: (prompts[params.name]?.content(params.arguments ?? {}) ?? []).map((content) => ({ role: 'user' as const, content })),
  }));
  server.setRequestHandler('completion/complete', () => ({ completion: { values: ['paris', 'park', 'party'], total: 3, hasMore: false } }));
  return { server, follow: async () => {}, reader: { updated: () => {}, listChanged: () => {} }, resume: () => {}, release: () => {} };
}

interface Check {
  id: string;
  status: string;
  errorMessage?: string;
}

test('the official conformance suite passes', async (context) => {
  const results = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-conformance-'));
  const anonymous: Caller = { id: 'suite', name: 'Suite', kind: 'agent', access: 'read' };
  const dispatch = (): never => assert.fail('the suite calls no operation');
  try {
    await withMcp(
      { dispatch, table: {} },
      async ({ url }) => {
        const address = url.replace('127.0.0.1', 'localhost');
        // Its exit code counts failures; what they are stands in its files.
        const failed = await run(process.execPath, [suite, 'server', '--suite', 'all', '--url', address, '-o', results], {
          timeout: 100_000,
        }).then(
          () => undefined,
          (error: { stdout: string; stderr: string }) => `${error.stdout}\n${error.stderr}`,
        );
        const scenarios = fs.readdirSync(results);
        const checks = scenarios.flatMap(
          (scenario) => JSON.parse(fs.readFileSync(path.join(results, scenario, 'checks.json'), 'utf8')) as Check[],
        );
        const count = (status: string): number => checks.filter((check) => check.status === status).length;
        context.diagnostic(
          `${scenarios.length} scenarios, ${count('SUCCESS')} checks passed, ${count('FAILURE')} failed, ${count('WARNING')} warnings`,
        );
        assert.deepEqual(
          checks.filter(({ status }) => status === 'FAILURE').map(({ id, errorMessage }) => `${id}: ${errorMessage}`),
          [],
          failed,
        );
        // What is not done, and need not be: a stream that broke off can't be taken up again, its call is aborted instead.
        assert.deepEqual(
          checks.filter((check) => check.status === 'WARNING').map(({ id }) => id),
          ['server-sse-priming-event', 'server-sse-retry-field'],
        );
        // A newer suite may have more; fewer would mean that it did not run.
        assert.ok(scenarios.length >= 32 && count('SUCCESS') >= 44, failed);
      },
      {
        register: (app) =>
          registerMcpPath(
            app,
            { authenticate: () => anonymous },
            { path: '/mcp', cookieName: 'none' },
            async () => new McpEndpoint({ open: suiteServer }),
          ),
      },
    );
  } finally {
    fs.rmSync(results, { recursive: true, force: true });
  }
});
