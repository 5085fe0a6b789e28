#!/usr/bin/env bash
# A Sigma correlation says how many events: at least 3, more than 3, fewer than 3, exactly 3. The EQL backend of pySigma
# writes one and the same query for all of them; for "3 different targets" it asks for three events with an equal
# target. The Elastalert backend takes "exactly" as "at least". Nothing is refused. The ES|QL backend keeps the
# operator.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-elasticsearch==2.1.1
cat >want <<'END'
pysigma 1.5.1 elasticsearch backend 2.1.1
gte 3: eql sequence by src_ip with maxspan=5m [any where func:5] with runs=3 | es|ql event_count >= 3
gt  3: eql sequence by src_ip with maxspan=5m [any where func:5] with runs=3 | es|ql  event_count > 3
lt  3: eql sequence by src_ip with maxspan=5m [any where func:5] with runs=3 | es|ql  event_count < 3
lte 3: eql sequence by src_ip with maxspan=5m [any where func:5] with runs=3 | es|ql event_count <= 3
eq  3: eql sequence by src_ip with maxspan=5m [any where func:5] with runs=3 | es|ql event_count == 3
3 different targets: eql sequence by src_ip with maxspan=5m [any where func:5] by dst_ip with runs=3
gte 3: elastalert ['num_events:', '3', 'type:', 'frequency']
eq  3: elastalert ['num_events:', '3', 'type:', 'frequency']
END
venv/bin/python - >got <<'END'
from importlib.metadata import version
from sigma.backends.elasticsearch import EqlBackend, ESQLBackend
from sigma.backends.elasticsearch.elasticsearch_elastalert import ElastalertBackend
from sigma.collection import SigmaCollection

print("pysigma", version("pysigma"), "elasticsearch backend", version("pysigma-backend-elasticsearch"))


def convert(backend, kind, condition):
    rule = f"""
title: write
name: write
logsource: {{category: modbus}}
detection: {{a: {{func: 5}}, condition: a}}
---
title: many
correlation: {{type: {kind}, rules: [write], group-by: [src_ip], timespan: 5m, condition: {condition}}}
"""
    return " ".join(str(backend().convert(SigmaCollection.from_yaml(rule))[-1]).split())


for op in ("gte", "gt", "lt", "lte", "eq"):
    print(
        f"{op:3} 3: eql",
        convert(EqlBackend, "event_count", f"{{{op}: 3}}"),
        "| es|ql",
        convert(ESQLBackend, "event_count", f"{{{op}: 3}}")[-16:],
    )
print("3 different targets: eql", convert(EqlBackend, "value_count", "{field: dst_ip, gte: 3}"))
for op in ("gte", "eq"):
    print(
        f"{op:3} 3: elastalert",
        [
            w
            for w in convert(ElastalertBackend, "event_count", f"{{{op}: 3}}").split()
            if w.startswith(("num", "3", "type", "freq"))
        ],
    )
END
cat got
diff want got && echo "unchanged"
