import { type Browser, type Page } from 'playwright-core';
/** For a test's `skip` option. */
export declare const noBrowser: string | false;
export declare const noBrowserOrGit: string | false;
export declare const pageToken = "token-of-the-page-tests-0123456789abcdef";
export interface ServedFolder {
    readonly url: string;
    readonly root: string;
    /** SIGKILL, and waits for the end. */
    kill(): Promise<void>;
    /** The same folder, state and port again, after `kill`. */
    restart(): Promise<void>;
    /** A token with less than all access. */
    scopedToken(access: 'read' | 'write'): string;
}
export interface PageOptions {
    /** How others see who sits there. */
    name?: string;
    theme?: 'light' | 'dark';
    size?: [width: number, height: number];
    token?: string;
    /** Of the address, instead of the login. */
    at?: string;
}
export interface Workbenches extends ServedFolder {
    readonly browser: Browser;
    /** Opens the workbench as another person: a browser context of its own. What goes wrong in it fails the test at the end. */
    page(options?: PageOptions): Promise<Page>;
}
/** A real sidecar on a scratch folder with these files, and a real browser to look at it. */
export declare function withWorkbench(files: Record<string, string>, run: (workbenches: Workbenches) => Promise<void>, options?: {
    git?: boolean;
}): Promise<void>;
/** git in the scratch folder, as a person called Lead. */
export declare function git(root: string, ...command: string[]): string;
/** What axe finds wrong, as lines to read. */
export declare function accessibilityProblems(page: Page): Promise<string[]>;
