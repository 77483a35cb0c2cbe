/** How a task stands, as a person says it. `tone` is its shape and colour. */
export interface TaskSign {
  word: string;
  tone: 'queued' | 'retry' | 'offered' | 'running' | 'done' | 'failed' | 'dead' | 'cancelled';
}

export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}

/** The end of a long id: its beginning is the time, and much the same for all. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(-6) : id;
}

/** Anything that leaves ink. */
const ink = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** What a task is called: how its description begins, or its id where nothing of that can be seen. */
export function taskTitle(task: { id: string; description: string }): string {
  const name = taskName(task);
  return name === shortId(task.id) ? `Task ${name}` : name;
}

/** The same after the word "task". */
export function taskName({ id, description }: { id: string; description: string }): string {
  const first = firstLine(description);
  return ink.test(first) ? first : shortId(id);
}
