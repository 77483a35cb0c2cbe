import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patchFiles } from './patch-lines.ts';

const patch = String.raw`diff --git a/a b/b.txt b/a b/b.txt
index 1..2 100644
--- a/a b/b.txt
+++ b/a b/b.txt
@@ -3 +3,2 @@ def due
-three
+3
+diff --git a/x b/x
diff --git a/link b/link
deleted file mode 100644
--- a/link
+++ /dev/null
@@ -1 +0,0 @@
-was a file
diff --git a/link b/link
new file mode 120000
--- /dev/null
+++ b/link
@@ -0,0 +1 @@
+target
\ No newline at end of file
diff --git "a/new\nline.txt" "b/\320 \"x\".txt"
similarity index 100%
rename from "new\nline.txt"
rename to "\320 \"x\".txt"
`;

test('files of a patch have the names that were told, whatever git makes of them in its headers', () => {
  const names = ['a b/b.txt', 'link', '\u0430 "x".txt'];
  const { files, cut } = patchFiles(patch, names, 100);
  assert.equal(cut, false);
  assert.deepEqual(files, [
    {
      title: 'a b/b.txt',
      lines: [
        { kind: 'hunk', text: 'Line 3 def due' },
        { kind: 'del', text: 'three' },
        { kind: 'add', text: '3' },
        { kind: 'add', text: 'diff --git a/x b/x' },
      ],
    },
    {
      title: 'link',
      lines: [
        { kind: 'hunk', text: 'Line 0' },
        { kind: 'del', text: 'was a file' },
      ],
    },
    {
      title: 'link',
      lines: [
        { kind: 'hunk', text: 'Line 1' },
        { kind: 'add', text: 'target' },
      ],
    },
    { title: '\u0430 "x".txt', lines: [] },
  ]);
});

test('of more files than were told the header names the rest, and of more lines than wanted it says so', () => {
  const { files, cut } = patchFiles(patch, ['a b/b.txt'], 5);
  assert.deepEqual(
    [files.map(({ title, lines }) => [title, lines.length]), cut],
    [
      [
        ['a b/b.txt', 4],
        ['a/link b/link', 2],
        ['a/link b/link', 2],
      ],
      true,
    ],
  );
});
