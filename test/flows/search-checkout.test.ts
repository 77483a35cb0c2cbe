import { test } from 'node:test';
import { requireTool } from '../kit/require-tools.ts';
import { checkoutsAreSearched } from '../kit/search-checkout.ts';

test('right after a checkout of 300 files, who waits for the index finds what ripgrep finds', { skip: requireTool('git') }, () =>
  checkoutsAreSearched(300),
);
