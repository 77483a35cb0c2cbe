/** A rule that one file or area may break, and why. `where` is a file or folder under src; an entry that nothing needs is a problem. */
export interface Exception {
    rule: Rule;
    where: string;
    reason: string;
}
export type Rule = 'layer' | 'cycle' | 'name' | 'barrel' | 'zod' | 'pure' | 'browser' | 'view' | 'spawn' | 'listen' | 'environment' | 'write' | 'database' | 'computed import' | 'missing';
/** All broken rules of a tree, `files` being paths under src with their text. Test files are free of all rules but names and views. */
export declare function boundaryProblems(files: ReadonlyMap<string, string>, exceptions?: readonly Exception[]): string[];
