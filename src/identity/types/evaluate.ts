import { createPrng } from '../../lib/prng.ts';
import { trainTypes } from './model.ts';
import type { TypeAnswer, TypeExample } from './model.ts';

/** What came out for one example when it was not among those learned from. */
export interface TypeTrial {
  readonly type: string;
  readonly answer: TypeAnswer | undefined;
}

/**
 * Stratified cross-validation: the examples of each type are dealt to `folds` parts by a seeded shuffle; each part is
 * judged by what was learned from the others.
 */
export function crossValidate(examples: readonly TypeExample[], folds: number, seed: number): TypeTrial[] {
  const prng = createPrng(seed);
  const foldOf = new Int32Array(examples.length);
  for (const members of byType(examples).values()) {
    for (let i = members.length - 1; i > 0; i--) {
      const j = prng.int(i + 1);
      [members[i], members[j]] = [members[j]!, members[i]!];
    }
    members.forEach((index, i) => (foldOf[index] = i % folds));
  }
  const trials: TypeTrial[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const model = trainTypes(examples.filter((_, index) => foldOf[index] !== fold));
    examples.forEach((example, index) => {
      if (foldOf[index] === fold) trials.push({ type: example.type.name, answer: model.classify(example.features) });
    });
  }
  return trials;
}

/** Each type in turn is left out of the training: what is said of its examples, which should be nothing. */
export function leaveOutTypes(
  examples: readonly TypeExample[],
  groupOf: (type: string) => string = (type) => type,
): TypeTrial[] {
  const trials: TypeTrial[] = [];
  for (const [left, members] of byType(examples)) {
    const model = trainTypes(examples.filter((example) => groupOf(example.type.name) !== groupOf(left)));
    for (const index of members) trials.push({ type: left, answer: model.classify(examples[index]!.features) });
  }
  return trials;
}

function byType(examples: readonly TypeExample[]): Map<string, number[]> {
  const members = new Map<string, number[]>();
  examples.forEach((example, index) => {
    const known = members.get(example.type.name);
    if (known === undefined) members.set(example.type.name, [index]);
    else known.push(index);
  });
  return members;
}
