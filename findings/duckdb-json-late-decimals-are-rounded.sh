#!/usr/bin/env bash
# DuckDB types a JSON number column by its first 20480 rows. If those hold whole numbers only, a later 1.5 is read as 2
# and -0.6 as -1: no error, no column of another type. A set point log that starts with whole values loses its decimals
# from row 20481 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1
cat >want <<'END'
duckdb 2.0.1
20000 whole values, then 50.4, 49.6, -0.6: [50.4, 49.6, -0.6] DOUBLE
20480 whole values, then 50.4, 49.6, -0.6: [50, 50, -1] BIGINT
END
venv/bin/python - >got <<'END'
import json, duckdb

print("duckdb", duckdb.__version__)
for rows in (20000, 20480):
    with open("points.json", "w") as out:
        for n in range(rows):
            print(json.dumps({"n": n, "setpoint": 50}), file=out)
        for n, v in enumerate((50.4, 49.6, -0.6)):
            print(json.dumps({"n": rows + n, "setpoint": v}), file=out)
    db = duckdb.connect()
    got = db.execute(f"select setpoint, typeof(setpoint) from 'points.json' where n >= {rows} order by n").fetchall()
    print(rows, "whole values, then 50.4, 49.6, -0.6:", [v for v, _ in got], got[0][1])
END
cat got
diff want got && echo "unchanged"
