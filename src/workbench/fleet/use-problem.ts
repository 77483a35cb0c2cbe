import { effect, type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { errorFacts, isAway } from '../client-port.ts';
import { useFleet } from './use-fleet.ts';

/** What a form has to say of the last try, '' for nothing. That the hub did not answer goes when it is back. */
export function useProblem(): { problem: Signal<string>; failed: (what: string, error: unknown) => void } {
  const { link } = useFleet();
  const problem = useSignal('');
  const lost = useRef('');
  useEffect(
    () =>
      effect(() => {
        if (link.value.name === 'live' && problem.peek() === lost.current) problem.value = '';
      }),
    [],
  );
  const failed = (what: string, error: unknown): void => {
    problem.value = `${what} ${errorFacts(error).message}`;
    lost.current = isAway(error) ? problem.value : '';
  };
  return { problem, failed };
}
