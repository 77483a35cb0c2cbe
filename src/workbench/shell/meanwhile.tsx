import { useWorkbench } from '../use-workbench.ts';

/** What a view says until it has what it asked for: while the link is away, that it waits for that. */
export function Meanwhile({ text }: { text: string }) {
  const { link } = useWorkbench();
  return <p class="hint">{link.live.value ? text : 'Waits for the sidecar.'}</p>;
}
