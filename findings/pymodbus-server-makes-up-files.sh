#!/usr/bin/env bash
# The pymodbus server makes up files and queues: "read file record" is answered with twenty fixed letters whatever file,
# record and length was asked for, and "read FIFO" with 0, 1, 2, 3. Both come as successes, though the server was given
# neither files nor queues.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pymodbus==3.16.1
cat >want <<'END'
pymodbus 3.16.1
file 4, record 1, 2 registers  -> function 20, b'SERVER DUMMY RECORD.'
file 9, record 7, 30 registers -> function 20, b'SERVER DUMMY RECORD.'
FIFO at 5                      -> function 24, 00 00 00 01 00 02 00 03
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


def file_record(file, record, registers):
    return 1, b"\x14\x07" + struct.pack(">BHHH", 6, file, record, registers)


questions = {
    "file 4, record 1, 2 registers": file_record(4, 1, 2),
    "file 9, record 7, 30 registers": file_record(9, 7, 30),
    "FIFO at 5": (1, b"\x18\0\5"),
}
for name, pdu in zip(questions, asyncio.run(answers(questions.values()))):
    print(f"{name:30} -> function {pdu[0]}, {pdu[4:] if pdu[0] == 0x14 else pdu[5:].hex(' ')}")
END
cat got
diff want got && echo "unchanged"
