#!/usr/bin/env bash
# The step of an unsigned counter that was reset (a device restart) is negative. Polars and Arrow wrap it round to
# 18446744073709551614 without an error when two columns are subtracted; Polars' diff() of the same column and type
# answers -2, and DuckDB raises an error. A rate computed by subtraction shows an exabyte burst.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
cat >want <<'END'
polars 2.1.0 pyarrow 26.0.1 duckdb 2.0.1
polars bytes - shift: [None, 18446744073709551614]
polars diff:          [None, -2]
arrow subtract:       18446744073709551614
duckdb:               OutOfRangeException
END
venv/bin/python - >got <<'END'
import duckdb, polars as pl, pyarrow as pa, pyarrow.compute as pc

print("polars", pl.__version__, "pyarrow", pa.__version__, "duckdb", duckdb.__version__)
frame = pl.DataFrame({"bytes": [5, 3]}, schema={"bytes": pl.UInt64})
print("polars bytes - shift:", frame.select(pl.col("bytes") - pl.col("bytes").shift())["bytes"].to_list())
print("polars diff:         ", frame["bytes"].diff().to_list())
table = frame.to_arrow()
print("arrow subtract:      ", pc.subtract(table["bytes"][1], table["bytes"][0]))
try:
    print("duckdb:              ", duckdb.connect().execute("select 3::ubigint - 5::ubigint").fetchall())
except duckdb.Error as e:
    print("duckdb:              ", type(e).__name__)
END
cat got
diff want got && echo "unchanged"
