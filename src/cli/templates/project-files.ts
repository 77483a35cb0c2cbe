import { podManifest } from './pod-manifest.ts';

export interface ProjectFacts {
  /** A valid npm name. */
  name: string;
  /** What npm takes as the version of outrigger. */
  outrigger: string;
}

/** Every file of a new project, by path; all of them are text. */
export function projectFiles(facts: ProjectFacts): Readonly<Record<string, string>> {
  return {
    'package.json': packageJson(facts),
    'tsconfig.json': tsconfig,
    'src/index.ts': source,
    'README.md': readme(facts),
    'config.json.example': configExample,
    Dockerfile: dockerfile,
    'k8s/sidecar-pod.yaml': podManifest({ name: facts.name, image: `${facts.name}:latest` }),
    '.gitignore': gitignore,
    '.dockerignore': dockerignore,
  };
}

function packageJson({ name, outrigger }: ProjectFacts): string {
  const manifest = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=24' },
    scripts: { start: 'node src/index.ts', check: 'tsc --noEmit' },
    dependencies: { outrigger, zod: '^4.6.7' },
    devDependencies: { '@types/node': '^24', typescript: '^6.0.3' },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

// Node runs the sources as they are, so only what it can strip may be written.
const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'ES2024',
      lib: ['ES2024', 'ESNext.Iterator', 'DOM'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      noUncheckedIndexedAccess: true,
      erasableSyntaxOnly: true,
      allowImportingTsExtensions: true,
      verbatimModuleSyntax: true,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ['src'],
  },
  null,
  2,
)}\n`;

const source = `import { existsSync } from 'node:fs';
import { createSidecar } from 'outrigger';
import { operation, workspacePath } from 'outrigger/contract';
import * as z from 'zod';

// An operation of your own: it is checked, logged, described in /openapi.json and called like those of the sidecar.
const table = {
  'lines.count': operation({
    summary: 'Count the lines of a text file.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: workspacePath() }),
    output: () => z.object({ lines: z.int() }),
    errors: ['FILE_NOT_FOUND', 'NOT_TEXT'],
    http: { route: 'GET /lines/{path}' },
  }),
};

// Options come from here, else the environment (WORKSPACE_PATH, API_PORT, WS_PORT, OUTRIGGER_…), else config.json.
const starting = createSidecar({
  ...(existsSync('config.json') ? { configFile: 'config.json' } : {}),
  operations: {
    table,
    implementations: (sidecar) => ({
      'lines.count': async ({ path }, { signal }) => {
        const { text } = await sidecar.call('files.read', { path }, { signal });
        return { lines: text === '' ? 0 : text.replace(/\\n$/, '').split('\\n').length };
      },
    }),
  },
  log: (line) => process.stderr.write(line),
});

// Saves documents and lets calls end; the process ends by itself when nothing is left.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => void starting.then((sidecar) => sidecar.stop()));
}

const { root, url, token, onChange } = await starting;
onChange(({ what, path }) => console.log(\`\${what} \${path}\`));
console.log(\`\${root} is served: \${url}/?token=\${token}\`);
`;

function readme({ name }: ProjectFacts): string {
  return `# ${name}

A sidecar for one folder, with an operation of its own (\`lines.count\` in src/index.ts). Needs Node 24 or later.

    npm install
    npm start
    WORKSPACE_PATH=/path/to/folder npm start

It prints an address with a token: the workbench for a browser. Programs send the token as \`Authorization: Bearer …\`;
\`/openapi.json\` describes every operation, \`GET /api/lines/{path}\` is your own.

- \`npm run check\` checks types. Node runs src/index.ts as it is, nothing is built.
- Options: copy config.json.example to config.json, or set \`OUTRIGGER_…\` (\`npx outrigger config\` lists them all). The token is
  never in a file that is committed: \`OUTRIGGER_TOKEN\`, \`OUTRIGGER_TOKEN_FILE\`, or one is made at the first start.
- As a service run \`node src/index.ts\` itself: npm does not pass signals on.
- In a container: \`docker build -t ${name} .\`; in a pod beside an app: k8s/sidecar-pod.yaml.
`;
}

const configExample = `${JSON.stringify(
  {
    host: '127.0.0.1',
    port: 3000,
    components: ['files', 'documents', 'git', 'workbench'],
    'watch.ignore': ['**/.git', '**/node_modules', '**/__pycache__', '**/.venv'],
    'log.level': 'info',
  },
  null,
  2,
)}\n`;

const dockerfile = `# BASE_IMAGE must be Debian-like, with Node 24 or later.
ARG BASE_IMAGE=docker.io/library/node:24-bookworm-slim
FROM \${BASE_IMAGE}

RUN if ! command -v git > /dev/null; then \\
      apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*; \\
    fi \\
 && mkdir -p /workspace /state && chown 10001:0 /workspace /state && chmod 2775 /workspace && chmod 0770 /state

WORKDIR /app
COPY package.json package-lock.json* *.tgz ./
RUN if [ -f package-lock.json ]; then npm ci --omit=dev; else npm install --omit=dev; fi
COPY src ./src

ENV NODE_ENV=production \\
    OUTRIGGER_HOST=0.0.0.0 \\
    OUTRIGGER_UMASK=0002 \\
    WORKSPACE_PATH=/workspace \\
    API_PORT=3000 \\
    WS_PORT=3001 \\
    XDG_STATE_HOME=/state
VOLUME ["/state"]
EXPOSE 3000 3001
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/src/index.ts"]
`;

// A token may stand in config.json; the rest is what a sidecar and its link to a hub leave behind.
const gitignore = `node_modules/
config.json
queue.json
results/
logs/
*.log
.env
`;

const dockerignore = `node_modules
config.json
queue.json
results
logs
*.log
.env
.git
`;
