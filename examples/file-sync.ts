// Watches a folder, logs what changes, and serves its files: `WORKSPACE_PATH=/path node examples/file-sync.ts`.
//   GET /files   GET|PUT /files/{path}    as JSON, the shapes of seed clients
//   GET /api/files.list   GET|PUT|DELETE /api/files/{path}    raw bytes, Range, ETag, If-Match; and /openapi.json
// Every call needs the token, printed at start, as `Authorization: Bearer …`.
import { createSidecar } from 'outrigger';

const starting = createSidecar({ components: ['files'], 'watch.ignore': ['**/node_modules', '**/.git'] });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void starting.then((sidecar) => sidecar.stop()));

const { root, url, token, onChange, ready } = await starting;
onChange(({ what, path, revision }) => console.log(JSON.stringify({ event: 'file', what, path, revision })));
await ready;
console.log(JSON.stringify({ event: 'ready', root, url, token }));
