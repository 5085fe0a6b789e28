#!/usr/bin/env bash
# DuckDB answers the same query differently on a table and on a Parquet file when a column holds NaN.
# DuckDB sorts NaN above every number, so `v > 100` is true for it. pyarrow leaves NaN out of the minimum
# and maximum that it writes to the file, and DuckDB skips row groups by those: the rows are gone, no note.
# A detector that writes NaN for "no value" and asks for outliers gets none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
cat >want <<'END'
duckdb 2.0.1 pyarrow 26.0.1
statistics in the file: 1.0 to 2.0
v > 100            table 1  file 0
v = 'nan'::double  table 1  file 0
not (v <= 100)     table 1  file 0
END
venv/bin/python - >got <<'END'
import duckdb, pyarrow as pa, pyarrow.parquet as pq

print("duckdb", duckdb.__version__, "pyarrow", pa.__version__)
pq.write_table(pa.table({"v": [1.0, 2.0, float("nan")]}), "points.parquet")
stats = pq.ParquetFile("points.parquet").metadata.row_group(0).column(0).statistics
print("statistics in the file:", stats.min, "to", stats.max)
db = duckdb.connect()
db.execute("create table points as from 'points.parquet'")
for where in ("v > 100", "v = 'nan'::double", "not (v <= 100)"):
    rows = [db.execute(f"select count(*) from {src} where {where}").fetchall()[0][0] for src in ("points", "'points.parquet'")]
    print(f"{where:18} table {rows[0]}  file {rows[1]}")
END
cat got
diff want got && echo "unchanged"
