#!/usr/bin/env bash
# tcprewrite (and the tcpreplay suite) reads a pcap file with nanosecond times and writes one with microseconds,
# whatever is rewritten: "only changing an address" of a PTP or sampled-value capture takes 1,000 steps of its time
# resolution, and frames 300 ns apart become simultaneous. No message.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v tcprewrite >/dev/null || apt-get install -y -qq --no-install-recommends tcpreplay=4.4.3-1 >/dev/null
dpkg-query -W tcpreplay >got
cat >want <<'END'
tcpreplay	4.4.3-1
ns ['123456100 ns', '123456400 ns']
out ['123456 us', '123456 us']
END
python3 - <<'END'
import struct

frame = bytes.fromhex("0200000000020200000000090800") + bytes.fromhex("4500001c00010000401166cd0a0000010a0000021388138800080000")
with open("ns.pcap", "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
    for ns in (123456100, 123456400):
        out.write(struct.pack("<IIII", 1785400000, ns, len(frame), len(frame)) + frame)
END
tcprewrite --enet-smac=02:00:00:00:00:01 --infile=ns.pcap --outfile=out.pcap >/dev/null 2>&1
for f in ns out; do
  python3 - $f >>got <<'END'
import struct, sys

data, at, times = open(sys.argv[1] + ".pcap", "rb").read(), 24, []
unit = {0xA1B23C4D: "ns", 0xA1B2C3D4: "us"}[struct.unpack_from("<I", data)[0]]
while at < len(data):
    _, fraction, size, _ = struct.unpack_from("<IIII", data, at)
    times.append(f"{fraction} {unit}")
    at += 16 + size
print(sys.argv[1], times)
END
done
cat got
diff want got && echo "unchanged"
