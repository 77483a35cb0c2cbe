import assert from 'node:assert/strict';
import { test } from 'node:test';
import headless from '@xterm/headless';
import { guardTerminal } from './guard-terminal.ts';

interface Core {
  _oscLinkService: { _dataByLinkId: Map<number, unknown> };
}

const link = (address: string, text: string): string => `\x1b]8;;${address}\x1b\\${text}\x1b]8;;\x1b\\`;

for (const most of [2000, 0])
  test(`links that a program writes over one another fill no memory: ${most} are kept`, async () => {
    const terminal = new headless.Terminal({ cols: 20, rows: 3, scrollback: 10, allowProposedApi: true });
    const links = (terminal as unknown as { _core: Core })._core._oscLinkService._dataByLinkId;
    guardTerminal(terminal, ...(most === 0 ? [0] : []));
    const write = (text: string): Promise<void> => new Promise((resolve) => terminal.write(text, resolve));
    const isLink = (x: number): boolean => {
      const { active } = terminal.buffer;
      return (
        active
          .getLine(active.baseY + active.cursorY)
          ?.getCell(x)
          ?.isUnderline() !== 0
      );
    };
    await write(`${link('http://a', 'a')}b`);
    assert.deepEqual([isLink(0), isLink(1)], [most !== 0, false]);
    await write(`\x1b]8;;http://a\x1b\\\r${link(`http://${'a'.repeat(3000)}`, 'a')}`);
    assert.equal(isLink(0), false, 'of a longer address than any that is followed, the text alone');
    await write(Array.from({ length: 3000 }, (_, index) => `\r${link(`http://a/${index}`, 'a')}`).join(''));
    assert.equal(links.size, most);
    assert.equal(isLink(0), false);
    await write(`${'\n'.repeat(20)}\r${link('http://a', 'a')}`);
    assert.equal(isLink(0), most !== 0, 'there is room again once they are scrolled away');
  });
