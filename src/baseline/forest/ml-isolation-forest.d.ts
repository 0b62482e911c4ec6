/** The parts of ml-isolation-forest 0.1.0 that we use; the package ships no types. */
declare module 'ml-isolation-forest' {
  /** A leaf has `trainingSet` and no children, an inner node the other four. */
  export interface GrownNode {
    left?: GrownNode;
    right?: GrownNode;
    splitColumn?: number;
    splitValue?: number;
    trainingSet?: number[][];
  }

  export class IsolationForest {
    constructor(options?: { nEstimators?: number });
    forest: GrownNode[];
    train(rows: number[][]): void;
    predict(rows: number[][]): number[];
  }
}
