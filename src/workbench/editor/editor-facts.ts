/** Where the caret is and what is around it, for the bars around the editor. */
export interface EditorFacts {
  line: number;
  /** In characters, from 1. */
  column: number;
  /** Characters chosen. */
  selected: number;
  trail: readonly string[];
  indent: string;
  lines: number;
}
