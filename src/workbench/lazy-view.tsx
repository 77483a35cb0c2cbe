import { useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { loadCode } from './late-code.ts';

export interface LazyView<P> {
  /** Begins to load it, if that was not done. */
  load: () => Promise<ComponentType<P>>;
  View: ComponentType<P & { meanwhile?: ComponentChildren }>;
}

/** A view in a file of its own, loaded when it is first shown or asked for. */
export function lazyView<P extends object>(load: () => Promise<ComponentType<P>>): LazyView<P> {
  let loaded: ComponentType<P> | undefined;
  let loading: Promise<ComponentType<P>> | undefined;
  const begin = (): Promise<ComponentType<P>> => {
    loading ??= loadCode(load).then(
      (view) => (loaded = view),
      (error: unknown) => {
        // The next look tries again: the sidecar may have been away.
        loading = undefined;
        throw error;
      },
    );
    return loading;
  };
  const View = ({ meanwhile, ...props }: P & { meanwhile?: ComponentChildren }) => {
    const ready = useSignal(loaded !== undefined);
    useEffect(() => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const attempt = (): void => {
        begin().then(
          () => (ready.value = true),
          () => (timer = setTimeout(attempt, 1_000)),
        );
      };
      if (!ready.value) attempt();
      return () => clearTimeout(timer);
    }, []);
    const Loaded = loaded;
    return ready.value && Loaded !== undefined ? <Loaded {...(props as unknown as P)} /> : <>{meanwhile}</>;
  };
  return { load: begin, View };
}
