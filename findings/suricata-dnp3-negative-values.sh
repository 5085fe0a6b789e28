#!/usr/bin/env bash
# Suricata 7.0.10 logs signed DNP3 integers as unsigned ones of 64 bits: a reading of -5 is 18446744073709551611, a set
# point of -20 is 18446744073709551596; a negative float is right. jq 1.6 and every reader that uses doubles round both
# to 18446744073709552000, so that even subtracting 2^64 afterwards gives the wrong value. Its src_ip is the TCP client
# for the outstation's answers too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Suricata comes from Debian's backports and is unpacked into the work folder; nothing on the machine changes.
mkdir -p apt/lists/partial apt/cache/archives/partial apt/parts
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | awk '$2 == "bookworm" { print $1; exit }')
cat >apt/parts/d.sources <<END
Types: deb
URIs: $mirror
Suites: bookworm bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/parts" -o Dir::State::Lists="$work/apt/lists"
  -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends --download-only --reinstall -t bookworm-backports 'suricata=1:7.0.10-1~bpo12+1' >/dev/null
for deb in apt/cache/archives/*.deb; do dpkg -x "$deb" root; done
cat >suricata.yaml <<'END'
%YAML 1.1
---
outputs:
  - eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ anomaly, modbus, dnp3, flow ] }
app-layer:
  protocols:
    modbus: { enabled: yes, detection-ports: { dp: 502 } }
    dnp3: { enabled: yes, detection-ports: { dp: 20000 } }
END
suricata() { # capture, further options: events to eve.json
  rm -f eve.json
  LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/usr/bin/suricata -c suricata.yaml -l . -S /dev/null --runmode single \
    --set classification-file=root/etc/suricata/classification.config \
    --set reference-config-file=root/etc/suricata/reference.config -r "$@" >suricata.log 2>&1
}
LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/usr/bin/suricata -V >got
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
This is Suricata version 7.0.10 RELEASE
request from station 1 src_ip 10.1.0.9 values [] as doubles []
response from station 10 src_ip 10.1.0.9 values [18446744073709551611, -1.5] as doubles [1.8446744073709552e+19, -1.5]
request from station 1 src_ip 10.1.0.9 values [18446744073709551596] as doubles [1.8446744073709552e+19]
response from station 10 src_ip 10.1.0.9 values [18446744073709551596] as doubles [1.8446744073709552e+19]
END
python3 - <<'END'
import struct
from net import Session


def crc(b):
    c = 0
    for x in b:
        c ^= x
        for _ in range(8):
            c = c >> 1 ^ (0xA6BC if c & 1 else 0)
    return struct.pack("<H", ~c & 0xFFFF)


def link(control, to, of, body):
    head = b"\x05\x64" + struct.pack("<BBHH", 5 + len(body), control, to, of)
    return head + crc(head) + b"".join(body[i : i + 16] + crc(body[i : i + 16]) for i in range(0, len(body), 16))


s = Session("d.pcap", 20000)
s.send(0, link(0xC4, 10, 1, b"\xc0\xc0\x01\x1e\x01\x06"))
s.send(
    1,
    link(
        0x44,
        1,
        10,
        b"\xc0\xc0\x81\0\0\x1e\x01\0\0\0\x01" + struct.pack("<i", -5) + b"\x1e\x05\0\0\0\x01" + struct.pack("<f", -1.5),
    ),
)
setpoint = b"\x29\x02\x17\x01\x04" + struct.pack("<h", -20) + b"\0"
s.send(0, link(0xC4, 10, 1, b"\xc1\xc1\x05" + setpoint))
s.send(1, link(0x44, 1, 10, b"\xc1\xc1\x81\0\0" + setpoint)), s.send(0, flags=0x10)
s.close()
END
suricata d.pcap
python3 - >>got <<'END'
import json

for e in map(json.loads, open("eve.json")):
    if e["event_type"] == "dnp3":
        values = [p["value"] for o in e["dnp3"]["application"]["objects"] for p in o.get("points", [])]
        print(
            e["dnp3"]["type"],
            "from station",
            e["dnp3"]["src"],
            "src_ip",
            e["src_ip"],
            "values",
            values,
            "as doubles",
            [float(v) for v in values],
        )
END
cat got
diff want got && echo "unchanged"
