#!/usr/bin/env bash
# Polars and DuckDB guess the columns of newline-delimited JSON from the first 100 and the first 20480 rows. A field
# that appears later (the signature of the only alert among the flows of an EVE log) is dropped without a word; pyarrow
# keeps it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
cat >want <<'END'
polars 2.1.0 duckdb 2.0.1 pyarrow 26.0.1
   99 flows, then an alert: polars  has the signature
   99 flows, then an alert: duckdb  has the signature
   99 flows, then an alert: pyarrow has the signature
  100 flows, then an alert: polars  drops the signature
  100 flows, then an alert: duckdb  has the signature
  100 flows, then an alert: pyarrow has the signature
20479 flows, then an alert: polars  drops the signature
20479 flows, then an alert: duckdb  has the signature
20479 flows, then an alert: pyarrow has the signature
20480 flows, then an alert: polars  drops the signature
20480 flows, then an alert: duckdb  drops the signature
20480 flows, then an alert: pyarrow has the signature
END
venv/bin/python - >got <<'END'
import json, duckdb, polars as pl, pyarrow as pa, pyarrow.json

print("polars", pl.__version__, "duckdb", duckdb.__version__, "pyarrow", pa.__version__)
readers = {
    "polars": lambda f: pl.read_ndjson(f).columns,
    "duckdb": lambda f: [c[0] for c in duckdb.connect().execute(f"describe select * from '{f}'").fetchall()],
    "pyarrow": lambda f: pyarrow.json.read_json(f).column_names,
}
for flows in (99, 100, 20479, 20480):
    with open("eve.json", "w") as out:
        for n in range(flows):
            print(json.dumps({"flow_id": n, "event_type": "flow"}), file=out)
        print(json.dumps({"flow_id": flows, "event_type": "alert", "signature": "write to breaker"}), file=out)
    for name, columns in readers.items():
        print(
            f"{flows:5} flows, then an alert: {name:7} {'has' if 'signature' in columns('eve.json') else 'drops'} the signature"
        )
END
cat got
diff want got && echo "unchanged"
