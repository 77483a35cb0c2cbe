import type { ProcessInfo } from '../../contract/processes.ts';
import { actorNamed, sayActor } from '../actor.ts';
import type { Workbench } from '../workbench.ts';

/** `you`, a name, `agent: fixer`. Who came with the same link is the same to the sidecar. */
export function sayStarter({ info }: Workbench, { name, kind }: ProcessInfo['startedBy']): string {
  const { caller } = info.value ?? {};
  return caller?.name === name && caller.kind === kind ? 'you' : sayActor(actorNamed(name, kind));
}
