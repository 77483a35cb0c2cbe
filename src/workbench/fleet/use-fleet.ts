import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Fleet } from './fleet.ts';

export const FleetContext = createContext<Fleet | undefined>(undefined);

export function useFleet(): Fleet {
  const fleet = useContext(FleetContext);
  if (fleet === undefined) throw new Error('A view stands outside the page of the hub.');
  return fleet;
}
