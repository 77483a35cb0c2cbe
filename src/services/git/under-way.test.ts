import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { preparedMessage } from './under-way.ts';

test('the list of conflicts is told from the message before it, and a message of many such lines holds nobody up', () =>
  withScratchFolder('under-way', (folder) => {
    const prepared = (text: string): string | undefined => {
      fs.writeFileSync(path.join(folder, 'MERGE_MSG'), text);
      const bytes = preparedMessage(folder);
      return bytes === undefined ? undefined : Buffer.from(bytes).toString();
    };
    for (const [text, message] of [
      ['Merge\n\n# Conflicts:\n#\ta\n', 'Merge\n\n'],
      ['Merge\n# ---- >8 ----\n# cut\n# Conflicts:\n#\ta\n', 'Merge\n'],
      ['Merge\n; Conflicts:\n', 'Merge\n'],
      ['Merge\n# Conflicts:\n#\ta\ntext\n# Conflicts:\n#\tb\n', 'Merge\n# Conflicts:\n#\ta\ntext\n'],
      ['Merge\n# Conflicts:\n; Conflicts:\n;\ta\n', 'Merge\n# Conflicts:\n'],
      ['Merge\n# Conflicts:\n#\ta', undefined],
      ['Merge\n# Conflicts:\ntext\n', undefined],
      ['# Conflicts:\n#\ta\n', undefined],
      ['Merge\n', undefined],
    ] as const)
      assert.equal(prepared(text), message, text);
    const began = threadMs();
    assert.equal(prepared(`Merge\n${'# - >8 -\n'.repeat(7000)}text\n`), undefined);
    const took = threadMs() - began;
    assert.ok(took < 100, `${took} ms`);
    return Promise.resolve();
  }));
