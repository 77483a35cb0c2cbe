// Commits what changed and updates a module in Odoo: `WORKSPACE_PATH=/addons node examples/deploy-module.ts`, and then
//   curl -X POST -H 'Authorization: Bearer TOKEN' http://127.0.0.1:3000/deploy/library_loans
// answers {success, commit, output}, or {success: false, error, output} where odoo failed; ws://…/logs/odoo sends its log line by line.
// Names of modules are checked, no shell reads them, one deployment runs at a time, and one that takes longer than 60 s is ended.
import { createSidecar } from 'outrigger';

const starting = createSidecar({
  components: ['files', 'documents', 'git', 'checkpoints', 'processes', 'deploy'],
  'deploy.profiles': {
    'check-module': {
      summary: 'Is every file of the module Python?',
      argv: ['python3', '-m', 'compileall', '-q', '{module}'],
      parameters: { module: { type: 'path' } },
      before: 'none',
      timeoutMs: 30_000,
    },
  },
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void starting.then((sidecar) => sidecar.stop()));

const { root, url, token, call, ready } = await starting;
await ready;
const { profiles } = await call('deploy.list', {});
console.log(JSON.stringify({ event: 'ready', root, url, token, profiles: profiles.map(({ name }) => name) }));
