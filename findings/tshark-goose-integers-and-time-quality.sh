#!/usr/bin/env bash
# tshark prints GOOSE integers from their lowest 32 bits, as signed ones: the unsigned value 4000000000 is -294967296,
# 2^32+5 is 5, -2^40 is 0, no note. The quality octet of a time stamp (clock not synchronised, clock failure, accuracy)
# is not shown at all, so that a stamp of a clock that says of itself "do not trust me" looks like any other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v tshark >/dev/null || apt-get install -y -qq --no-install-recommends tshark=4.0.17-0+deb12u3 >/dev/null
dpkg-query -W tshark >got
cat >want <<'END'
tshark	4.0.17-0+deb12u3
sent: 4000000000 4294967301 -1099511627776 -5, clock failure, not synchronised
t: Jul 30, 2026 08:26:40.500000000 UTC
unsigned: -294967296
integer: 5
integer: 0
integer: -5
lines that mention quality, failure or synchronisation: 0
END
python3 - <<'END'
import struct


def tlv(tag, body):
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


data = [
    tlv(0x86, bytes.fromhex("00ee6b2800")),
    tlv(0x85, bytes.fromhex("0100000005")),
    tlv(0x85, bytes.fromhex("ff0000000000")),
    tlv(0x85, b"\xfb"),
]
stamp = struct.pack(">I", 1785400000) + b"\x80\0\0\x6a"  # clock failure and not synchronised
pdu = tlv(
    0x61,
    tlv(0x80, b"IED1LD0/LLN0$GO$gcb1")
    + tlv(0x81, b"\x07\xd0")
    + tlv(0x82, b"IED1LD0/LLN0$ds1")
    + tlv(0x83, b"gcb1")
    + tlv(0x84, stamp)
    + tlv(0x85, b"\1")
    + tlv(0x86, b"\0")
    + tlv(0x87, b"\0")
    + tlv(0x88, b"\1")
    + tlv(0x89, b"\0")
    + tlv(0x8A, bytes([len(data)]))
    + tlv(0xAB, b"".join(data)),
)
frame = bytes.fromhex("010ccd010001020000000001") + b"\x88\xb8" + struct.pack(">HHHH", 1, 8 + len(pdu), 0, 0) + pdu
open("g.pcap", "wb").write(
    struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    + struct.pack("<IIII", 1785400000, 0, len(frame), len(frame))
    + frame
)
END
{
  echo "sent: 4000000000 4294967301 -1099511627776 -5, clock failure, not synchronised"
  tshark -r g.pcap -V 2>/dev/null | sed -n 's/^ *\(t: \|unsigned: \|integer: \)/\1/p'
  echo "lines that mention quality, failure or synchronisation: $(tshark -r g.pcap -V 2>/dev/null | sed -n '/goosePdu/,$p' | grep -ciE 'qualit|fail|sync')"
} >>got
cat got
diff want got && echo "unchanged"
