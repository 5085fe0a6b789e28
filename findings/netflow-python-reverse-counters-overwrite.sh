#!/usr/bin/env bash
# IPFIX biflows carry the answers' counters as the same elements under enterprise number 29305. The Python library
# `netflow` names both alike, so that the reverse counter replaces the forward one: 300 octets sent and 999 answered are
# read as 999 sent. One-way upload and download look the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check netflow==0.12.2
cat >want <<'END'
netflow 0.12.2
sent 300 octets, answered 999: {'octetDeltaCount': 999}
END
venv/bin/python - >got <<'END'
import struct
from importlib.metadata import version
import netflow

print("netflow", version("netflow"))
fields = [(8, 4, None), (12, 4, None), (1, 8, None), (1, 8, 29305)]
template = struct.pack(">HH", 300, len(fields)) + b"".join(
    struct.pack(">HH", f | (0x8000 if e else 0), n) + (struct.pack(">I", e) if e else b"") for f, n, e in fields
)
record = bytes([10, 0, 0, 9, 10, 0, 0, 2]) + struct.pack(">QQ", 300, 999)
sets = struct.pack(">HH", 2, 4 + len(template)) + template + struct.pack(">HH", 300, 4 + len(record)) + record
message = struct.pack(">HHIII", 10, 16 + len(sets), 1785400000, 0, 1) + sets
print(
    "sent 300 octets, answered 999:",
    {k: v for k, v in netflow.parse_packet(message, {"netflow": {}, "ipfix": {}}).flows[0].data.items() if "ctet" in k},
)
END
cat got
diff want got && echo "unchanged"
