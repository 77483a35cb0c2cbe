import path from 'node:path';

/** The file of the command line: of the bundle, where a run of all tests has built one, else its sources. */
export const main = process.env['TEST_COMMAND'] ?? path.join(import.meta.dirname, '../../src/cli/main.ts');
