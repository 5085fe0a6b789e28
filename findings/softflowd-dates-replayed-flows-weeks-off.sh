#!/usr/bin/env bash
# softflowd reads captures (-r), but its exports in NetFlow 5, 9 and IPFIX as they come count time from the start of the
# program: a flow of 30 July 2026 arrives with a date of other weeks, in IPFIX the end before the start. Only `-v 10 -A
# milli` gives the packets' time. Nothing warns, and a lab that replays captures trains on such dates.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v nfcapd >/dev/null || apt-get install -y -qq --no-install-recommends nfdump=1.7.1-2+deb12u1 >/dev/null
dpkg-query -W nfdump >got
port=$(python3 -c 'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
collect() { # command that sends: flows to stdout, times in UTC
  rm -rf flows && mkdir flows
  nfcapd -l flows -p "$port" -b 127.0.0.1 -t 60 >nfcapd.log 2>&1 &
  server=$!
  trap 'kill $server 2>/dev/null || true' EXIT # of the pipe's subshell
  sleep 1; "$@" >/dev/null 2>&1; sleep 1
  kill $server; wait $server || true
  TZ=UTC nfdump -R flows -q -o "$format" 2>/dev/null
}
command -v softflowd >/dev/null || apt-get install -y -qq --no-install-recommends softflowd=1.1.0-1+b1 >/dev/null
dpkg-query -W softflowd >>got
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
python3 - <<'END'
from net import Session

s = Session("f.pcap", 502)  # 10.1.0.9 opens a session to 10.1.0.2, port 502
for _ in range(3):
    s.send(0, b"x" * 12), s.send(1, b"y" * 11)
s.close()
END
cat >want <<'END'
nfdump	1.7.1-2+deb12u1
softflowd	1.1.0-1+b1
-v 5: day wrong, end after start
-v 9: day wrong, end after start
-v 10: day wrong, end before start
-v 10 -A milli: day of the packets, end after start
END
format='fmt:%sp %ts %te'
for options in "-v 5" "-v 9" "-v 10" "-v 10 -A milli"; do
  collect softflowd $options -r f.pcap -n "127.0.0.1:$port" -d | awk -v o="$options" '$1 == 40000 {
    print o ": day", ($2 == "2026-07-30" ? "of the packets" : "wrong") ", end", ($4 " " $5 < $2 " " $3 ? "before" : "after"), "start" }' >>got
done
cat got
diff want got && echo "unchanged"
