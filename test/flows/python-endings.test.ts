// How programs in Python end that an interpreter runs which waited for them: as if Python had been started with them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

const tee =
  'import sys\nclass Tee:\n  def __init__(self, to): self.to = to\n  def write(self, text): self.to.write(text)\nsys.stdout = Tee(sys.stdout)\n';
const endings: readonly { says: string; code: string; files?: object[] }[] = [
  { says: 'with an output that was closed', code: "import sys\nsys.stdout = open('log.txt', 'w')\nprint('x')\nsys.stdout.close()\n" },
  { says: 'with no output', code: 'import sys\nsys.stdout = None\n' },
  { says: 'with an output that can’t be flushed', code: `${tee}print('hi')\n` },
  { says: 'with one, by an error', code: `${tee}print('hi')\nraise ValueError('mine')\n` },
  { says: 'by an error, with its output closed', code: "import sys\nsys.stdout.close()\nraise ValueError('mine')\n" },
  {
    says: 'by an error that it prints itself',
    code: "import sys\nsys.excepthook = lambda kind, error, frames: print('hook', error)\n1/0\n",
  },
  { says: 'by an error that its own words for fail', code: 'import sys\nsys.excepthook = lambda *of: {}["k"]\n1/0\n' },
  { says: 'by an error that its own words end with', code: 'import sys\nsys.excepthook = lambda *of: sys.exit(7)\n1/0\n' },
  {
    says: 'with what is deleted at last, which needs its names',
    code: "import os\nname = 'n'\nclass Last:\n  def __del__(self): print('bye', name, os.getcwd() != '')\nlast = Last()\ndef of():\n  try: yield 1\n  finally: print('finally', __name__)\none = of()\nnext(one)\n",
  },
  { says: 'as if by the key', code: 'raise KeyboardInterrupt\n' },
  { says: 'by an error, beside a module token of its own', code: "{}['k']\n", files: [{ name: 'token.py', text: "print('own')\n" }] },
  { says: 'by an error, beside a module textwrap of its own', code: '1/0\n', files: [{ name: 'textwrap.py', text: 'x = 1\n' }] },
  { says: 'by an error of what it can open', code: "all = []\nwhile True: all.append(open('/dev/null'))\n" },
  {
    says: 'by an error with notes, causes and others',
    code: "try:\n  {}['k']\nexcept KeyError as error:\n  raise ValueError('v') from error\n",
  },
  {
    says: 'with all that a module has',
    code: 'import __main__, sys, os\nprint(dir(), type(__builtins__).__name__, __loader__.__class__.__name__, [os.path.basename(one) for one in sys.orig_argv[-1:]])\n',
  },
];

async function seenOf({ client }: RunningSidecar, { code, files = [] }: (typeof endings)[number]): Promise<[string, object]> {
  const stream = client.stream('code.run', { language: 'py', code, files: files as never });
  const text = { stdout: '', stderr: '' };
  for await (const item of stream) if (item.type === 'output') text[item.stream] += item.text;
  const { used, reason, exitCode, files: made } = await stream.end;
  const err = text.stderr.replaceAll(/0x\w+/g, '');
  return [used.interpreter, { reason, exitCode, out: text.stdout, err, files: made.map(({ name, sha256 }) => [name, sha256]) }];
}

test('a program ends as one that Python was started with:', { skip: requireTool('python3') }, async (context) => {
  const expected: object[] = [];
  const config = { components: ['files', 'code'] as string[] };
  await withSidecar(
    async (running) => {
      for (const ending of endings) {
        const [how, seen] = await seenOf(running, ending);
        assert.equal(how, 'cold');
        expected.push(seen);
      }
    },
    { config: { ...config, 'code.warm': '0' } },
  );
  await withSidecar(
    async (running) => {
      for (const [count, ending] of endings.entries())
        await context.test(ending.says, () =>
          eventually(async () => {
            const [how, seen] = await seenOf(running, ending);
            assert.equal(how, 'warm');
            assert.deepEqual(seen, expected[count]);
          }),
        );
    },
    { config },
  );
});
