#!/usr/bin/env bash
# A TLS ClientHello with a post-quantum key share (1,216 octets) does not fit one TCP segment. pyja3 looks at single
# segments and reports no fingerprint for it, and no error; tshark reassembles and gives both clients here the same one.
# Current browsers are invisible to it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v tshark >/dev/null || apt-get install -y -qq --no-install-recommends tshark=4.0.17-0+deb12u3 >/dev/null
dpkg-query -W tshark >got
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
venv/bin/pip install -q --disable-pip-version-check pyja3==1.0.0 dpkt==1.9.8
cat >want <<'END'
tshark	4.0.17-0+deb12u3
pyja3 1.0.0
classic: pyja3 ['16f1d856f293fdecfb75cb09b89b9052'], tshark 16f1d856f293fdecfb75cb09b89b9052
post-quantum: pyja3 [], tshark 16f1d856f293fdecfb75cb09b89b9052
END
venv/bin/pip list 2>/dev/null | grep pyja3 | tr -s ' ' >>got
python3 - <<'END'
import struct
from net import Session


def extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


for name, size in (("classic", 32), ("post-quantum", 1216)):
    sni = b"scada.example"
    ext = (
        extension(0, struct.pack(">HBH", len(sni) + 3, 0, len(sni)) + sni)
        + extension(10, struct.pack(">HHH", 4, 0x11EC, 0x1D))
        + extension(11, b"\1\0")
        + extension(13, struct.pack(">HH", 2, 0x0403))
        + extension(43, b"\2\3\4")
        + extension(51, struct.pack(">HHH", size + 4, 0x11EC, size) + b"k" * size)
    )
    hello = (
        b"\3\3"
        + b"r" * 32
        + b"\0"
        + struct.pack(">HHHH", 6, 0x1301, 0x1302, 0xC02F)
        + b"\1\0"
        + struct.pack(">H", len(ext))
        + ext
    )
    hello = b"\1" + struct.pack(">I", len(hello))[1:] + hello
    record = b"\x16\3\1" + struct.pack(">H", len(hello)) + hello
    s = Session(name + ".pcap", 443)
    for at in range(0, len(record), 1200):
        s.send(0, record[at : at + 1200])
    s.send(1, flags=0x10)
END
for name in classic post-quantum; do
  pyja3=$(venv/bin/ja3 $name.pcap --json | python3 -c 'import json, sys; print([f["ja3_digest"] for f in json.load(sys.stdin)])')
  tshark=$(tshark -r $name.pcap -Y tls.handshake.ja3 -T fields -e tls.handshake.ja3 2>/dev/null)
  echo "$name: pyja3 $pyja3, tshark $tshark" >>got
done
cat got
diff want got && echo "unchanged"
