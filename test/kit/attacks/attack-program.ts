// `node attack-program.ts <rung> <base>`: all attacks as whoever runs it; one line of JSON for each.
import { AttackRange } from './attack-range.ts';
import { attacks, mustBeContained } from './attack-table.ts';

const [rung, base = ''] = process.argv.slice(2);
const range = new AttackRange(base, Number(rung) as 2 | 3);
await range.open();
const { isolation } = await range.sandbox.open();
console.log(
  JSON.stringify({ name: 'rung', problem: isolation.rung === Number(rung) ? null : `only rung ${isolation.rung} works`, isolation }),
);
for (const attack of attacks) {
  let problem: string | null = null;
  try {
    await mustBeContained(range, attack);
  } catch (error) {
    problem = (error as Error).message;
  }
  console.log(JSON.stringify({ name: attack.name, problem }));
}
await range.close();
