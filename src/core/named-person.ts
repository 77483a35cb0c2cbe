const MAX_NAME_CHARS = 80;

export interface NamedPerson {
  name: string;
  kind: 'agent' | 'person';
  color?: string;
}

/** Who somebody in a document is, by the presence that was sent: any JSON. Of other shapes, and without a name, it is someone. */
export function namedPerson(state: unknown): NamedPerson {
  // y-codemirror and the other bindings put {name, color, …} under "user"; seed 000's clients put them at the top.
  const given = isObject(state) && isObject(state['user']) ? state['user'] : state;
  const user = isObject(given) ? given : {};
  const person: NamedPerson = {
    name: typeof user['name'] === 'string' && user['name'].trim() !== '' ? user['name'].slice(0, MAX_NAME_CHARS) : 'someone',
    kind: user['kind'] === 'agent' ? 'agent' : 'person',
  };
  if (typeof user['color'] === 'string') person.color = user['color'].slice(0, MAX_NAME_CHARS);
  return person;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
