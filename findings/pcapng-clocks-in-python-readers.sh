#!/usr/bin/env bash
# pcapng gives each interface its own clock. scapy ignores an interface's offset in seconds (if_tsoffset), and dpkt
# reads the second interface's nanoseconds as the first one's microseconds: a packet of 2026 lands 56,000 years ahead.
# tshark has both right. Neither reader warns.
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
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check scapy==2.8.0 dpkt==1.9.8
cat >want <<'END'
tshark	4.0.17-0+deb12u3
scapy 2.8.0 dpkt 1.9.8
offset of an hour: tshark [1785403600], scapy [1785400000], dpkt [1785403600]
microseconds, then nanoseconds: tshark [1785400000, 1785400000], scapy [1785400000, 1785400000], dpkt [1785400000, 1785400000000]
END
venv/bin/python - 2>/dev/null >>got <<'END'
import subprocess
from importlib.metadata import version
import dpkt
from scapy.utils import rdpcap
from ng import SECTION, interface, packet

print("scapy", version("scapy"), "dpkt", version("dpkt"))
now = 1785400000
captures = {
    "offset of an hour": SECTION + interface(6, 3600) + packet(0, now * 10**6),
    "microseconds, then nanoseconds": SECTION + interface(6) + interface(9) + packet(0, now * 10**6) + packet(1, now * 10**9),
}
for name, data in captures.items():
    open("c.pcapng", "wb").write(data)
    tshark = subprocess.run(
        ["tshark", "-r", "c.pcapng", "-T", "fields", "-e", "frame.time_epoch"], capture_output=True, text=True
    ).stdout.split()
    with open("c.pcapng", "rb") as f:
        print(
            f"{name}: tshark {[int(float(t)) for t in tshark]}, scapy {[int(p.time) for p in rdpcap('c.pcapng')]}, dpkt {[int(t) for t, _ in dpkt.pcapng.Reader(f)]}"
        )
END
cat got
diff want got && echo "unchanged"
