#!/usr/bin/env bash
# Suricata 7.0.10 reports every correct answer to "read registers" (functions 3 and 4) as an anomaly value_mismatch with
# error_flags DATA_VALUE; coils, writes and even the exception answers pass. A healthy plant that polls registers is all
# alarm, and a real mismatch cannot be told from it.
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
function 3 answered error_flags DATA_VALUE
function 4 answered error_flags DATA_VALUE
function 1 answered error_flags NONE
function 6 answered error_flags NONE
function 3 exception error_flags NONE
anomalies: ['value_mismatch', 'value_mismatch']
END
python3 - <<'END'
import struct
from net import Session

s = Session("m.pcap", 502)
pairs = [
    ("read holding registers", b"\3\0\0\0\2", b"\3\4\0\1\0\2"),
    ("read input registers", b"\4\0\0\0\1", b"\4\2\0\7"),
    ("read coils", b"\1\0\0\0\x08", b"\1\1\x55"),
    ("write register", b"\6\0\1\0\5", b"\6\0\1\0\5"),
    ("read holding registers, refused", b"\3\0\0\0\1", b"\x83\2"),
]
for n, (_, ask, answer) in enumerate(pairs, 1):
    for who, pdu in ((0, ask), (1, answer)):
        s.send(who, struct.pack(">HHHB", n, 0, len(pdu) + 1, 1) + pdu)
    s.send(0, flags=0x10)
s.close()
END
suricata m.pcap
python3 - >>got <<'END'
import json

events = [json.loads(line) for line in open("eve.json")]
for e in events:
    if e["event_type"] == "modbus":
        m = e["modbus"]
        print(
            "function",
            m["request"]["function_raw"],
            "exception" if "exception" in m["response"] else "answered",
            "error_flags",
            m["response"]["error_flags"],
        )
print("anomalies:", [e["anomaly"]["event"] for e in events if e["event_type"] == "anomaly"])
END
cat got
diff want got && echo "unchanged"
