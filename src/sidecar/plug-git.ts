import type { Config } from '../config/options.ts';
import { git as table } from '../contract/git.ts';
import type { Health, Check } from './health.ts';
import { LatePart } from './late-part.ts';
import type { OpenedGit, OpenGitDependencies } from './open-git.ts';

type AutoCommit = NonNullable<OpenedGit['auto']>;

/** Makes the repository of the folder an operation away. Answers with the way to stop. */
export async function plugGit(
  { health, implementations, ...dependencies }: OpenGitDependencies & { health: Health; implementations: Record<string, unknown> },
  config: Config,
  { readOnly, secrets }: { readOnly: boolean; secrets: () => ReadonlySet<string> },
): Promise<{ stop(): Promise<void> }> {
  const commitsAlone = config['git.autoCommit'] !== 0 && !readOnly;
  const late = new LatePart(async () => {
    const { openGit } = await import('./open-git.ts');
    return openGit(dependencies, config, { commitsAlone, secrets });
  });
  Object.assign(implementations, late.operations(Object.keys(table)));
  health.add(() => {
    if (dependencies.processes.find('git') !== undefined) return { name: 'git', ok: true, text: 'The program is there.' };
    return {
      name: 'git',
      ok: false,
      text: 'The program git is not on this machine.',
      hint: 'apt-get install git, or leave git out of `components`.',
    };
  });
  const auto = commitsAlone ? (await late.open()).auto : undefined;
  if (auto === undefined) return { stop: () => Promise.resolve() };
  health.add(() => autoCommitCheck(auto, config));
  return auto;
}

function autoCommitCheck({ state }: AutoCommit, config: Config): Check {
  if (state.kind === 'waiting')
    return { name: 'auto-commit', ok: true, text: `Changes are committed after ${config['git.autoCommit']} s without one.` };
  if (state.kind === 'paused') return { name: 'auto-commit', ok: true, text: `Nothing is committed by itself: ${state.why}.` };
  return { name: 'auto-commit', ok: false, text: state.message, hint: 'It is tried again after the next change.' };
}
