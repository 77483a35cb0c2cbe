// Runs one program after another in our place: passes signals on, and gives the exit code as a shell would. Node >= 18.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * `run` starts a program and resolves with its exit code, 128 + n where signal n ended it; `stop` asks the one that runs now to end;
 * `stopSignal()` is the first signal that asked us to. A program started after that gets the signal at once.
 */
export function foreground() {
  let current;
  let stopSignal;
  const stop = (signal) => {
    stopSignal ??= signal;
    current?.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
  const run = (command, args, options) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, options);
      current = child;
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        current = undefined;
        resolve(code ?? exitCodeOf(signal));
      });
      if (stopSignal) child.kill(stopSignal);
    });
  return { run, stop, stopSignal: () => stopSignal };
}

export function exitCodeOf(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/** stdio of a program that takes our place. The channel tells it when we are gone, which SIGKILL would not. */
export const handedOver = ['inherit', 'inherit', 'inherit', 'ipc'];
