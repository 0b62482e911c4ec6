export { loadForest, saveForest } from './codec.ts';
export { createForest } from './forest.ts';
export type { Explanation, FeatureContribution, Forest, ForestData } from './forest.ts';
export { MIN_TRAINING_ROWS, trainForest } from './train.ts';
export type { TrainOptions, TrainOutcome, TrainRefusal } from './train.ts';
