#!/usr/bin/env bash
# The time tag of an IEC 104 telegram (CP56Time2a) has a bit for summer time. tshark takes an hour off when it is set,
# but only if the analyst's own time zone has no summer time at that date: the same frame of 10:30 in July is printed as
# 09:30 in UTC and as 10:30 in Berlin and New York. The text cannot be compared between two desks; the field for the
# hour can.
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
cat >want <<'END'
tshark	4.0.17-0+deb12u3
TZ=UTC: hour octet, summer bit, text
10	0	Jul 15, 2026 10:30:15.123000000 UTC
10	1	Jul 15, 2026 09:30:15.123000000 UTC
TZ=Europe/Berlin: hour octet, summer bit, text
10	0	Jul 15, 2026 10:30:15.123000000 CEST
10	1	Jul 15, 2026 10:30:15.123000000 CEST
TZ=America/New_York: hour octet, summer bit, text
10	0	Jul 15, 2026 10:30:15.123000000 EDT
10	1	Jul 15, 2026 10:30:15.123000000 EDT
END
python3 - <<'END'
import struct
from net import Session

s = Session("i.pcap", 2404)
for hour in (10, 0x80 | 10):
    tag = struct.pack("<HBBBBB", 15123, 30, hour, 3 << 5 | 15, 7, 26)
    asdu = bytes([30, 1, 3, 0, 1, 0, 5, 0, 0, 1]) + tag
    s.send(1, bytes([0x68, 4 + len(asdu), 0, 0, 0, 0]) + asdu), s.send(0, flags=0x10)
END
for zone in UTC Europe/Berlin America/New_York; do
  echo "TZ=$zone: hour octet, summer bit, text" >>got
  TZ=$zone tshark -r i.pcap -Y iec60870_asdu -T fields -e iec60870_asdu.cp56time.hour -e iec60870_asdu.cp56time.su -e iec60870_asdu.cp56time 2>/dev/null >>got
done
cat got
diff want got && echo "unchanged"
