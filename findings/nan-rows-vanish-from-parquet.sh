#!/usr/bin/env bash
# DuckDB and DataFusion answer the same query differently on a table and on a Parquet file when a column holds NaN. Both
# sort NaN above every number, so `v > 100` is true for it. pyarrow leaves NaN out of the minimum and maximum that it
# writes to the file, and both engines skip row groups by those: the rows are gone, no note. A detector that writes NaN
# for "no value" and asks for outliers gets none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 datafusion==55.0.0 pyarrow==26.0.1
cat >want <<'END'
duckdb 2.0.1 datafusion 55.0.0 pyarrow 26.0.1
statistics in the file: 1.0 to 2.0
v > 100            duckdb     in_memory 1 file 0
v > 100            datafusion in_memory 1 file 0
v = 'NaN'::double  duckdb     in_memory 1 file 0
v = 'NaN'::double  datafusion in_memory 1 file 0
not (v <= 100)     duckdb     in_memory 1 file 0
not (v <= 100)     datafusion in_memory 1 file 0
END
venv/bin/python - >got <<'END'
import datafusion, duckdb, pyarrow as pa, pyarrow.parquet as pq

print("duckdb", duckdb.__version__, "datafusion", datafusion.__version__, "pyarrow", pa.__version__)
points = pa.table({"v": [1.0, 2.0, float("nan")]})
pq.write_table(points, "points.parquet")
stats = pq.ParquetFile("points.parquet").metadata.row_group(0).column(0).statistics
print("statistics in the file:", stats.min, "to", stats.max)
duck = duckdb.connect()
duck.execute("create table in_memory as from 'points.parquet'")
duck.execute("create view file as from 'points.parquet'")
fusion = datafusion.SessionContext()
fusion.from_arrow(points, name="in_memory")
fusion.register_parquet("file", "points.parquet")
engines = {"duckdb": lambda q: duck.execute(q).fetchall()[0][0], "datafusion": lambda q: fusion.sql(q).to_pydict()["n"][0]}
for where in ("v > 100", "v = 'NaN'::double", "not (v <= 100)"):
    for name, ask in engines.items():
        print(
            f"{where:18} {name:10}",
            *[f"{source} {ask(f'select count(*) as n from {source} where {where}')}" for source in ("in_memory", "file")],
        )
END
cat got
diff want got && echo "unchanged"
