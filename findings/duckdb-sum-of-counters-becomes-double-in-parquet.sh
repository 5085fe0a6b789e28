#!/usr/bin/env bash
# DuckDB adds BIGINT columns into a HUGEINT, exactly, and COPY writes a HUGEINT to Parquet as DOUBLE. A total of byte or
# energy counters above 2^53 is right on the screen and wrong in the exported file; the data frame of the Python client
# has the same loss.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 pandas==3.1.1
cat >want <<'END'
duckdb 2.0.1
query   9007199254740993 HUGEINT
parquet 9007199254740992 double
pandas  9007199254740992 float64
END
venv/bin/python - >got <<'END'
import duckdb, pyarrow.parquet as pq

print("duckdb", duckdb.__version__)
db = duckdb.connect()
db.execute("create table flows(bytes bigint)")
db.execute("insert into flows values (9007199254740992), (1)")
total = "select sum(bytes) as total from flows"
print("query  ", db.execute(total).fetchall()[0][0], db.execute(f"select typeof(total) from ({total})").fetchall()[0][0])
db.execute(f"copy ({total}) to 'total.parquet'")
column = pq.read_table("total.parquet")["total"]
print("parquet", int(column[0].as_py()), column.type)
frame = db.execute(total).df()
print("pandas ", int(frame["total"][0]), frame["total"].dtype)
END
cat got
diff want got && echo "unchanged"
