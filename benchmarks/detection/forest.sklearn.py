"""AUC of scikit-learn's IsolationForest on the ADBench sets, written as JSON to stdout.

usage: python forest.sklearn.py <folder with *.csv.gz> > forest.sklearn.json
Five seeds (0..4), fitted and scored on the whole set, 100 trees of 256 rows; sd is the sample standard deviation.
"""

import glob
import gzip
import json
import os
import platform
import sys

import numpy
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

SEEDS = [0, 1, 2, 3, 4]

sets = {}
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.csv.gz"))):
    with gzip.open(path, "rt") as handle:
        table = numpy.loadtxt(handle, delimiter=",", skiprows=1)
    features, label = table[:, :-1], table[:, -1]
    aucs = []
    for seed in SEEDS:
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(features)
        aucs.append(roc_auc_score(label, -forest.score_samples(features)))
    sets[os.path.basename(path)[: -len(".csv.gz")]] = {
        "rows": len(label),
        "columns": features.shape[1],
        "mean": round(float(numpy.mean(aucs)), 5),
        "sd": round(float(numpy.std(aucs, ddof=1)), 5),
    }

json.dump(
    {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": numpy.__version__,
        "seeds": SEEDS,
        "trees": 100,
        "sampleSize": 256,
        "sets": sets,
    },
    sys.stdout,
    indent=2,
)
print()
