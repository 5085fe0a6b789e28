#!/usr/bin/env bash
# Sigma compares strings without regard to case. The SQLite backend of pySigma does so for a value with a wildcard
# (LIKE) and not for one without (=): `host: plc-1` misses the event of PLC-1 that `host: plc-1*` finds. One rule file,
# two habits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-sqlite==2.0.0
cat >want <<'END'
pysigma-backend-sqlite 2.0.0
host: plc-1   found 0   SELECT * FROM logs WHERE host='plc-1'
host: plc-1*  found 1   SELECT * FROM logs WHERE host LIKE 'plc-1%' ESCAPE '\'
host: PLC-1   found 1   SELECT * FROM logs WHERE host='PLC-1'
END
venv/bin/python - >got <<'END'
import sqlite3
from importlib.metadata import version
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

print("pysigma-backend-sqlite", version("pysigma-backend-sqlite"))
db = sqlite3.connect(":memory:")
db.execute("create table logs(host)")
db.execute("insert into logs values ('PLC-1')")
for value in ("plc-1", "plc-1*", "PLC-1"):
    rule = f"title: t\nlogsource: {{category: network}}\ndetection: {{a: {{host: '{value}'}}, condition: a}}"
    query = sqliteBackend().convert(SigmaCollection.from_yaml(rule))[0]
    print(f"host: {value:7} found {len(db.execute(query).fetchall())}   {query}")
END
cat got
diff want got && echo "unchanged"
