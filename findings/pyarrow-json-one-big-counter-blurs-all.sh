#!/usr/bin/env bash
# pyarrow reads a JSON column with one number above 2^63-1 as double, the whole of it: every other id or counter of the
# column above 2^53 loses its last digits, silently. Suricata writes such numbers for negative DNP3 values, and 64-bit
# SNMP and flow counters reach them. DuckDB reads the same file exactly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1
cat >want <<'END'
pyarrow 26.0.1 duckdb 2.0.1
wrote [9007199254740993, 7]
  pyarrow int64 [9007199254740993, 7]
  duckdb  [9007199254740993, 7]
wrote [9007199254740993, 18446744073709551611]
  pyarrow double [9007199254740992, 18446744073709551616]
  duckdb  [9007199254740993, 18446744073709551611]
END
venv/bin/python - >got <<'END'
import json, duckdb, pyarrow as pa, pyarrow.json

print("pyarrow", pa.__version__, "duckdb", duckdb.__version__)
for values in ([9007199254740993, 7], [9007199254740993, 18446744073709551611]):
    with open("c.json", "w") as out:
        for v in values:
            print(json.dumps({"v": v}), file=out)
    column = pyarrow.json.read_json("c.json")["v"]
    print("wrote", values)
    print("  pyarrow", column.type, [int(v) for v in column.to_pylist()])
    print("  duckdb ", [v for (v,) in duckdb.connect().execute("from 'c.json'").fetchall()])
END
cat got
diff want got && echo "unchanged"
