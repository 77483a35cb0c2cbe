// A runner as they are written by hand: one POST, one `sh -c "compile && run"` in a folder of its own, nothing kept apart. PORT is given.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';

const commands: Record<string, [string, string]> = {
  py: ['code.py', 'python3 code.py'],
  js: ['code.js', 'node code.js'],
  c: ['code.c', 'gcc code.c -o program -lm && ./program'],
  cpp: ['code.cpp', 'g++ -std=c++20 code.cpp -o program && ./program'],
};

createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.on('end', () => {
    const { language, code } = JSON.parse(body) as { language: string; code: string };
    const [file, command] = commands[language] ?? ['', 'false'];
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'peer-runner-'));
    fs.writeFileSync(path.join(folder, file), code);
    const child = spawn('sh', ['-c', command], { cwd: folder, env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp' } });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.once('close', (exitCode) => {
      fs.rmSync(folder, { recursive: true, force: true });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ stdout, exit_code: exitCode }));
    });
  });
}).listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('listening'));
