#!/usr/bin/env bash
# DataFusion's integers wrap round without an error: the sum of two BIGINT counters is negative and 250 + 10 of UInt8 is
# 4. DuckDB widens the one and raises an error for the other. An hour's total of a 64-bit counter, or the length of two
# 8-bit fields, is plain wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check datafusion==55.0.0 duckdb==2.0.1 pyarrow==26.0.1
cat >want <<'END'
datafusion 55.0.0 duckdb 2.0.1
sum of BIGINT      datafusion -9223372036854775808, duckdb 9223372036854775808
250 + 10 of UInt8  datafusion 4, duckdb OutOfRangeException
END
venv/bin/python - >got <<'END'
import datafusion, duckdb

print("datafusion", datafusion.__version__, "duckdb", duckdb.__version__)
fusion, duck = datafusion.SessionContext(), duckdb.connect()
for what, one, other in (
    ("sum of BIGINT", "select sum(x) as n from (values (9223372036854775807), (1)) as t(x)", None),
    (
        "250 + 10 of UInt8",
        "select arrow_cast(250, 'UInt8') + arrow_cast(10, 'UInt8') as n",
        "select 250::utinyint + 10::utinyint",
    ),
):
    try:
        second = duck.execute(other or one).fetchall()[0][0]
    except duckdb.Error as e:
        second = type(e).__name__
    print(f"{what:18} datafusion {fusion.sql(one).to_pydict()['n'][0]}, duckdb {second}")
END
cat got
diff want got && echo "unchanged"
