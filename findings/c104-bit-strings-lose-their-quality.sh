#!/usr/bin/env bash
# c104 sends the quality of a measured value and forgets that of a bit string (M_BO_NA_1): both points are marked
# "substituted" by hand here, and the bit string goes out as good.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check c104==2.2.1
cat >want <<'END'
c104 2.2.1
measured value: value 0000c03f, quality octet 20, substituted True
bit string: value deadbeef, quality octet 00, substituted False
END
venv/bin/python - >got <<'END'
import datetime, socket, time
from importlib.metadata import version
import c104

print("c104", version("c104"))
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
server = c104.Server(ip="127.0.0.1", port=port)
station = server.add_station(common_address=1)


def on_the_wire(points):
    """Starts the server, asks for data transfer and returns the value part of every ASDU that the points send, by address."""
    server.start()
    time.sleep(0.5)
    got, seen = b"", {}
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(1)
        client.sendall(bytes.fromhex("680407000000"))  # STARTDT act
        time.sleep(0.5)
        for p in points:
            p.transmit(c104.Cot.SPONTANEOUS)
        try:
            while chunk := client.recv(4096):
                got += chunk
        except TimeoutError:
            pass
    server.stop()
    while got:
        size = got[1] + 2
        if size > 6:
            seen[int.from_bytes(got[12:15], "little")] = got[15:size]
        got = got[size:]
    return seen


measured = station.add_point(io_address=21, type=c104.Type.M_ME_NC_1)
measured.info = c104.ShortInfo(actual=1.5, quality=c104.Quality.Substituted)
bits = station.add_point(io_address=20, type=c104.Type.M_BO_NA_1)
bits.info = c104.BinaryInfo(blob=c104.Byte32(b"\xde\xad\xbe\xef"), quality=c104.Quality.Substituted)
seen = on_the_wire([measured, bits])
for name, address in (("measured value", 21), ("bit string", 20)):
    print(
        f"{name}: value {seen[address][:4].hex()}, quality octet {seen[address][4]:02x}, substituted {bool(seen[address][4] & 0x20)}"
    )
END
cat got
diff want got && echo "unchanged"
