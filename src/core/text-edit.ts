/** Take `remove` code units away at `at` and put `insert` there. Offsets are in the old text; a list is sorted and does not overlap. */
export interface TextEdit {
  at: number;
  remove: number;
  insert: string;
}
