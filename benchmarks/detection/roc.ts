/** What a score is worth where it is known which rows are positive: no threshold is chosen by hand. */
export interface Worth {
  /** Mann and Whitney's statistic, ties counted half. */
  readonly auc: number;
  /** Mean of false positive and false negative rate where they are closest. */
  readonly eer: number;
  /** Best true positive rate at a false positive rate of at most 0.1 % and 1 %. */
  readonly tpr01: number;
  readonly tpr1: number;
  /** The highest score with which `tpr01` is reached: what is at least as high is flagged. */
  readonly threshold01: number;
}

/** @param labels 1 positive, 0 negative, anything else is left out */
export function worthOf(scores: Float64Array, labels: Int8Array): Worth {
  const order = [...labels.keys()].filter((i) => labels[i] === 0 || labels[i] === 1);
  order.sort((a, b) => scores[b]! - scores[a]!);
  let positives = 0;
  for (const i of order) positives += labels[i]!;
  const negatives = order.length - positives;
  let tp = 0;
  let fp = 0;
  let area = 0;
  let tpr01 = 0;
  let tpr1 = 0;
  let threshold01 = Infinity;
  let closest = Infinity;
  let eer = 1;
  for (let k = 0; k < order.length;) {
    const score = scores[order[k]!]!;
    const tpBefore = tp;
    const fpBefore = fp;
    for (; k < order.length && scores[order[k]!] === score; k++) {
      if (labels[order[k]!] === 1) tp++;
      else fp++;
    }
    area += ((fp - fpBefore) * (tp + tpBefore)) / 2;
    const fpr = fp / negatives;
    const fnr = 1 - tp / positives;
    if (fpr <= 0.001 && tp / positives > tpr01) {
      tpr01 = tp / positives;
      threshold01 = score;
    }
    if (fpr <= 0.01) tpr1 = tp / positives;
    if (Math.abs(fpr - fnr) < closest) {
      closest = Math.abs(fpr - fnr);
      eer = (fpr + fnr) / 2;
    }
  }
  return { auc: area / (positives * negatives), eer, tpr01, tpr1, threshold01 };
}
