// Many histories of hub-simulation.ts, each with a seed of its own: the n-th is run again alone by SEED=<seed + n> HISTORIES=1.
import { runSimulation, type SimulationCounts, type SimulationPlan } from './hub-simulation.ts';

/** How many histories: HISTORIES, else what is given. */
export function simulationCount(usual: number): number {
  return Number(process.env['HISTORIES'] ?? usual);
}

/** With three to five links; STEPS says how much goes wrong in it. */
export function simulationPlan(seed: number, fault?: SimulationPlan['fault']): SimulationPlan {
  return { seed, links: 3 + (seed % 3), tasks: 10, faults: Number(process.env['STEPS'] ?? 5), fault };
}

export async function runSimulations(seed: number, histories: number, fault?: SimulationPlan['fault']): Promise<SimulationCounts> {
  const counts: SimulationCounts = {};
  for (let history = 0; history < histories; history++) await runSimulation(simulationPlan(seed + history, fault), counts);
  return counts;
}
