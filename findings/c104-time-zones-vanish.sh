#!/usr/bin/env bash
# c104 accepts a time with a zone and sends its wall-clock digits: 13:14:15 in Berlin, New York and UTC are the same
# seven octets on the wire, with the summer-time bit clear. Events of stations in two zones are hours apart from what
# was meant, and nothing in the telegram tells.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check c104==2.2.1
cat >want <<'END'
c104 2.2.1
13:14:15 UTC  : octets 983a0e0d1e071a, hour 13, summer time 0
13:14:15 UTC+2: octets 983a0e0d1e071a, hour 13, summer time 0
13:14:15 UTC-5: octets 983a0e0d1e071a, hour 13, summer time 0
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


points = []
for n, hours in enumerate((0, 2, -5)):
    p = station.add_point(io_address=10 + n, type=c104.Type.M_ME_TF_1)
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    p.info = c104.ShortInfo(
        actual=1.5, quality=c104.Quality(), recorded_at=datetime.datetime(2026, 7, 30, 13, 14, 15, tzinfo=zone)
    )
    points.append(p)
for (address, value), zone in zip(sorted(on_the_wire(points).items()), ("UTC", "UTC+2", "UTC-5")):
    tag = value[5:]
    print(f"13:14:15 {zone:5}: octets {tag.hex()}, hour {tag[3] & 31}, summer time {tag[3] >> 7}")
END
cat got
diff want got && echo "unchanged"
