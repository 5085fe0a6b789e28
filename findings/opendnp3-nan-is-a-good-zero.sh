#!/usr/bin/env bash
# An analog point of an opendnp3 outstation that is NaN (no value) is sent as -2147483648 in 32 bits and as 0 in 16,
# with the flags of a good value: online, no over-range. A value that is too large is clamped and flagged. Asked for
# "any variation" the outstation cuts 10.25 to 10. What the master and the sensor see is a plausible zero.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check yadnp3==3.2.1.4
cat >want <<'END'
yadnp3 3.2.1.4
32 bits  10.25 is 10 online, nan is -2147483648 online, 1e+300 is 2147483647 online over-range
16 bits  10.25 is 10 online, nan is 0 online, 1e+300 is 32767 online over-range
double   10.25 is 10.25 online, nan is nan online, 1e+300 is 1e+300 online
any      10.25 is 10 online, nan is -2147483648 online, 1e+300 is 2147483647 online over-range
END
venv/bin/python - >got <<'END'
import socket, struct, time
from importlib.metadata import version
import opendnp3 as o


class Application(o.IOutstationApplication):
    def __init__(self):
        super().__init__()

    def Now(self):
        return o.DNPTime(0)


def plain(kind):
    return type(
        kind.__name__ + "_", (kind,), {"__init__": lambda self: kind.__init__(self), "OnStateChange": lambda self, _: None}
    )()


print("yadnp3", version("yadnp3"))
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
values = [10.25, float("nan"), 1e300]
manager, config = o.DNP3Manager(1), o.OutstationStackConfig(o.DatabaseConfig(len(values)))
config.link.LocalAddr, config.link.RemoteAddr = 10, 1
kept = listener, commands, application, files = (
    plain(o.IChannelListener),
    plain(o.ICommandHandler),
    Application(),
    plain(o.IFileHandler),
)
channel = manager.AddTCPServer("s", o.LogLevels(0), o.ServerAcceptMode.CloseExisting, o.IPEndpoint("127.0.0.1", port), listener)
outstation = channel.AddOutstation("o", commands, application, config, files)
outstation.Enable()
update = o.UpdateBuilder()
for n, v in enumerate(values):
    point = o.Analog(v)
    point.flags = o.Flags(1)
    update.Update(point, n)
outstation.Apply(update.Build())
time.sleep(1)


def crc(b):
    c = 0
    for x in b:
        c ^= x
        for _ in range(8):
            c = c >> 1 ^ (0xA6BC if c & 1 else 0)
    return struct.pack("<H", ~c & 0xFFFF)


with socket.create_connection(("127.0.0.1", port)) as client:
    client.settimeout(5)
    for n, (variation, name, form) in enumerate(
        ((1, "32 bits", "<Bi"), (2, "16 bits", "<Bh"), (6, "double", "<Bd"), (0, "any", "<Bi"))
    ):
        body = bytes([0xC0 | n, 0xC0 | n, 1, 30, variation, 6])
        head = b"\x05\x64" + struct.pack("<BBHH", 5 + len(body), 0xC4, 10, 1)
        client.sendall(head + crc(head) + body + crc(body))
        time.sleep(0.5)
        frame = client.recv(4096)[10:]
        answer = b"".join(frame[i : i + 18][:-2] for i in range(0, len(frame), 18))[10:]
        size = struct.calcsize(form)
        points = [struct.unpack_from(form, answer, k * size) for k in range(len(values))]
        print(
            f"{name:8}",
            ", ".join(
                f"{given} is {value} {'online' if flags & 1 else 'offline'}{' over-range' if flags & 0x20 else ''}"
                for given, (flags, value) in zip(values, points)
            ),
        )
manager.Shutdown()
END
cat got
diff want got && echo "unchanged"
