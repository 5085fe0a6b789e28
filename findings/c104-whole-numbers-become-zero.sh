#!/usr/bin/env bash
# c104 takes a bit string (M_BO, C_BO) as a whole number, and makes 0 of every number below 2^31: Byte32(255) sends
# 00000000. Numbers above and byte strings are right. Test data and simulators built with it hold bit strings of
# nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check c104==2.2.1
cat >want <<'END'
c104 2.2.1
0xff -> 00000000
0x1020304 -> 00000000
0x7fffffff -> 00000000
0x80000001 -> 01000080
b'\x00\x00\x00\xff' -> 000000ff
END
venv/bin/python - >got <<'END'
from importlib.metadata import version
import c104

print("c104", version("c104"))
for value in (255, 0x01020304, 0x7FFFFFFF, 0x80000001, b"\x00\x00\x00\xff"):
    print(f"{value if isinstance(value, bytes) else hex(value)} -> {bytes(c104.Byte32(value)).hex()}")
END
cat got
diff want got && echo "unchanged"
