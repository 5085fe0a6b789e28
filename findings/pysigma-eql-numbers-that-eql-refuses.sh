#!/usr/bin/env bash
# For a list of numbers (Modbus functions 5 and 6) pySigma's EQL backend writes a comparison of strings, `func like~ (5,
# 6)`, which the EQL library refuses as ill-typed, and for one number a wildcard match, `func:5`, refused as well.
# Converting succeeds, so a pipeline that only converts finds out at deployment.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-elasticsearch==2.1.1 eql==1.0.1
cat >want <<'END'
elasticsearch backend 2.1.1 eql 1.0.1
any where func:"plc"                accepted
any where func like~ ("plc", "rtu") accepted
any where func:5                    EqlTypeMismatchError: Error at line:1,column:16
any where func like~ (5, 6)         EqlTypeMismatchError: Error at line:1,column:23
END
venv/bin/python - >got <<'END'
import eql
from importlib.metadata import version
from sigma.backends.elasticsearch import EqlBackend
from sigma.collection import SigmaCollection

print("elasticsearch backend", version("pysigma-backend-elasticsearch"), "eql", eql.__version__)
for value in ("plc", "[plc, rtu]", "5", "[5, 6]"):
    rule = f"title: t\nlogsource: {{category: network}}\ndetection: {{a: {{func: {value}}}, condition: a}}"
    query = EqlBackend().convert(SigmaCollection.from_yaml(rule))[0]
    try:
        with eql.parser.elasticsearch_syntax:
            eql.parse_query(query)
        verdict = "accepted"
    except eql.EqlError as e:
        verdict = type(e).__name__ + ": " + str(e).splitlines()[0]
    print(f"{query:35} {verdict}")
END
cat got
diff want got && echo "unchanged"
