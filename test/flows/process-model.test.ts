// Programs of many kinds by several callers at once, with signals, restarts, stops and kills by chance, against a model.
import { ProcessModel } from '../kit/process-model.ts';
import { testPrograms } from '../kit/program-models.ts';

testPrograms(
  ['programs', 'become what they must among signals, restarts and kills'],
  20,
  (random, folder, place) => new ProcessModel(random, folder, place),
);
