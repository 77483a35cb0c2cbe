/** What tokens come to in the theme of now, as `#rrggbb`: custom properties hold `light-dark()` unresolved, an element tells. */
export function tokenColors<Name extends string>(tokens: Readonly<Record<Name, string>>): Record<Name, string> {
  const probe = document.createElement('i');
  probe.hidden = true;
  document.body.append(probe);
  const resolved = Object.entries<string>(tokens).map(([name, token]) => {
    probe.style.color = `var(${token})`;
    return [name, hexadecimal(getComputedStyle(probe).color)];
  });
  probe.remove();
  return Object.fromEntries(resolved) as Record<Name, string>;
}

function hexadecimal(color: string): string {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return `#${[red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}
