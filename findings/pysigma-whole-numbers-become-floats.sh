#!/usr/bin/env bash
# pySigma keeps the numbers of a rule as floats: above 2^53 a whole number becomes another one, and is written with a
# fraction or an exponent. A rule for the 64-bit id 9007199254740993 asks for ...992.0 in every backend and never
# matches.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-splunk==2.1.0 pysigma-backend-sqlite==2.0.0
cat >want <<'END'
pysigma 1.5.1
9007199254740992 -> ['flow_id=9007199254740992', 'SELECT * FROM logs WHERE flow_id=9007199254740992']
9007199254740993 -> ['flow_id=9007199254740992.0', 'SELECT * FROM logs WHERE flow_id=9007199254740992.0']
18446744073709551611 -> ['flow_id=1.8446744073709552e+19', 'SELECT * FROM logs WHERE flow_id=1.8446744073709552e+19']
END
venv/bin/python - >got <<'END'
from importlib.metadata import version
from sigma.backends.splunk import SplunkBackend
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

print("pysigma", version("pysigma"))
for value in (9007199254740992, 9007199254740993, 18446744073709551611):
    rule = f"title: t\nlogsource: {{category: network}}\ndetection: {{a: {{flow_id: {value}}}, condition: a}}"
    print(value, "->", [b().convert(SigmaCollection.from_yaml(rule))[0] for b in (SplunkBackend, sqliteBackend)])
END
cat got
diff want got && echo "unchanged"
