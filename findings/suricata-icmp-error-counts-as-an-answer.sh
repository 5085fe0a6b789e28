#!/usr/bin/env bash
# A UDP request to a closed port is answered by ICMP "port unreachable". Suricata's flow record counts that packet as
# one from the server: pkts_toclient 1, bytes_toclient 90, state "new". ICMP gets no flow of its own. "The server answered"
# and "there is no server" are told apart by the state alone, and a search for services by answers finds closed ports.
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
UDP to port 2222 {'pkts_toserver': 1, 'pkts_toclient': 1, 'bytes_toclient': 90, 'state': 'new'}
END
python3 - <<'END'
import struct
from net import checksum


def ip(a, b, proto, body):
    head = (
        struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0x4000, 64, proto, 0) + bytes([10, 1, 0, a]) + bytes([10, 1, 0, b])
    )
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


request = ip(9, 2, 17, struct.pack(">HHHH", 40000, 2222, 48, 0) + b"x" * 40)
error = struct.pack(">BBHI", 3, 3, 0, 0) + request[:48]
error = ip(2, 9, 1, error[:2] + struct.pack(">H", checksum(error)) + error[4:])
with open("u.pcap", "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for n, packet in enumerate((request, error)):
        out.write(
            struct.pack("<IIII", 1785400000, n * 1000, 14 + len(packet), 14 + len(packet))
            + bytes.fromhex("0200000000020200000000090800")
            + packet
        )
END
suricata u.pcap
python3 - >>got <<'END'
import json

for e in map(json.loads, open("eve.json")):
    if e["event_type"] == "flow":
        print(
            e["proto"],
            "to port",
            e.get("dest_port"),
            {k: e["flow"][k] for k in ("pkts_toserver", "pkts_toclient", "bytes_toclient", "state")},
        )
END
cat got
diff want got && echo "unchanged"
