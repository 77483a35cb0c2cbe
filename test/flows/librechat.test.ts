import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LibrechatClient, type LibrechatVersion, librechatVersions, loadLibrechat } from '../kit/librechat-client.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

/** The package is fetched from npm: where that can't be reached it is skipped, but not in CI. */
async function clientOf(
  version: LibrechatVersion,
  { url }: RunningSidecar,
  skip: (why: string) => void,
): Promise<LibrechatClient | undefined> {
  // Read by the older one when it is loaded.
  process.env['LIBRECHAT_CODE_BASEURL'] = `${url}/v1`;
  try {
    return await loadLibrechat(version);
  } catch (error) {
    if (process.env['REQUIRE_TOOLS'] === '1') throw error;
    skip(`@librechat/agents can't be fetched: ${String((error as Error).message).split('\n')[0]}`);
    return undefined;
  }
}

for (const version of Object.keys(librechatVersions) as LibrechatVersion[]) {
  describe(`the npm client @librechat/agents ${version}, unchanged`, { skip: requireTool('python3') }, () => {
    // The newest is what people have.
    const form = version === Object.keys(librechatVersions).at(-1) ? '' : ' (long form)';
    test(`runs code, hands files on to the next run, lists them, and lets programs call tools${form}`, async (context) => {
      await withSidecar(async (running) => {
        const client = await clientOf(version, running, (why) => context.skip(why));
        if (client === undefined) return;
        const baseUrl = `${running.url}/v1`;
        const authHeaders = { 'X-API-Key': running.token };
        const tool = client.createCodeExecutionTool({ baseUrl, authHeaders });

        const [first, made] = await tool.invoke({ lang: 'py', code: "print('hi')\nopen('data.csv', 'w').write('a,b')" });
        assert.match(first, /^stdout:\nhi\n/);
        assert.match(first, /Session files: 1 persisted file\(s\)/);
        const [file] = made.files ?? [];
        assert.equal(file?.name, 'data.csv');

        const injected = made.files?.map((one) => ({ ...one, session_id: made.session_id, kind: 'user', resource_id: one.id }));
        const toolCall = { session_id: made.session_id, _injected_files: injected };
        const [second] = await tool.invoke({ lang: 'bash', code: 'cat data.csv', args: [] }, { toolCall });
        assert.equal(second, 'stdout:\na,b');
        const listed = await client.fetchSessionFiles(
          baseUrl,
          made.session_id ?? '',
          ...(version === '3.2.21' ? [undefined, authHeaders] : [authHeaders, authHeaders]),
        );
        assert.deepEqual(
          listed.map(({ id, name }) => [id, name]),
          [[file?.id, 'data.csv']],
        );

        const [failed] = await tool.invoke({ lang: 'py', code: 'raise SystemExit("no")' });
        assert.match(failed, /stdout: Empty[^]*stderr:\nno/);
        await assert.rejects(tool.invoke({ lang: 'cobol', code: 'x' }), /Execution error/);
        const stranger = client.createCodeExecutionTool({ baseUrl, authHeaders: { 'X-API-Key': 'wrong' } });
        await assert.rejects(stranger.invoke({ lang: 'py', code: 'x' }), /Execution error/);

        const programmatic = client.createProgrammaticToolCallingTool({ baseUrl, authHeaders });
        const toolDefs = [
          { name: 'get-weather', description: 'w', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
        ];
        const toolMap = new Map([['get-weather', { invoke: (input: { city: string }) => Promise.resolve(`${input.city}: sunny`) }]]);
        const code = "a, b = await asyncio.gather(get_weather(city='SF'), get_weather(city='NY'))\nprint(a, b)";
        const [answer] = await programmatic.invoke({ code }, { toolCall: { toolMap, toolDefs } });
        assert.match(answer, /^stdout:\nSF: sunny NY: sunny/);
      });
    });
  });
}
