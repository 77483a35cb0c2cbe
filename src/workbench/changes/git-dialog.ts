import type { Clash } from '../checkpoints/clash.ts';

export interface Credentials {
  username: string;
  password: string;
}

export interface Choice {
  label: string;
  /** pri: what is most likely wanted; bad: something is lost. */
  tone?: 'pri' | 'bad';
  run: () => void;
}

/** What source control asks about, one at a time, over everything. */
export type GitDialog =
  | {
      kind: 'question';
      title: string;
      text: string;
      files?: readonly string[];
      choices: readonly Choice[];
      /** On the button that does nothing; Cancel where it is left out. */
      dismiss?: string;
    }
  | {
      kind: 'text';
      title: string;
      label: string;
      text?: string;
      initial: string;
      action: string;
      optional?: boolean;
      run: (value: string) => void;
    }
  | { kind: 'credentials'; title: string; refused: boolean; run: (credentials: Credentials) => void }
  | { kind: 'branches' }
  | { kind: 'stashes' }
  | { kind: 'clash'; clash: Clash };
