// A bare loop: a line of JSON in, a file read, a line of JSON out. `node bench/peer-stdio.ts FOLDER`
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const folder = process.argv[2] ?? '.';
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, params } = JSON.parse(line) as { id: string; params: { path: string } };
  fs.readFile(path.join(folder, params.path), 'utf8', (error, text) => {
    const answer =
      error === null ? { id, ok: true, result: { path: params.path, text } } : { id, ok: false, error: { message: error.message } };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
});
