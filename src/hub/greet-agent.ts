import { hubCloseCodes, readAgentFrame } from '../contract/hub.ts';
import type { PeerTimers } from '../core/peer.ts';
import type { TextSocket } from '../net/text-socket.ts';
import { type AgentSession, MAX_BAD_FRAMES, TOO_MANY_BAD } from './agent-session.ts';
import type { Fleet } from './fleet.ts';
import { readJson } from '../core/json-text.ts';

const IDENTIFY_WITHIN_MS = 10_000;

interface GreetDependencies {
  fleet: Pick<Fleet, 'admit' | 'left'>;
  timers: PeerTimers;
  log: (level: 'error', event: string, facts: Record<string, unknown>) => void;
}

/** One socket from its handshake on: until it says who it is, it is nobody's. */
export function greetAgent(socket: TextSocket, address: string | null, { fleet, timers, log }: GreetDependencies): void {
  let session: AgentSession | undefined;
  let admitting = false;
  let isOver = false;
  let badFrames = 0;
  const late: string[] = [];
  // Not `auth`: what it says may be on its way, with a secret that holds.
  const timer = timers.set(() => socket.close(hubCloseCodes.policy, 'not identified'), IDENTIFY_WITHIN_MS);
  socket.onClose(() => {
    isOver = true;
    timers.clear(timer);
    if (session !== undefined) fleet.left(session);
  });
  socket.onBad((problem) => {
    if (session === undefined) socket.close(hubCloseCodes.protocol, problem);
    else session.bad({ error: 'invalid_json' });
  });
  socket.onText((text) => {
    if (session !== undefined) return session.receive(text);
    // What comes while it is let in waits for that.
    if (isOver) return;
    if (admitting) {
      late.push(text);
      return;
    }
    const read = readAgentFrame(text, readJson);
    if (!('frame' in read) || read.frame.type !== 'identify') {
      const invalid = 'problem' in read && read.type === 'identify' ? { error: 'validation_failed', errors: read.errors } : undefined;
      socket.send(
        JSON.stringify({
          type: 'error',
          ...(invalid ?? { error: 'problem' in read && read.type === undefined ? read.problem : 'not_identified' }),
        }),
      );
      if (++badFrames > MAX_BAD_FRAMES) {
        isOver = true;
        socket.close(hubCloseCodes.policy, TOO_MANY_BAD);
      }
      return;
    }
    admitting = true;
    timers.clear(timer);
    socket.pause();
    fleet.admit(read.frame, socket, address).then(
      (admitted) => {
        session = admitted;
        socket.resume();
        // Refused: what it says until its socket is closed is not heard.
        if (admitted === undefined) isOver = true;
        else if (isOver) fleet.left(admitted);
        else for (const one of late.splice(0)) admitted.receive(one);
      },
      (error: unknown) => {
        log('error', 'hub.not-admitted', { error });
        isOver = true;
        socket.close(hubCloseCodes.restart, 'try again');
      },
    );
  });
}
