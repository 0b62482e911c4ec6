"""Scores of scikit-learn's isolation forest and of PySAD's KitNet on rows of features, for kitsune.ts.

usage: kitsune.peers.py FEATURES.f32 COLUMNS TRAINING_ROWS OUT_FOLDER
"""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest

path, columns, training, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
x = np.fromfile(path, dtype="<f4").reshape(-1, columns).astype(np.float64)
said = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "python": sys.version.split()[0]}

for seed in range(5):
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=seed).fit(x[:training])
    (-forest.score_samples(x)).astype("<f4").tofile(f"{out}/sklearn-{seed}.f32")

try:
    import pysad
    from pysad.models import KitNet

    started = time.time()
    model = KitNet(max_size_ae=10, grace_feature_mapping=training // 6, grace_anomaly_detector=training - training // 6,
                   learning_rate=0.1, hidden_ratio=0.75)
    scores = np.zeros(len(x))
    for i in range(len(x)):
        if i < training:
            model.fit_partial(x[i])
        else:
            scores[i] = model.score_partial(x[i])
    np.nan_to_num(scores).astype("<f4").tofile(f"{out}/kitnet.f32")
    said["pysad"] = pysad.__version__
    said["kitnet_rows_per_s"] = round(len(x) / (time.time() - started))
except Exception as error:  # it needs more than a bare Python offers; its absence is said in the table
    said["pysad_failed"] = repr(error)[:200]

print(json.dumps(said))
