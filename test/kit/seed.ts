/** The seed of this run's random tests: from SEED (which .ci/run takes from the commit), else a new one; printed, so that a failure can be run again. */
export function testSeed(): number {
  const seed = process.env['SEED'] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env['SEED']);
  console.log(`SEED=${seed}`);
  return seed;
}
