#!/usr/bin/env bash
# nfstream ends a TCP session after 120 s of silence, whatever its flags say, and takes the first packet after it for
# the opener: an IEC 104 link with a test frame every two minutes falls into pieces in which the RTU, port 2404, is the
# client. On the other hand FIN is ignored: two sessions on one pair of ports are one flow. Features of direction and
# duration are about something else.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >net.py <<'END'
"""A capture of one TCP session, written by hand: valid checksums, sequence numbers and acknowledgements."""

import struct


def checksum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f">{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


class Session:
    def __init__(self, path, port, start=1785400000.0, syn=True):
        self.out, self.now = open(path, "wb"), start
        self.out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        self.ends = [[b"\x0a\1\0\x09", 40000, 1000], [b"\x0a\1\0\2", port, 9000]]
        if syn:
            self.send(0, flags=2), self.send(1, flags=0x12), self.send(0, flags=0x10)

    def send(self, who, data=b"", wait=0.01, flags=0x18):
        (a, ap, seq), (b, bp, ack) = self.ends[who], self.ends[1 - who]
        tcp = struct.pack(">HHIIBBHHH", ap, bp, seq, ack if flags != 2 else 0, 0x50, flags, 8192, 0, 0)
        sum_ = checksum(a + b + struct.pack(">HH", 6, len(tcp + data)) + tcp + data)
        tcp = tcp[:16] + struct.pack(">H", sum_) + tcp[18:] + data
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + a + b
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        frame = bytes([2, 0, 0, 0, 0, b[3], 2, 0, 0, 0, 0, a[3], 8, 0]) + ip + tcp
        self.now += wait
        self.out.write(struct.pack("<IIII", int(self.now), int(self.now % 1 * 1e6), len(frame), len(frame)) + frame)
        self.out.flush()
        self.ends[who][2] += len(data) + (1 if flags & 3 else 0)

    def close(self):
        self.send(0, flags=0x11), self.send(1, flags=0x11), self.send(0, flags=0x10)
END
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check nfstream==6.6.0
cat >want <<'END'
nfstream 6.6.0
link: ['10.1.0.9:40000 -> 10.1.0.2:2404, 5 packets', '10.1.0.2:2404 -> 10.1.0.9:40000, 3 packets', '10.1.0.2:2404 -> 10.1.0.9:40000, 3 packets']
twice: ['10.1.0.9:40000 -> 10.1.0.2:502, 16 packets']
END
venv/bin/python - >got 2>/dev/null <<'END'
from importlib.metadata import version
from nfstream import NFStreamer
from net import Session

print("nfstream", version("nfstream"))
link = Session("link.pcap", 2404)
link.send(0, b"h\4\7\0\0\0"), link.send(1, b"h\4\x0b\0\0\0")
for _ in range(2):
    link.send(1, b"h\4\x43\0\0\0", wait=125), link.send(0, b"h\4\x83\0\0\0"), link.send(1, flags=0x10)
first = Session("twice.pcap", 502)
first.send(0, b"x" * 12), first.send(1, b"y" * 11), first.close()
again = Session("rest.pcap", 502, start=first.now + 1)
again.send(0, b"x" * 12), again.send(1, b"y" * 11), again.close()
first.out.close(), again.out.close()
open("twice.pcap", "ab").write(open("rest.pcap", "rb").read()[24:])
for name in ("link", "twice"):
    print(
        name + ":",
        [
            f"{f.src_ip}:{f.src_port} -> {f.dst_ip}:{f.dst_port}, {f.bidirectional_packets} packets"
            for f in NFStreamer(source=name + ".pcap")
        ],
    )
END
cat got
diff want got && echo "unchanged"
