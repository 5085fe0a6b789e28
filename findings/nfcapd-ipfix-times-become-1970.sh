#!/usr/bin/env bash
# IPFIX knows flow times in seconds, milliseconds, microseconds and nanoseconds. nfcapd 1.7.1 keeps those in
# milliseconds; a flow that comes with any of the other three is stored as one of 1970-01-01, counters right, no message
# in the log. A search by time never finds it.
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
cat >want <<'END'
nfdump	1.7.1-2+deb12u1
port 40000: seconds, 40001: milliseconds, 40002: microseconds, 40003: nanoseconds
 40000 3 1970-01-01 00:00:00.000 1970-01-01 00:00:00.000
 40001 3 2026-07-30 08:26:40.250 2026-07-30 08:26:41.750
 40002 3 1970-01-01 00:00:00.000 1970-01-01 00:00:00.000
 40003 3 1970-01-01 00:00:00.000 1970-01-01 00:00:00.000
END
cat >send.py <<'END'
import socket, struct, sys

fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 8), (1, 8)]  # addresses, ports, protocol, packets, octets


def ntp(s):
    return struct.pack(">II", int(s) + 2208988800, int(s % 1 * 2**32))


units = [
    (150, 4, lambda s: struct.pack(">I", int(s))),
    (152, 8, lambda s: struct.pack(">Q", round(s * 1000))),
    (154, 8, ntp),
    (156, 8, ntp),
]
out = socket.socket(type=socket.SOCK_DGRAM)
for n, (element, size, put) in enumerate(units):
    template = struct.pack(">HH", 256 + n, len(fields) + 2) + b"".join(
        struct.pack(">HH", *f) for f in fields + [(element, size), (element + 1, size)]
    )
    record = (
        bytes([10, 0, 0, 9, 10, 0, 0, 2])
        + struct.pack(">HHBQQ", 40000 + n, 502, 6, 3, 300)
        + put(1785400000.25)
        + put(1785400001.75)
    )
    body = struct.pack(">HH", 2, 4 + len(template)) + template + struct.pack(">HH", 256 + n, 4 + len(record)) + record
    out.sendto(struct.pack(">HHIII", 10, 16 + len(body), 1785400100, n, 1) + body, ("127.0.0.1", int(sys.argv[1])))
END
format='fmt:%sp %pkt %ts %te'
echo "port 40000: seconds, 40001: milliseconds, 40002: microseconds, 40003: nanoseconds" >>got
collect python3 send.py "$port" | tr -s ' ' >>got
cat got
diff want got && echo "unchanged"
