import { failureText } from '../failure-text.ts';
import { type Signal, signal } from '@preact/signals';
import { type ErrorFacts, errorFacts, isCanceled } from '../client-port.ts';

export interface ToastAction {
  label: string;
  run: () => void;
}

export interface Toast {
  id: number;
  tone: 'info' | 'bad';
  title: string;
  text: string | undefined;
  actions: readonly ToastAction[];
  /** Of a failure, behind Details. */
  error: ErrorFacts | undefined;
}

const showMs = 6_000;
/** Of one that is the way to undo something: what people who read slowly need (WCAG 2.2.1). */
const showActionsMs = 20_000;
const most = 3;

/** Short messages, at most three; they leave after six seconds, with something to do after twenty, unless looked at; failures stay. */
export class Toasts {
  readonly shown: Signal<readonly Toast[]> = signal([]);
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();
  #nextId = 1;

  say(title: string, more: { text?: string; actions?: readonly ToastAction[] } = {}): number {
    return this.#add({ tone: 'info', title, text: more.text, actions: more.actions ?? [], error: undefined });
  }

  /** `title` says what did not happen; the error says why and what would help. */
  fail(title: string, error: unknown, actions: readonly ToastAction[] = []): number {
    if (isCanceled(error)) return 0;
    const facts = errorFacts(error);
    return this.#add({ tone: 'bad', title, text: failureText(facts), actions, error: facts });
  }

  /** Whether it is shown still. */
  has(id: number): boolean {
    return this.shown.value.some((toast) => toast.id === id);
  }

  dismiss(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.shown.value = this.shown.value.filter((toast) => toast.id !== id);
  }

  /** While the pointer or the focus is on one, none leaves. */
  hold(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  release(): void {
    for (const toast of this.shown.value) if (toast.tone === 'info' && !this.#timers.has(toast.id)) this.#leaveLater(toast);
  }

  #add(toast: Omit<Toast, 'id'>): number {
    const id = this.#nextId++;
    // One that can be acted on may be the only way to do that.
    const isSame = ({ title, tone, actions }: Toast): boolean => title === toast.title && tone === toast.tone && actions.length === 0;
    for (const { id: twin } of this.shown.value.filter(isSame)) this.dismiss(twin);
    while (this.shown.value.length >= most)
      this.dismiss((this.shown.value.find(({ actions }) => actions.length === 0) ?? (this.shown.value[0] as Toast)).id);
    this.shown.value = [...this.shown.value, { ...toast, id }];
    if (toast.tone === 'info') this.#leaveLater({ ...toast, id });
    return id;
  }

  #leaveLater({ id, actions }: Toast): void {
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), actions.length === 0 ? showMs : showActionsMs),
    );
  }
}
