#!/usr/bin/env bash
# The pymodbus server answers an unknown function (65, free for users) with function code 0x80: the refused function is
# not named, where Modbus has it as 0xC1. A unit that does not exist is exception 4, "device failure", not 0x0B, and a
# broadcast write (unit 0), which nobody may answer, gets an exception too. Detectors trained on its traffic learn
# another protocol.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pymodbus==3.16.1
cat >want <<'END'
pymodbus 3.16.1
read 1 register -> 03 02 00 00
function 65     -> 80 01
unit 9, absent  -> 83 04
broadcast write -> 86 04
END
venv/bin/python - >got <<'END'
import asyncio, logging, struct
import pymodbus
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ServerAsyncStop, StartAsyncTcpServer

logging.disable(logging.CRITICAL)
print("pymodbus", pymodbus.__version__)


async def answers(questions):
    """Asks a server with one unit, number 1, and registers 0 to 99; returns the PDUs of its answers."""
    context = ModbusServerContext(
        devices={1: ModbusDeviceContext(hr=ModbusSequentialDataBlock(1, list(range(100))))}, single=False
    )
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    task = asyncio.create_task(StartAsyncTcpServer(context, address=("127.0.0.1", port)))
    await asyncio.sleep(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    out = []
    for n, (unit, pdu) in enumerate(questions):
        writer.write(struct.pack(">HHHB", n, 0, len(pdu) + 1, unit) + pdu)
        try:
            head = await asyncio.wait_for(reader.readexactly(7), 2)
            out.append(await reader.readexactly(struct.unpack(">H", head[4:6])[0] - 1))
        except TimeoutError:
            out.append(b"")
    writer.close()
    await ServerAsyncStop()
    return out


questions = {
    "read 1 register": (1, b"\3\0\0\0\1"),
    "function 65": (1, b"\x41"),
    "unit 9, absent": (9, b"\3\0\0\0\1"),
    "broadcast write": (0, b"\6\0\1\0\5"),
}
for name, pdu in zip(questions, asyncio.run(answers(questions.values()))):
    print(f"{name:15} -> {pdu.hex(' ') or 'no answer'}")
END
cat got
diff want got && echo "unchanged"
