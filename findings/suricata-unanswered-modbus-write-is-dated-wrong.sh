#!/usr/bin/env bash
# A Modbus write that gets no answer (a broadcast never does) is logged by Suricata 7.0.10 only when the TCP session
# ends, and with the time of that end: here the write of 08:30:40 appears as one of 09:26:41. Its place in the log is
# behind all later polls. Sessions of a SCADA master last for weeks.
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
write sent at  08:30:40
session ends   09:26:41
write logged as of 09:26:41 - event 60 of 60 though sent as number 4
END
python3 - >>got <<'END'
import struct, time
from net import Session

s = Session("m.pcap", 502)
for n in range(1, 61):
    if n == 4:
        s.send(0, struct.pack(">HHHBBHH", n, 0, 6, 0, 6, 1, 5), wait=60)  # broadcast: unit 0
        print("write sent at ", time.strftime("%H:%M:%S", time.gmtime(s.now)))
        s.send(1, flags=0x10)
        continue
    s.send(0, struct.pack(">HHHBBHH", n, 0, 6, 1, 1, 0, 8), wait=60)
    s.send(1, struct.pack(">HHHB", n, 0, 4, 1) + b"\1\1\x55")
    s.send(0, flags=0x10)
s.close()
print("session ends  ", time.strftime("%H:%M:%S", time.gmtime(s.now)))
END
suricata m.pcap
python3 - >>got <<'END'
import json

events = [e for e in map(json.loads, open("eve.json")) if e["event_type"] == "modbus"]
at = [e["modbus"]["request"]["function_raw"] for e in events].index(6)
print("write logged as of", events[at]["timestamp"][11:19], "- event", at + 1, "of", len(events), "though sent as number 4")
END
cat got
diff want got && echo "unchanged"
