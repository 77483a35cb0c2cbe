import * as z from 'zod';
import { operation } from './operation.ts';

/** What a module with operations of its own is given to describe them, so that it has to import nothing. */
export const operationKit = { operation, z };
export type OperationKit = typeof operationKit;
