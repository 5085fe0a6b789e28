#!/usr/bin/env bash
# A pcapng file can carry the interface's own counters of received and dropped packets: the evidence that a capture has
# holes. editcap and mergecap copy the packets and leave those blocks out, even when nothing is edited. After "just
# cutting the file to the hour" a lossy capture is a clean one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v tshark >/dev/null || apt-get install -y -qq --no-install-recommends tshark=4.0.17-0+deb12u3 >/dev/null
dpkg-query -W tshark >got
cat >ng.py <<'END'
"""Writes pcapng blocks by hand: sections, interfaces with options, packets, interface statistics."""

import struct


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def options(*pairs):
    return b"".join(struct.pack("<HH", c, len(v)) + v + b"\0" * (-len(v) % 4) for c, v in (*pairs, (0, b"")))


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
FRAME = bytes(12) + b"\x08\0" + bytes.fromhex("4500001c00010000401166cd0a0000010a0000021388138800080000")


def interface(resolution, offset=0):
    return block(1, struct.pack("<HHI", 1, 0, 0) + options((9, bytes([resolution])), (14, struct.pack("<q", offset))))


def packet(interface_id, ticks):
    return block(6, struct.pack("<IIIII", interface_id, ticks >> 32, ticks & 0xFFFFFFFF, len(FRAME), len(FRAME)) + FRAME)


def statistics(interface_id, ticks, received, dropped):
    return block(
        5,
        struct.pack("<III", interface_id, ticks >> 32, ticks & 0xFFFFFFFF)
        + options((4, struct.pack("<Q", received)), (5, struct.pack("<Q", dropped))),
    )
END
cat >want <<'END'
tshark	4.0.17-0+deb12u3
lossy: packets 1, statistics blocks 1
edited: packets 1, statistics blocks 0
merged: packets 1, statistics blocks 0
END
python3 - <<'END'
from ng import SECTION, interface, packet, statistics

open("lossy.pcapng", "wb").write(
    SECTION + interface(9) + packet(0, 1785400000 * 10**9) + statistics(0, 1785400001 * 10**9, 1000, 170)
)
END
editcap lossy.pcapng edited.pcapng
mergecap -w merged.pcapng lossy.pcapng
for f in lossy edited merged; do
  python3 - $f >>got <<'END'
import struct, sys

data, at, kinds = open(sys.argv[1] + ".pcapng", "rb").read(), 0, []
while at < len(data):
    kind, size = struct.unpack_from("<II", data, at)
    kinds.append(kind)
    at += size
print(f"{sys.argv[1]}: packets {kinds.count(6)}, statistics blocks {kinds.count(5)}")
END
done
cat got
diff want got && echo "unchanged"
