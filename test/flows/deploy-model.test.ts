// Deployments by several callers at once, with cancels, watchers, stops and kills by chance, against a model.
import { DeployModel } from '../kit/deploy-model.ts';
import { testPrograms } from '../kit/program-models.ts';

testPrograms(
  ['deployments', 'become what they must among cancels, stops and kills'],
  12,
  (random, folder, place) => new DeployModel(random, folder, place),
);
