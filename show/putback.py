"""Puts the value that a finding names back to an expected one, in the frames that it names: what 13-put-back tries on every finding."""

import collections
import datetime
import struct

from frames import Capture, Ip, arp, connection, ethertype, goose, goose_sequence, grandmaster, ip, mac, seal

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
NAMED = 100  # packets that a finding names at most; the value is then looked for in the rest of its conversations too


class Cannot(Exception):
    """The evidence is not such that the value can be put back."""


def demand(good, text):
    if not good:
        raise Cannot(text)


def put_back(capture, finding):
    """The frames that change (index to bytes), the value put in the place of the observed one, and how many frames carried it: in the others
    sequence numbers follow."""
    value = finding["evidence"]["in_packet"]
    named = [p["frame"] - 1 for p in finding["packets"]]
    demand(named, "no packet is named")
    field = value["field"]
    if field == "src_ip":
        return source_ip(capture, named, value)
    if field == "src_mac":
        return device(capture, value) if finding["detector"] == "new-device" else publisher(capture, named, value)
    if field in ("arp.sender_mac", "ptp.grandmaster", "goose.st_num"):
        return {"arp": claim, "ptp": time, "goose": state}[field.split(".")[0]](capture, named, value)
    demand(field in MESSAGE, f"{field} is no field known here")
    return messages(capture, named, value, MESSAGE[field], len(named) == NAMED)


# --- addresses and identities: they are their sender's, wherever it sends


def owners(capture):
    """The MAC address that each IPv4 address has for most frames."""
    seen = {}
    for frame in capture.frames:
        part = Ip(frame)
        if part:
            seen.setdefault(part.src, {}).setdefault(frame[6:12], []).append(1)
    return {a: max(macs, key=lambda m: len(macs[m])) for a, macs in seen.items()}


def readdress(frame, macs, ips):
    """A frame with addresses exchanged in Ethernet, ARP and IPv4."""
    new, at = bytearray(frame), arp(frame)
    for place in (0, 6) + ((at + 8, at + 18) if at else ()):
        new[place : place + 6] = macs.get(bytes(new[place : place + 6]), new[place : place + 6])
    part = Ip(frame)
    for place in (at + 14, at + 24) if at else (part.at + 12, part.at + 16) if part else ():
        new[place : place + 4] = ips.get(bytes(new[place : place + 4]), new[place : place + 4])
    return seal(new)


def changed(capture, indices, edit):
    out = {}
    for i in indices:
        new = edit(capture.frames[i])
        if new != capture.frames[i]:
            out[i] = new
    return out


def source_ip(capture, named, value):
    """The source's address and MAC in all frames of the conversations that the named frames belong to."""
    old, of = ip(value["observed"]), owners(capture)
    first = Ip(capture.frames[named[0]])
    demand(first and old in (first.src, first.dst), "the first packet does not carry the address")
    new = next((ip(a) for a in value["expected"] if ip(a) in of), None)
    demand(new, "no expected address is in the capture")
    flows = {Ip(capture.frames[i]).flow() for i in named}
    indices = [i for flow in flows for i in capture.flows()[flow]]
    out = changed(capture, indices, lambda f: readdress(f, {of[old]: of[new]}, {old: new}))
    return out, ".".join(map(str, new)), len(out)


def device(capture, value):
    """A device's MAC and its own IP address become those of a device that is known and is none of its peers."""
    old, of = mac(value["observed"]), owners(capture)
    mine = [f for f in capture.frames if old in (f[:6], f[6:12])]
    peers = {p for part in filter(None, map(Ip, mine)) for p in (part.src, part.dst)} | {f[:6] for f in mine} | {f[6:12] for f in mine}
    addresses = {a: m for a, m in of.items() if m == old}
    known = [mac(m) for m in value["expected"]]
    twins = [(a, m) for a, m in of.items() if m in known and m not in peers and a not in peers and list(of.values()).count(m) == 1]
    new_ip, new = min(twins, default=(None, known[0] if known else None))
    demand(new, "no expected device is in the capture")
    indices = [i for i, f in enumerate(capture.frames) if old in f[:64] or any(a in f[:64] for a in addresses)]
    out = changed(capture, indices, lambda f: readdress(f, {old: new}, {a: new_ip for a in addresses} if new_ip else {}))
    return out, new.hex(":"), len(out)


def publisher(capture, named, value):
    """The source of messages without IP: all that it sends of the same kind to the same group."""
    old, new = mac(value["observed"]), mac(value["expected"][0])
    first = capture.frames[named[0]]
    demand(first[6:12] == old, "the first packet does not carry the address")
    kind = lambda f: (f[:12], ethertype(f), f[ethertype(f)[1] : ethertype(f)[1] + 2] if ethertype(f)[0] == 0x88B8 else b"")
    indices = [i for i, f in enumerate(capture.frames) if f[:12] == first[:12] and kind(f) == kind(first)]
    return changed(capture, indices, lambda f: f[:6] + new + f[12:]), new.hex(":"), len(indices)


def claim(capture, named, value):
    """The MAC address in every ARP message in which it claims the address."""
    old, new, address = mac(value["observed"]), mac(value["expected"][0]), ip(value["of"])
    claims = lambda f: arp(f) and f[arp(f) + 8 : arp(f) + 14] == old and f[arp(f) + 14 : arp(f) + 18] == address
    demand(claims(capture.frames[named[0]]), "the first packet does not carry the claim")
    indices = [i for i, f in enumerate(capture.frames) if claims(f)]
    put = lambda f: f[:6] + new + f[12 : arp(f) + 8] + new + f[arp(f) + 14 :]
    return changed(capture, indices, put), new.hex(":"), len(indices)


def time(capture, named, value):
    """The grandmaster in every announce of the same sender from the named one on."""
    old, new = bytes.fromhex(value["observed"]), bytes.fromhex(value["expected"][0])
    first = capture.frames[named[0]]
    carries = lambda f: grandmaster(f) and f[grandmaster(f) : grandmaster(f) + 8] == old and f[6:12] == first[6:12]
    demand(carries(first), "the first packet does not carry the identity")
    indices = [i for i, f in enumerate(capture.frames) if i >= named[0] and carries(f)]
    put = lambda f: f[: grandmaster(f)] + new + f[grandmaster(f) + 8 :]
    return changed(capture, indices, put), new.hex(), len(indices)


def state(capture, named, value):
    """Every message of the same sender becomes the publisher's next repetition of an expected state, whose own later ones are counted on."""
    block, (first, number) = value["of"], goose(capture.frames[named[0]]) or (None, None)
    demand(first == block and number == value["observed"], "the first packet does not carry the state number")
    sender, said, now, added, out = capture.frames[named[0]][6:12], None, None, 0, {}
    for i, f in enumerate(capture.frames):
        read = goose(f)
        if not read or read[0] != block:
            continue
        if f[6:12] != sender:
            now, added = read[1], added if now == read[1] else 0
            if added:
                out[i] = goose_sequence(f, added)
                demand(out[i], "the sequence number does not fit")
            said = out.get(i, f) if now in value["expected"] else said
        elif read[1] not in value["expected"]:
            demand(said, "no message with an expected state is in the capture")
            added += 1
            said = out[i] = goose_sequence(said, 1)
            demand(said, "the sequence number does not fit")
    return out, str(value["expected"][0]), len(out)


# --- values of messages: they stand in the named frames, and in the answers that repeat them

U = {"STARTDT act": 0x07, "STOPDT act": 0x13, "TESTFR act": 0x43}
def confirmed(octet):
    """The confirmation of an activation (IEC 60870-5-104 §5.3)."""
    return (octet & 0xFC) << 1 | 3


TABLES = {22: "holding_register", 23: "holding_register", 1: "coil", 5: "coil", 15: "coil", 2: "discrete_input", 3: "holding_register", 6: "holding_register", 16: "holding_register", 4: "input_register"}


class Function:
    """A function code, type or U function: the message becomes one that the same two exchange elsewhere, and so does its answer."""

    def __init__(self, field):
        self.proto = field.split(".")[0]
        self.u = field == "iec104.u_function"

    def read(self, m, value):
        if self.proto == "modbus":
            return m.pdu[0]
        if self.proto == "dnp3":
            return m.function
        if self.u:
            return next((name for name, octet in U.items() if m.kind == "U" and m.control[0] == octet), None)
        return m.asdu[0] if m.kind == "I" else None

    def edit(self, capture, c, ends, m, value):
        old = self.read(m, value)
        if self.u:
            new = value["expected"][0]
            for stream, a, b in ((ends, U[old], U[new]), (ends[::-1], confirmed(U[old]), confirmed(U[new]))):
                message = m if stream == ends else answer(self.proto, c, ends, m)
                if message and message.control[0] == a:
                    replace(c, stream, message, bytes([0x68, 4, b, 0, 0, 0]))
            return new
        # What is asked most often here is the least remarkable.
        here = collections.Counter(self.read(other, value) for other in c.messages(ends))
        for new in sorted(value["expected"], key=lambda v: -here[v]):
            found = donor(capture, self.proto, ends, new, self, value)
            if found:
                question, reply = found
                mine = answer(self.proto, c, ends, m)
                replace(c, ends, m, self.like(m, question))
                if mine and reply:
                    replace(c, ends[::-1], mine, self.like(mine, reply))
                return new
        demand(set(value["expected"]) & {20} and old == 21, f"none of {value['expected']} is asked anywhere in the capture")
        replace(c, ends, m, m.with_fragment(m.fragment[:1] + b"\x14" + m.fragment[2:]))
        return 20

    def like(self, m, other):
        """The message with what another one says."""
        if self.proto == "modbus":
            return m.with_pdu(other.pdu)
        if self.proto == "dnp3":
            return m.with_fragment(m.fragment[:1] + other.fragment[1:])
        return m.with_asdu(other.asdu[:2] + m.asdu[2:3] + other.asdu[3:])


def donor(capture, proto, ends, wanted, function, value):
    """A question with a function that one client asked of the same server in the same protocol, with its answer; of the same two first."""
    (client, _), server = ends
    mine = lambda flow: client in (flow[1][0], flow[2][0])
    flows = [f for f in capture.flows() if f[0] == 6 and server in f[1:]]
    for flow in sorted(flows, key=lambda f: (not mine(f), capture.flows()[f][0])):
        other = next(e for e in flow[1:] if e != server)
        c = connection(capture, capture.flows()[flow][0])
        for m in c.messages((other, server)):
            if function.read(m, value) == wanted and c.streams[other, server].carrier(m) is not None:
                reply = answer(proto, c, (other, server), m)
                if reply:
                    return m, reply
    return None


def answer(proto, c, ends, m):
    """The answer to a message; none where there is none."""
    asked = c.streams[ends].carrier(m)
    if proto == "modbus":
        fits = lambda a: a.tid == m.tid
    elif proto == "dnp3":
        fits = lambda a: a.function == 129 and a.fragment[0] & 15 == m.fragment[0] & 15
    elif m.kind == "U":
        fits = lambda a: a.kind == "U" and a.control[0] == confirmed(m.control[0])
    else:
        fits = lambda a: a.kind == "I" and a.asdu[0] == m.asdu[0] and a.asdu[2] & 0x3F not in (1, 2, 3, 5)
    back = c.streams.get(ends[::-1])
    for a in c.messages(ends[::-1]):
        at = back.carrier(a)
        if at is not None and at > asked and fits(a):
            return a
    return None


class Point:
    """A point's address, in the message and in the answer that repeats it."""

    def __init__(self, field):
        self.proto = field.split(".")[0]

    def read(self, m, value):
        """The addresses of the table and unit in question."""
        of = value["of"]
        if self.proto == "modbus":
            if TABLES.get(m.pdu[0]) != of["table"] or m.unit != of["unit"]:
                return None
            first, count = struct.unpack_from(">HH", m.pdu, 5 if m.pdu[0] == 23 else 1)
            return list(range(first, first + (count if m.pdu[0] not in (5, 6, 22) else 1)))
        if self.proto == "dnp3":
            place = control_block(m)
            return [place[2]] if place and int.from_bytes(m.link[1:3], "little") == of["unit"] else None
        return [int.from_bytes(m.asdu[6:9], "little")] if m.kind == "I" and int.from_bytes(m.asdu[4:6], "little") == of["unit"] else None

    def edit(self, capture, c, ends, m, value):
        new = value["expected"][0]
        mine = answer(self.proto, c, ends, m)
        replace(c, ends, m, self.put(m, new))
        if mine and self.proto == "modbus" and mine.pdu[0] < 5:
            replace(c, ends[::-1], mine, mine.with_pdu(mine.pdu[:1] + (b"\1\0" if mine.pdu[0] < 3 else b"\2" + mine.pdu[2:4])))
        elif mine:
            replace(c, ends[::-1], mine, self.put(mine, new))
        return new

    def put(self, m, new):
        if self.proto == "modbus":
            pdu = m.pdu
            if pdu[0] == 23 and len(pdu) > 12:
                return m.with_pdu(pdu[:5] + struct.pack(">HHB", new, 1, 2) + pdu[10:12])
            if pdu[0] & 0x80 or pdu[0] == 23:
                return m.with_pdu(pdu)
            if pdu[0] < 5:
                return m.with_pdu(pdu[:1] + struct.pack(">HH", new, 1))
            first = pdu[:1] + struct.pack(">H", new)
            if pdu[0] in (5, 6, 22):
                return m.with_pdu(first + pdu[3:])
            width = 2 if pdu[0] == 16 else 1
            return m.with_pdu(first + b"\0\1" + (bytes([width]) + pdu[6 : 6 + width] if len(pdu) > 5 else b""))
        if self.proto == "dnp3":
            place = control_block(m)
            if not place:
                return m.with_fragment(m.fragment)
            at, width, _ = place
            return m.with_fragment(m.fragment[:at] + new.to_bytes(width, "little") + m.fragment[at + width :])
        return m.with_asdu(m.asdu[:6] + new.to_bytes(3, "little") + m.asdu[9:])


def control_block(m):
    """Where the index of a command's first object lies in a DNP3 fragment, how wide it is, and the index."""
    at = 4 if m.function == 129 else 2
    head = m.fragment[at : at + 3]
    width = {0x17: 1, 0x28: 2}.get(head[2] if len(head) == 3 else None)
    if width is None or head[0] not in (12, 41):
        return None
    at += 3 + width
    return at, width, int.from_bytes(m.fragment[at : at + width], "little")


class Value:
    """A value written to a register or coil, and the answer's echo."""

    def __init__(self, field):
        self.proto = field.split(".")[0]

    def place(self, m, value):
        of = value["of"]
        if self.proto != "modbus" or TABLES.get(m.pdu[0]) != of["table"] or m.unit != of["unit"]:
            return None
        first, count = struct.unpack_from(">HH", m.pdu, 1)
        if m.pdu[0] == 6:
            return 3 if first == of["address"] else None
        at = of["address"] - first
        return 6 + 2 * at if m.pdu[0] == 16 and 0 <= at < count and len(m.pdu) > 6 else None

    def read(self, m, value):
        at = self.place(m, value)
        return at and int.from_bytes(m.pdu[at : at + 2], "big")

    def edit(self, capture, c, ends, m, value):
        sides = [v for v in value.get("range", value["expected"][:1]) if v is not None]
        new = round(sum(sides) / len(sides))
        mine = answer(self.proto, c, ends, m)
        for stream, message in ((ends, m), (ends[::-1], mine)):
            at = message and self.place(message, value)
            if at:
                replace(c, stream, message, message.with_pdu(message.pdu[:at] + new.to_bytes(2, "big") + message.pdu[at + 2 :]))
        return new


class Clock:
    """The time that a clock is set to, and the answer's echo: as far from the expected one as the first."""

    def __init__(self, field):
        self.proto = field.split(".")[0]

    def place(self, m):
        """Where the time lies: after one object header with a count (IEEE 1815 g50), or in C_CS_NA_1."""
        if self.proto == "dnp3":
            head = m.fragment[2:5]
            return 6 if m.function == 2 and len(m.fragment) >= 12 and head[0] == 50 and head[2] == 7 else None
        return 9 if m.kind == "I" and m.asdu[0] == 103 and len(m.asdu) >= 16 else None

    def time(self, m):
        at = self.place(m)
        if at is None:
            return None
        if self.proto == "dnp3":
            return EPOCH + datetime.timedelta(milliseconds=int.from_bytes(m.fragment[at : at + 6], "little"))
        ms, minute, hour, day, month, year = struct.unpack_from("<H5B", m.asdu, at)
        return datetime.datetime(2000 + (year & 127), month & 15, day & 31, hour & 31, minute & 63, tzinfo=UTC) + datetime.timedelta(milliseconds=ms)

    def read(self, m, value):
        return (time := self.time(m)) and time.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def edit(self, capture, c, ends, m, value):
        parse = lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        new = self.time(m) + (parse(value["expected"][0]) - parse(value["observed"]))
        mine = self.proto == "iec104" and answer(self.proto, c, ends, m)
        for stream, message in ((ends, m), (ends[::-1], mine)):
            if message:
                replace(c, stream, message, self.put(message, new))
        return new.isoformat(timespec="milliseconds")

    def put(self, m, new):
        at = self.place(m)
        if self.proto == "dnp3":
            ms = (new - EPOCH) // datetime.timedelta(milliseconds=1)
            return m.with_fragment(m.fragment[:at] + ms.to_bytes(6, "little") + m.fragment[at + 6 :])
        keep = m.asdu[at + 3] & 0x80
        text = struct.pack("<H5B", new.second * 1000 + new.microsecond // 1000, new.minute, new.hour | keep, new.day, new.month, new.year - 2000)
        return m.with_asdu(m.asdu[:at] + text + m.asdu[at + 7 :])


MESSAGE = {f: Function(f) for f in ("modbus.function_code", "dnp3.function_code", "iec104.type_id", "iec104.u_function")}
MESSAGE |= {f: Point(f) for f in ("modbus.address", "dnp3.objects.index", "iec104.objects.ioa")}
MESSAGE |= {f: Clock(f) for f in ("dnp3.objects.time", "iec104.objects.time")}
MESSAGE["modbus.values"] = Value("modbus.values")


def replace(c, ends, m, new):
    c.streams[ends].edits[m.start, m.end] = new


def is_expected(read, value):
    if isinstance(read, list):
        return all(r in value["expected"] for r in read)
    low, high = value.get("range", (1, 0))
    return read in value["expected"] or isinstance(read, int) and (low is None or low <= read) and (high is None or read <= high)


def messages(capture, named, value, kind, more):
    """Every message completed by a named frame that carries another value than the expected ones."""
    connections, put, new = {}, 0, None
    for i in named:
        if not any(i in c.indices for c in connections.values()):
            connections[i] = connection(capture, i)
    for c in connections.values():
        here = set(named) & set(c.indices)
        for ends in (e for e in list(c.streams) if e[0][1] > e[1][1]):
            for m in c.messages(ends):
                at, read = c.streams[ends].carrier(m), kind.read(m, value)
                if read is None or at is None or is_expected(read, value):
                    continue
                if at not in here:
                    # The values of a read stand in its answer, their address in the question.
                    mine = isinstance(kind, Point) and answer(kind.proto, c, ends, m)
                    at = c.streams[ends[::-1]].carrier(mine) if mine else at
                if not (at in here or more and at > max(here)):
                    continue
                observed = value["observed"]
                if at == named[0]:
                    put += 1
                    demand(observed in read if isinstance(read, list) else read == observed, f"the first packet carries {read}")
                new = kind.edit(capture, c, ends, m, value)
    demand(put, "the first packet carries no such message")
    out, touched = {}, set()
    for c in connections.values():
        out |= c.rewrite()
        touched |= {i for s in c.streams.values() for i, at, n in s.segments for a, b in s.edits if n and at < b and a < at + n}
    return out, new, len(touched)
