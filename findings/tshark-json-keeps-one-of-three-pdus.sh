#!/usr/bin/env bash
# Three Modbus requests in one segment, the last one a write. `tshark -T json` prints the layer's key three times in one
# object, so a JSON reader keeps one, here the write, and the two reads are gone; with `-T fields` all three are there,
# and with --no-duplicate-keys too. Telegrams of IEC 104, DNP3 and S7 travel in one segment all day.
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
fields: 3,4,6
json:   ['6']
json --no-duplicate-keys: ['3', '4', '6']
END
python3 - <<'END'
import struct
from net import Session

s = Session("m.pcap", 502)
s.send(0, b"".join(struct.pack(">HHHBBHH", n, 0, 6, 1, f, 1, 5) for n, f in ((1, 3), (2, 4), (3, 6))))
END
codes='import json,sys; m=json.load(sys.stdin)[0]["_source"]["layers"]["modbus"]; print([x["modbus.func_code"] for x in (m if isinstance(m, list) else [m])])'
{
  echo "fields: $(tshark -r m.pcap -Y modbus -T fields -e modbus.func_code 2>/dev/null)"
  echo "json:   $(tshark -r m.pcap -Y modbus -T json 2>/dev/null | python3 -c "$codes")"
  echo "json --no-duplicate-keys: $(tshark -r m.pcap -Y modbus -T json --no-duplicate-keys 2>/dev/null | python3 -c "$codes")"
} >>got
cat got
diff want got && echo "unchanged"
