/**
 * Arguments with which git looks for `.git` alone. By itself it takes any folder that holds HEAD, objects and refs for a repository, before one above: whoever may
 * write plain files could make one, with programs in its config. Since git 2.38; one before passes over it.
 * https://git-scm.com/docs/git-config#Documentation/git-config.txt-safebareRepository
 */
export const explicitRepository = ['-c', 'safe.bareRepository=explicit'] as const;
