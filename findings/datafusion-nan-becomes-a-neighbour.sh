#!/usr/bin/env bash
# A Parquet column of 1.0 and NaN is read by DataFusion as 1.0 and 1.0. pyarrow (like other writers) leaves NaN out of
# the smallest and largest value that it notes in the file; DataFusion sees both alike and no null, and puts that
# constant in place of the column. SELECT, avg and isnan() all agree on the wrong value. One more number in the file,
# and the NaN is back. A meter that says "no value" has the last good one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check datafusion==55.0.0 duckdb==2.0.1 pyarrow==26.0.1
cat >want <<'END'
datafusion 55.0.0 duckdb 2.0.1 pyarrow 26.0.1
written [1.0, nan]: duckdb [1.0, nan], datafusion [1.0, 1.0], isnan 0, avg 1.0
written [1.0, nan, nan]: duckdb [1.0, nan, nan], datafusion [1.0, 1.0, 1.0], isnan 0, avg 1.0
written [1.0, 2.0, nan]: duckdb [1.0, 2.0, nan], datafusion [1.0, 2.0, nan], isnan 1, avg nan
END
venv/bin/python - >got <<'END'
import datafusion, duckdb, pyarrow as pa, pyarrow.parquet as pq

print("datafusion", datafusion.__version__, "duckdb", duckdb.__version__, "pyarrow", pa.__version__)
nan = float("nan")
for written in ([1.0, nan], [1.0, nan, nan], [1.0, 2.0, nan]):
    pq.write_table(pa.table({"v": written}), "meter.parquet")
    fusion = datafusion.SessionContext()
    fusion.register_parquet("meter", "meter.parquet")
    ask = lambda q: fusion.sql(q).to_pydict()
    duck = [v for (v,) in duckdb.connect().execute("select v from 'meter.parquet'").fetchall()]
    print(f"written {written}: duckdb {duck}, datafusion {ask('select v from meter')['v']},", end=" ")
    print(
        f"isnan {ask('select count(*) as n from meter where isnan(v)')['n'][0]}, avg {ask('select avg(v) as n from meter')['n'][0]}"
    )
END
cat got
diff want got && echo "unchanged"
