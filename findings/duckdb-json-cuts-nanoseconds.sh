#!/usr/bin/env bash
# DuckDB guesses that a JSON text is a time and keeps microseconds of it, though it has a type for nanoseconds. Two
# packets 600 ns apart become simultaneous, and a search for the exact text of a time finds nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1
cat >want <<'END'
duckdb 2.0.1
[('TIMESTAMP WITH TIME ZONE', 1)]
gap 0:00:00
found 0
END
venv/bin/python - >got <<'END'
import json, duckdb

print("duckdb", duckdb.__version__)
with open("packets.json", "w") as out:
    for t in ("2026-01-02T03:04:05.123456100Z", "2026-01-02T03:04:05.123456700Z"):
        print(json.dumps({"ts": t}), file=out)
db = duckdb.connect()
db.execute("set timezone='UTC'")
print(db.execute("select typeof(ts), count(distinct ts) as times from 'packets.json' group by 1").fetchall())
print("gap", db.execute("select max(ts) - min(ts) from 'packets.json'").fetchall()[0][0])
print("found", db.execute("select count(*) from 'packets.json' where ts::varchar like '%123456700%'").fetchall()[0][0])
END
cat got
diff want got && echo "unchanged"
