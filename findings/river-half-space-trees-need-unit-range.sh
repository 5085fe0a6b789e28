#!/usr/bin/env bash
# river's half-space trees cut the range 0 to 1. Fed with byte counts, the score is 0.0 for every row, for a burst of a
# gigabyte as well: no error, no warning. With scaling in front the first 250 scores are 0 whatever comes (one window
# has to pass).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check river==0.26.1
cat >want <<'END'
river 0.26.1
raw bytes    burst at row 200: 0.0, burst at row 1900: 0.0, highest normal score 0.0
scaled bytes burst at row 200: 0.0, burst at row 1900: 1.0, highest normal score 0.8
END
venv/bin/python - >got <<'END'
import random, river
from river import anomaly, preprocessing

print("river", river.__version__)
for name, model in (
    ("raw bytes", anomaly.HalfSpaceTrees(seed=1)),
    ("scaled bytes", preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)),
):
    rng, scores = random.Random(0), []
    for n in range(2000):
        row = {"bytes": 1e9 if n in (200, 1900) else rng.gauss(800, 50)}
        scores.append(model.score_one(row))
        model.learn_one(row)
    print(
        f"{name:12} burst at row 200: {scores[200]:.1f}, burst at row 1900: {scores[1900]:.1f}, highest normal score {max(scores[:1900]):.1f}"
    )
END
cat got
diff want got && echo "unchanged"
