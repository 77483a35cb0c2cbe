import type { code as table, LanguageInfo } from '../../contract/code.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import type { Sandbox } from './isolation/sandbox.ts';
import { languages } from './languages.ts';
import type { Runs } from './runs.ts';
import type { Sessions } from './sessions.ts';
import { installLine, type Toolchains } from './toolchains.ts';

type Code = typeof table;

export interface CodeServices {
  runs: Runs;
  sessions: Sessions;
  sandbox: Sandbox;
  toolchains: Toolchains;
}

export function codeOperations({ runs, sessions, sandbox, toolchains }: CodeServices): Implementations<Code> {
  return {
    'code.languages': () => ({ languages: languages.map((language) => languageInfo(language, runs, toolchains)) }),
    'code.isolation': async () => {
      const opened = await sandbox.open();
      return { ...opened, paths: { workdir: sandbox.seenAt('the folder of the session') } };
    },
    'code.run': ({ session, entity, ...request }, call) => runs.run({ ...request, session, entity }, runCallOf(call)),
    'code.input': async ({ run, text, end }, { signal }) => {
      await runs.input(run, text, end, signal);
      return {};
    },
    'code.cancel': ({ run }) => {
      runs.cancel(run);
      return {};
    },
    'code.openSession': ({ entity }) => sessions.info(sessions.open(entity)),
    'code.session': ({ session }) => sessions.info(sessions.use(session)),
    'code.sessions': () => ({ sessions: sessions.all().map((session) => sessions.info(session)) }),
    'code.closeSession': async ({ session }) => {
      sessions.close(sessions.use(session).id);
      await runs.close(session, { all: true });
      sessions.remove(session);
      return {};
    },
    'code.putFile': ({ session, name }, call) => sessions.files.put(sessions.use(session), name, call.body),
    'code.getFile': ({ session: id, id: file }) => {
      const session = sessions.use(id);
      return { head: sessions.files.get(session, file), bytes: sessions.files.read(session, file) };
    },
    'code.removeFile': ({ session, id }) => {
      sessions.files.remove(sessions.use(session), id);
      return {};
    },
    'code.getState': ({ session: id }) => {
      const session = sessions.use(id);
      const { bytes, info } = sessions.variables.read(session);
      return { head: info, bytes: oneChunk(bytes) };
    },
    // What has the old variables is ended when the new ones are all there: a run that came meanwhile would save them over these.
    'code.putState': ({ session: id }, call) =>
      sessions.variables.replace(sessions.use(id), call.body, async () => {
        await runs.close(id, { all: false });
        call.signal.throwIfAborted();
      }),
    'code.removeState': async ({ session: id }) => {
      const session = sessions.use(id);
      await runs.close(id, { all: false });
      sessions.variables.remove(session);
      return {};
    },
  };
}

function languageInfo(language: (typeof languages)[number], runs: Runs, toolchains: Toolchains): LanguageInfo {
  const { code, name, aliases, extension, file, image, timeMultiplier, memoryMultiplier, keepsState, sample } = language;
  return {
    code,
    name,
    aliases: [...aliases],
    extension,
    file,
    compiled: language.compile !== undefined,
    image,
    timeMultiplier,
    memoryMultiplier,
    rollout: runs.rollout(language),
    missing: toolchains.missing(language),
    install: installLine(language),
    keepsState,
    sample,
  };
}

function runCallOf<Item>({ caller, signal, emit }: Call<Item>): {
  caller: string;
  isOwner: boolean;
  signal: AbortSignal;
  emit: Call<Item>['emit'];
} {
  return { caller: caller.id, isOwner: caller.access === 'admin', signal, emit };
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
