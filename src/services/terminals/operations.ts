import { actorOf } from '../../contract/access.ts';
import type { Implementations } from '../../contract/operation.ts';
import type { terminals as table } from '../../contract/terminals.ts';
import type { Terminals } from './terminals.ts';

export function terminalOperations(terminals: Terminals): Implementations<typeof table> {
  return {
    'terminals.open': ({ argv, columns, rows, tag, title, ...input }, { caller }) =>
      terminals.open(
        {
          ...input,
          argv: argv as [string, ...string[]] | undefined,
          size: { columns, rows },
          tag,
          title,
          startedBy: actorOf(caller),
        },
        caller.ended,
      ),
    'terminals.list': async () => ({ terminals: await terminals.list() }),
    'terminals.attach': async ({ id }, { caller, signal, emit }) => ({
      terminal: await terminals.attach(id, actorOf(caller), signal, emit),
    }),
    'terminals.input': async ({ id, text }, { signal }) => {
      await terminals.input(id, text, signal);
      return {};
    },
    'terminals.resize': async ({ id, columns, rows }) => {
      await terminals.resize(id, { columns, rows });
      return {};
    },
    'terminals.close': async ({ id }) => {
      await terminals.close(id);
      return {};
    },
  };
}
