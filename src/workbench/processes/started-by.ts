import type { ProcessInfo } from '../../contract/processes.ts';
import { actorNamed, sayActor } from '../actor.ts';
import type { Workbench } from '../workbench.ts';

/** `you`, a name, `agent: fixer`. */
export function sayStarter(workbench: Workbench, { name, kind }: ProcessInfo['startedBy']): string {
  const actor = actorNamed(name, kind);
  return workbench.isMe(actor) ? 'you' : sayActor(actor);
}
