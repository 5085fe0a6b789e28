"""Reads and rewrites captures by its own code: Ethernet, IPv4, TCP and UDP; Modbus, DNP3, IEC 104, GOOSE and PTP. What 13-put-back edits with."""

import struct


class Capture:
    """A classic little-endian capture as a list of frames; frame n is `frames[n - 1]`."""

    def __init__(self, path):
        data, at = open(path, "rb").read(), 24
        assert data[:4] == b"\xd4\xc3\xb2\xa1", f"{path} is no classic capture"
        self.head, self.times, self.frames, self.by_flow = data[:24], [], [], None
        while at < len(data):
            length = struct.unpack_from("<I", data, at + 8)[0]
            self.times.append(data[at : at + 8])
            self.frames.append(data[at + 16 : at + 16 + length])
            at += 16 + length

    def flows(self):
        """Indices of the frames of each flow with IPv4."""
        if self.by_flow is None:
            self.by_flow = {}
            for i, frame in enumerate(self.frames):
                part = Ip(frame)
                if part:
                    self.by_flow.setdefault(part.flow(), []).append(i)
        return self.by_flow

    def bytes(self, changed=None):
        """The file, with the frames in `changed` (index to bytes) in place of its own."""
        out = [self.head]
        for i, frame in enumerate(self.frames):
            frame = (changed or {}).get(i, frame)
            out += [self.times[i], struct.pack("<II", len(frame), len(frame)), frame]
        return b"".join(out)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return bytes(int(part) for part in text.split("."))


def ethertype(frame):
    """EtherType and where its payload begins, VLAN tags skipped."""
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return int.from_bytes(frame[at : at + 2], "big"), at + 2


class Ip:
    """Where the parts of an IPv4 frame lie; none where it is another."""

    def __new__(cls, frame):
        kind, at = ethertype(frame)
        if kind != 0x0800 or frame[at] >> 4 != 4:
            return None
        self = super().__new__(cls)
        self.at, self.proto = at, frame[at + 9]
        self.transport = at + 4 * (frame[at] & 15)
        self.end = at + int.from_bytes(frame[at + 2 : at + 4], "big")
        self.src, self.dst = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
        self.sport = self.dport = 0
        if self.proto in (6, 17):
            self.sport, self.dport = struct.unpack_from(">HH", frame, self.transport)
        self.payload = self.transport + (4 * (frame[self.transport + 12] >> 4) if self.proto == 6 else 8)
        return self

    def ends(self):
        return (self.src, self.sport), (self.dst, self.dport)

    def flow(self):
        return (self.proto, *sorted(self.ends()))


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def seal(frame):
    """The frame with its lengths and checksums right again."""
    part = Ip(frame)
    if not part:
        return bytes(frame)
    frame = bytearray(frame)
    at, t, end = part.at, part.transport, part.end
    frame[at + 10 : at + 12] = b"\0\0"
    frame[at + 10 : at + 12] = checksum(bytes(frame[at:t])).to_bytes(2, "big")
    if part.proto in (6, 17):
        sum_at = t + (16 if part.proto == 6 else 6)
        frame[sum_at : sum_at + 2] = b"\0\0"
        pseudo = part.src + part.dst + struct.pack(">BBH", 0, part.proto, end - t)
        total = checksum(pseudo + bytes(frame[t:end]))
        # In UDP zero means that there is none (RFC 768).
        frame[sum_at : sum_at + 2] = (0xFFFF if part.proto == 17 and total == 0 else total).to_bytes(2, "big")
    return bytes(frame)


class Stream:
    """One direction of a TCP connection: its bytes, and the segments that carry them."""

    def __init__(self, base):
        self.base, self.data, self.segments, self.edits = base, bytearray(), [], {}

    def take(self, index, seq, payload):
        at = self.place(seq)
        if at <= len(self.data):
            self.data[at : at + len(payload)] = payload
        self.segments.append((index, at, len(payload)))

    def place(self, seq):
        """Offset of a sequence number; the SYN's own and keep-alives lie before the first byte."""
        at = (seq - self.base) & 0xFFFFFFFF
        return at - (1 << 32) if at >> 31 else at

    def carrier(self, message):
        """Index of the frame that completes a message."""
        return next((i for i, at, n in self.segments if n and at < message.end <= at + n), None)

    def moved(self, at):
        """Where an offset lies after the edits."""
        shift = 0
        for (start, end), new in sorted(self.edits.items()):
            if at >= end:
                shift += len(new) - (end - start)
            elif at > start:
                return start + shift + len(new)
        return at + shift

    def edited(self):
        out, at = bytearray(), 0
        for (start, end), new in sorted(self.edits.items()):
            out += self.data[at:start] + new
            at = end
        return bytes(out + self.data[at:])


class Connection:
    """A TCP connection in both directions, with the messages of its protocol."""

    def __init__(self, capture, indices):
        self.capture, self.streams, self.indices = capture, {}, indices
        for i in indices:
            frame = capture.frames[i]
            part = Ip(frame)
            seq = struct.unpack_from(">I", frame, part.transport + 4)[0]
            syn = frame[part.transport + 13] & 2
            stream = self.streams.setdefault(part.ends(), None) or Stream((seq + (1 if syn else 0)) & 0xFFFFFFFF)
            self.streams[part.ends()] = stream
            stream.take(i, seq, frame[part.payload : part.end])
        self.cache = {}

    def messages(self, ends):
        if ends not in self.cache:
            stream = self.streams.get(ends)
            port = min(ends[0][1], ends[1][1])
            self.cache[ends] = list(READERS[port](stream.data)) if stream and port in READERS else []
        return self.cache[ends]

    def rewrite(self):
        """The frames that differ after the edits of both streams, by index."""
        out = {}
        for i in self.indices:
            frame = self.capture.frames[i]
            part = Ip(frame)
            own, peer = self.streams[part.ends()], self.streams.get(part.ends()[::-1])
            seq, ack = struct.unpack_from(">II", frame, part.transport + 4)
            at, n = own.place(seq), part.end - part.payload
            new = bytearray(frame[: part.payload])
            new += own.edited()[own.moved(at) : own.moved(at + n)] if n else b""
            struct.pack_into(">H", new, part.at + 2, len(new) - part.at)
            struct.pack_into(">I", new, part.transport + 4, (own.base + own.moved(at)) & 0xFFFFFFFF)
            if peer and frame[part.transport + 13] & 16:
                struct.pack_into(">I", new, part.transport + 8, (peer.base + peer.moved(peer.place(ack))) & 0xFFFFFFFF)
            new += bytes(max(0, 60 - len(new)))
            new = seal(new)
            if new != frame[: len(new)] or len(new) != len(frame):
                out[i] = new
        return out


def connection(capture, index):
    """The connection that a frame belongs to: a SYN with another number begins a new one."""
    groups, isn = [[]], {}
    for i in capture.flows()[Ip(capture.frames[index]).flow()]:
        frame = capture.frames[i]
        part = Ip(frame)
        if frame[part.transport + 13] & 0x12 == 2:
            seq = frame[part.transport + 4 : part.transport + 8]
            if isn.get(part.ends()) not in (None, seq):
                groups.append([])
            isn[part.ends()] = seq
        groups[-1].append(i)
    return Connection(capture, next(g for g in groups if index in g))


class Modbus:
    """An ADU: `unit`, `tid`, and the PDU."""

    def __init__(self, start, data):
        self.start, self.end = start, start + len(data)
        self.tid, self.unit, self.pdu = data[:2], data[6], bytes(data[7:])

    def with_pdu(self, pdu):
        return self.tid + b"\0\0" + struct.pack(">H", len(pdu) + 1) + bytes([self.unit]) + pdu

    @staticmethod
    def read(data):
        at = 0
        while at + 8 <= len(data):
            length = int.from_bytes(data[at + 4 : at + 6], "big") + 6
            yield Modbus(at, data[at : at + length])
            at += length


def crc_dnp(data):
    """CRC-16/DNP (IEEE 1815 §9.2.4.3), low byte first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA6BC if crc & 1 else 0)
    return struct.pack("<H", crc ^ 0xFFFF)


class Dnp3:
    """An application fragment with the link and transport headers that it came in."""

    def __init__(self, start, end, link, sequence, fragment):
        self.start, self.end, self.link, self.sequence, self.fragment = start, end, link, sequence, bytes(fragment)

    @property
    def function(self):
        return self.fragment[1]

    def with_fragment(self, fragment):
        """The fragment cut into transport segments and link frames, each block with its CRC."""
        out, pieces = b"", [fragment[i : i + 249] for i in range(0, len(fragment), 249)]
        for i, piece in enumerate(pieces):
            first, last = (0x40 if i == 0 else 0), (0x80 if i + 1 == len(pieces) else 0)
            user = bytes([first | last | (self.sequence + i) % 64]) + piece
            head = b"\x05\x64" + bytes([len(user) + 5]) + self.link
            out += head + crc_dnp(head)
            for k in range(0, len(user), 16):
                out += user[k : k + 16] + crc_dnp(user[k : k + 16])
        return out

    @staticmethod
    def read(data):
        at, begun = 0, None
        while at + 10 <= len(data):
            assert data[at : at + 2] == b"\x05\x64" and crc_dnp(data[at : at + 8]) == data[at + 8 : at + 10]
            count, body, k = data[at + 2] - 5, b"", at + 10
            while len(body) < count:
                n = min(16, count - len(body))
                block = bytes(data[k : k + n])
                assert crc_dnp(block) == data[k + n : k + n + 2]
                body, k = body + block, k + n + 2
            if body:
                if body[0] & 0x40:
                    begun = (at, bytes(data[at + 3 : at + 8]), body[0] & 63, b"")
                if begun:
                    begun = (*begun[:3], begun[3] + body[1:])
                    if body[0] & 0x80:
                        yield Dnp3(begun[0], k, *begun[1:])
                        begun = None
            at = k


class Iec104:
    """An APDU: control field and ASDU."""

    def __init__(self, start, data):
        self.start, self.end = start, start + len(data)
        self.control, self.asdu = bytes(data[2:6]), bytes(data[6:])

    @property
    def kind(self):
        return "I" if not self.control[0] & 1 else "U" if self.control[0] & 3 == 3 else "S"

    def with_asdu(self, asdu):
        return bytes([0x68, len(asdu) + 4]) + self.control + asdu

    @staticmethod
    def read(data):
        at = 0
        while at + 6 <= len(data):
            yield Iec104(at, data[at : at + 2 + data[at + 1]])
            at += 2 + data[at + 1]


READERS = {502: Modbus.read, 20000: Dnp3.read, 2404: Iec104.read}


def goose(frame):
    """Control block reference and state number of a GOOSE message (IEC 61850-8-1 annex A); none where it is none."""
    fields = goose_fields(frame)
    return fields and (frame[slice(*fields[0x80])].decode(), int.from_bytes(frame[slice(*fields[0x85])], "big"))


def goose_sequence(frame, more):
    """A GOOSE message whose sequence number is greater by so many; none where it does not fit in its octets."""
    at, end = goose_fields(frame)[0x86]
    number = int.from_bytes(frame[at:end], "big") + more
    return frame[:at] + number.to_bytes(end - at, "big") + frame[end:] if number < 1 << (8 * (end - at) - 1) else None


def goose_fields(frame):
    """Where the content of each field of a GOOSE message begins and ends, by tag; none where it is none."""
    kind, at = ethertype(frame)
    if kind != 0x88B8:
        return None
    at += 8

    def length(at):
        n = frame[at]
        if n < 0x80:
            return n, at + 1
        return int.from_bytes(frame[at + 1 : at + 1 + (n & 15)], "big"), at + 1 + (n & 15)

    _, at = length(at + 1)
    fields = {}
    while at < len(frame) and frame[at] in range(0x80, 0x8C):
        tag = frame[at]
        n, at = length(at + 1)
        fields[tag] = at, at + n
        at += n
    return fields


def grandmaster(frame):
    """Where the grandmaster's identity lies in a PTP announce over Ethernet (IEEE 1588 §13.5); none where it is none."""
    kind, at = ethertype(frame)
    return at + 53 if kind == 0x88F7 and frame[at] & 15 == 11 else None


def arp(frame):
    """Where an ARP message begins; none where it is none."""
    kind, at = ethertype(frame)
    return at if kind == 0x0806 else None
