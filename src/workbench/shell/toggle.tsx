interface ToggleProps {
  on: boolean;
  label: string;
  title: string;
  /** Called with what it is to be. */
  turn: (on: boolean) => void;
}

/** A letter or two that stand for a switch of a search. */
export function Toggle({ on, label, title, turn }: ToggleProps) {
  return (
    <button type="button" class="tog" aria-pressed={on} aria-label={`${label} ${title}`} title={title} onClick={() => turn(!on)}>
      {label}
    </button>
  );
}
