#!/usr/bin/env bash
# A template of NetFlow 9 belongs to the exporter's source id. The Python library `netflow` keeps templates by number
# alone: when two exporters (or two line cards of one) use number 256, each reads the other's records with its own
# layout. Addresses turn into other addresses without an error, by the order of arrival.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check netflow==0.12.2
cat >want <<'END'
netflow 0.12.2
source id 7, template and record: [{'IPV4_SRC_ADDR': '10.0.0.9', 'IPV4_DST_ADDR': '10.0.0.2', 'IN_BYTES': 300}]
same record after source id 8's template: [{'IPV4_SRC_ADDR': '10.0.0.2', 'IPV4_DST_ADDR': '0.0.1.44', 'IN_BYTES': 167772169}]
END
venv/bin/python - >got <<'END'
import struct
from importlib.metadata import version
import netflow

print("netflow", version("netflow"))


def message(source, *sets):
    return struct.pack(">HHIIII", 9, len(sets), 100000, 1785400000, 1, source) + b"".join(
        struct.pack(">HH", i, 4 + len(b)) + b for i, b in sets
    )


def template(*fields):
    return 0, struct.pack(">HH", 256, len(fields)) + b"".join(struct.pack(">HH", f, 4) for f in fields)


OCTETS, SOURCE, TARGET = 1, 8, 12
record = 256, bytes([10, 0, 0, 9, 10, 0, 0, 2]) + struct.pack(">I", 300)
known = {"netflow": {}, "ipfix": {}}


def flows(*message_):
    return [
        {k: f.data[k] for k in ("IPV4_SRC_ADDR", "IPV4_DST_ADDR", "IN_BYTES")}
        for f in netflow.parse_packet(message(*message_), known).flows
    ]


print("source id 7, template and record:", flows(7, template(SOURCE, TARGET, OCTETS), record))
flows(8, template(OCTETS, SOURCE, TARGET))
print("same record after source id 8's template:", flows(7, record))
END
cat got
diff want got && echo "unchanged"
