/** Git takes a backslash for a slash here, where it does not begin a name. */
const NTFS = /(^|\/|[^/]\\)(\.git|git~1)[. ]*([:/\\]|$)/i;
const HFS = /(^|\/)\.git(\/|$)/i;
/** What HFS+ leaves out of a name. */
const UNSEEN_ON_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Whether a part of a path is git's own folder on one system or another: git's index keeps no such name, where a tree can hold it.
 * https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreprotectNTFS
 */
export function isGitName(path: string): boolean {
  return NTFS.test(path) || HFS.test(path.replace(UNSEEN_ON_HFS, ''));
}
