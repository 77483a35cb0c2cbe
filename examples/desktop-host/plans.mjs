/**
 * Analysis of the host's own, beside the sidecar's operations: `outrigger stdio --root DIR --operation-modules plans.mjs`, then
 * `{"id":"1","method":"plans.open","params":{}}`. It runs in the sidecar and calls it, without a socket between.
 *
 * @type {import('outrigger').OperationModule}
 */
export default ({ operation, z }) => ({
  table: {
    'plans.open': operation({
      summary: 'Tasks that Markdown files still list as open, "- [ ] …".',
      access: 'read',
      scope: 'workspace',
      input: () => z.object({ limit: z.int().positive().default(100) }),
      output: () => z.object({ open: z.array(z.object({ path: z.string(), line: z.int(), task: z.string() })), revision: z.int() }),
      errors: [],
    }),
  },
  implementations: (sidecar) => ({
    'plans.open': async ({ limit }, { signal }) => {
      const question = { pattern: '^\\s*- \\[ \\] .', regex: true, include: ['*.md'], maxResults: limit };
      const { items, revision } = await sidecar.call('search.text', question, { signal });
      const open = items.flatMap(({ path, lines }) => lines.map(({ line, text }) => ({ path, line, task: text.replace(/^\s*- \[ \] /, '') })));
      return { open, revision };
    },
  }),
});
