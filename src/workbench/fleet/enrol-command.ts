export interface EnrolFacts {
  /** Where it is reached, e.g. `https://hub.example.org`. */
  hub: string;
  token: string;
  /** Undefined: the name of the machine. */
  agent: string | undefined;
}

/**
 * The one command for the other machine: swaps the token for a secret of the agent's own, writes the config of its link, which only its user can
 * read, and starts that. Ids and tokens hold no sign that a shell would take for its own.
 */
export function enrolCommand({ hub, token, agent }: EnrolFacts): string {
  return `outrigger link --hub ${hub} --enrol ${token}${agent === undefined ? '' : ` --agent ${agent}`}`;
}
