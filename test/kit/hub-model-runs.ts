// The model of the hub as a property of fast-check.
import fc from 'fast-check';
import { type ModelCounts, type ModelFault, runHistory } from './hub-model.ts';
import { MemoryTable, type TableFault } from './hub-model-tables.ts';
import { Random } from './random.ts';

/** Steps of a history at most. */
const MAX_STEPS = 200;
const tableFaults: readonly TableFault[] = ['fence', 'dedupe', 'audit', 'count', 'keep', 'steps'];

/** How many histories: STEPS, else what is given. */
export function historyCount(usual: number): number {
  return Number(process.env['STEPS'] ?? usual);
}

export function histories(maxLength: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(), { minLength: 1, maxLength, size: 'max' });
}

/** That a history holds, on the machine alone; `fault` turns a guard off. */
export function modelProperty(counts: ModelCounts, fault?: ModelFault | TableFault): fc.IProperty<[number[], number]> {
  return fc.property(histories(MAX_STEPS), fc.nat(), (history, chance) => {
    const clock = { now: 1_000_000_000_000, setBy: 0 };
    const random = new Random(chance);
    const ofTable = tableFaults.find((one) => one === fault);
    const table = new MemoryTable(clock, () => random.below(1000) / 1000, ofTable);
    runHistory(history, table, clock, counts, ofTable === undefined ? (fault as ModelFault | undefined) : undefined);
  });
}
