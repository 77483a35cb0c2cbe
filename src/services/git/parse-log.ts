import type { git } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';

export type GitCommit = Output<(typeof git)['git.log']>['commits'][number];

/** One NUL after each field, and `-z` ends a commit with one more. */
export const logFormat = '--format=tformat:%H%x00%P%x00%an%x00%ae%x00%at%x00%D%x00%s%x00%b';
const FIELDS = 8;

/** `git log -z` in the format above, which no field can break: git's text holds no NUL. A commit that was cut off is left out. */
export function parseLog(output: string): GitCommit[] {
  const fields = output.split('\0');
  const commits: GitCommit[] = [];
  for (let at = 0; at + FIELDS < fields.length; at += FIELDS) {
    const [hash = '', parents = '', name = '', email = '', seconds = '', refs = '', subject = '', body = ''] = fields.slice(
      at,
      at + FIELDS,
    );
    commits.push({
      hash,
      parents: parents === '' ? [] : parents.split(' '),
      author: { name, email },
      at: Number(seconds) * 1000,
      subject,
      body: body.replace(/\n+$/, ''),
      // Names of refs hold neither spaces nor commas that a space follows.
      refs: refs === '' ? [] : refs.split(', '),
    });
  }
  return commits;
}
