/** One of the symbols in index.html. Decoration: what it means is said beside it or in its button's name. */
export function Icon({ name, small = false }: { name: string; small?: boolean }) {
  return (
    <svg class={small ? 'i s' : 'i'} aria-hidden="true">
      <use href={`#i-${name}`} />
    </svg>
  );
}
