/** Before the path of a program of our sources that a test starts by Node, which then reads them as this test file does. */
export const asWeLoad: readonly string[] = process.execArgv.filter((arg) => arg.startsWith('--import='));
