import { OutriggerError } from '../../contract/errors.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import type { search as table } from '../../contract/search.ts';
import { decodeText } from '../workspace/content.ts';
import { fileError } from '../workspace/file-errors.ts';
import type { FilesBatch } from '../workspace/operations.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { Sight } from './asked-place.ts';
import { type MakeBatch, replaceText } from './replace.ts';
import type { Ripgrep } from './ripgrep.ts';
import type { Search } from './search.ts';

const MAX_OUTLINE_BYTES = 4 * 1024 * 1024;

export function searchOperations(
  {
    search,
    ripgrep,
    workspace,
    secrets,
  }: { search: Search; ripgrep: Ripgrep | undefined; workspace: Workspace; secrets: () => ReadonlySet<string> },
  batch: FilesBatch,
): Implementations<typeof table> {
  const sightOf = ({ caller: { paths, access }, visibleAt }: Call): Sight =>
    paths === undefined && access === 'admin' ? {} : { visible: visibleAt, paths, secrets: access === 'admin' ? [] : [...secrets()] };
  return {
    'search.replace': (input, call) => {
      const make: MakeBatch = async (changes, options, edits) =>
        await batch({ changes: changes as Parameters<typeof batch>[0]['changes'], durability: 'default', ...options }, call, edits);
      const dependencies = { search, ripgrep, workspace, batch: make };
      return replaceText({ ...input, context: 0 }, dependencies, { signal: call.signal, ...sightOf(call) });
    },
    'search.text': (input, call) => search.text(input, { signal: call.signal, ...sightOf(call), found: (file) => call.emit(file) }),
    'search.files': (input, call) => search.files(input, { signal: call.signal, ...sightOf(call) }),
    'search.symbols': async ({ query, limit }, call) => {
      const { symbols, ...rest } = await search.symbols(query, limit, { signal: call.signal, ...sightOf(call) });
      return {
        symbols: symbols.map(({ name, kind, line, column, path, container }) => ({
          name,
          kind,
          line,
          column,
          path,
          ...(container === undefined ? {} : { container }),
        })),
        ...rest,
      };
    },
    'files.outline': async ({ path }, call) => search.outline(path, await textOf(workspace, path, call)),
    'files.hash': async ({ path }, call) => {
      // It may have waited for this part to be there.
      call.confirmScope();
      try {
        return { path, ...(await workspace.hash(path, call.signal)) };
      } catch (error) {
        throw fileError(error, path);
      }
    },
    'index.status': (_input, { caller, visible }) =>
      caller.paths === undefined ? search.status() : { ...search.status(), files: search.count(visible), textBytes: 0, indexBytes: 0 },
    'index.wait': async ({ revision, timeoutMs }, call) => ({ revision: await search.wait(revision, timeoutMs, call.signal) }),
  };
}

/** As files.read gives it, unsaved typing included. */
async function textOf(
  workspace: Workspace,
  path: string,
  { signal, confirmScope }: Pick<Call, 'signal' | 'confirmScope'>,
): Promise<string> {
  await workspace.liveText?.catchUp(path);
  confirmScope();
  const live = workspace.liveText?.read(path);
  if (live !== undefined) return live.raw;
  let bytes: Uint8Array;
  try {
    ({ bytes } = await workspace.read(path, MAX_OUTLINE_BYTES, signal));
  } catch (error) {
    throw fileError(error, path);
  }
  const text = decodeText(bytes);
  if (text === undefined) throw new OutriggerError('NOT_TEXT', `${path} is not text.`);
  return text.replace(/^\uFEFF/, '');
}
