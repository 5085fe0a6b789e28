#!/usr/bin/env bash
# river's Page-Hinkley test compares sums of raw differences with a fixed 50. The same steady signal gives no drift in
# kilobytes and a drift every few dozen values in bytes; ADWIN on the same numbers reports none in either unit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check river==0.26.1
cat >want <<'END'
river 0.26.1
PageHinkley steady traffic in kB   : no drift
ADWIN       steady traffic in kB   : no drift
PageHinkley steady traffic in bytes: more than 100 drifts
ADWIN       steady traffic in bytes: no drift
END
venv/bin/python - >got <<'END'
import random, river
from river import drift

print("river", river.__version__)
rng = random.Random(0)
steady = [rng.gauss(0.8, 0.05) for _ in range(10000)]
for unit, factor in (("kB", 1), ("bytes", 1000)):
    for detector in (drift.PageHinkley(), drift.ADWIN()):
        alarms = 0
        for v in steady:
            detector.update(v * factor)
            alarms += detector.drift_detected
        print(
            f"{type(detector).__name__:11} steady traffic in {unit:5}: {'no drift' if not alarms else 'more than 100 drifts' if alarms > 100 else alarms}"
        )
END
cat got
diff want got && echo "unchanged"
