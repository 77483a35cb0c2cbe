import fs from 'node:fs';
import path from 'node:path';

/** Above us in a checkout (src/sidecar), beside the bundle (dist), above the library (dist/lib). */
const places = ['../../dist/workbench', 'workbench', '../workbench'];

/** The folder of the built workbench; undefined where it was not built or does not come along. */
export function workbenchFolder(): string | undefined {
  return places.map((place) => path.join(import.meta.dirname, place)).find((folder) => fs.existsSync(path.join(folder, 'index.html')));
}
