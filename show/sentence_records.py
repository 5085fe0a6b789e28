"""Frames and records of a capture as the checks of sentences need them; shares nothing with the parsers or the detectors."""

import collections
import datetime
import gzip
import re
import struct

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
SECOND = 10**9
MINUTE = 60 * SECOND
MAC = r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"
NAME = r"(\S+)"


def ns(text):
    """Nanoseconds since 1970 of an RFC 3339 time."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    at = datetime.datetime.fromisoformat(whole + "+00:00") - EPOCH
    return (at.days * 86400 + at.seconds) * SECOND + int((fraction + "0" * 9)[:9])


# --- frames that have no record: ARP


def frames(path):
    """Link type and bytes of each frame of a capture (pcap, pcapng, gunzipped or not); nothing from where it is damaged."""
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        return list(pcapng(data))
    order = ">" if magic in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d") else "<"
    link, at, out = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF, 24, []
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        out.append((link, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return out


def pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, links = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">", []
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12:
            return
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        if kind == 6:
            interface, _, _, captured = struct.unpack_from(order + "IIII", data, at + 8)
            yield links[interface], data[at + 28 : at + 28 + captured]
        if kind == 3:
            yield links[0], data[at + 12 : at + length - 4]
        at += length


def arp(frame):
    """Operation, MAC and IP address of sender and target of an ARP message over Ethernet."""
    link, data = frame
    at = {1: 12, 113: 14}.get(link)
    if at is None:
        return None
    while data[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    body = data[at + 2 :]
    if data[at : at + 2] != b"\x08\x06" or len(body) < 28:
        return None
    return body[7], body[8:14].hex(":"), ".".join(map(str, body[14:18])), body[18:24].hex(":"), ".".join(map(str, body[24:28]))


# --- records of a capture


class Capture:
    """The records of one file."""

    def __init__(self, name, path):
        self.name, self.path, self.rows, self.raw = name, path, collections.defaultdict(list), None
        self.lazy = {}

    def of(self, kind):
        """Rows of a kind in order of frame."""
        rows = self.rows[kind]
        if kind not in self.lazy:
            rows.sort(key=lambda r: r["frame"])
            self.lazy[kind] = True
        return rows

    def at(self, frame, *kinds):
        """Rows that a frame completed."""
        key = ("at", *kinds)
        if key not in self.lazy:
            index = collections.defaultdict(list)
            for kind in kinds or list(self.rows):
                for row in self.of(kind):
                    index[row["frame"]].append(row)
            self.lazy[key] = index
        return self.lazy[key].get(frame, [])

    def conn(self, uid):
        key = "conn by uid"
        if key not in self.lazy:
            self.lazy[key] = {r["uid"]: r for r in self.of("conn")}
        return self.lazy[key].get(uid)

    def arps(self):
        if self.raw is None:
            self.raw = [(i + 1, a) for i, f in enumerate(frames(self.path)) if (a := arp(f))]
        return self.raw

    def asks(self):
        """Every request that the utility protocols' rows hold, as `Ask`."""
        if "asks" not in self.lazy:
            all_ = [Ask(self, r) for kind in ("modbus", "dnp3", "iec104", "s7comm") for r in self.of(kind) if is_ask(kind, r)]
            self.lazy["asks"] = sorted(all_, key=lambda a: a.frame)
        return self.lazy["asks"]


def is_ask(kind, row):
    row["kind"] = kind
    if kind == "iec104":
        if row["apci"] == "U":
            return row["u_function"] in ("STARTDT act", "STOPDT act")
        return row["apci"] == "I" and "type_id" in row and (45 <= row["type_id"] <= 64 or 100 <= row["type_id"] <= 127) and row["cause"] in (5, 6, 8, 13)
    if kind == "dnp3":
        return row.get("is_request") and row.get("function_code", 0) != 0
    return row["is_request"]


DNP3_TABLES = {12: "binary output", 13: "binary output", 41: "analog output", 43: "analog output", 10: "binary output", 40: "analog output"}
MODBUS_TABLES = {1: "coil", 5: "coil", 15: "coil", 2: "discrete input", 4: "input register"}
IEC_TABLES = {45: "single", 58: "single", 46: "double", 59: "double", 47: "step", 60: "step", 51: "bitstring", 64: "bitstring",
              48: "normalized", 61: "normalized", 49: "scaled", 62: "scaled", 50: "float", 63: "float"}


def words(name):
    """A function's name as people write it; one that IEC 60870-5-101 gives stays."""
    return name if name[:1].isupper() else name.replace("_", " ")


# Sub-functions of the Modbus specification (§6.8); codes of UMAS, which Schneider Electric's controllers speak within function 90.
DIAGNOSTICS = {0: "return query data", 1: "restart communications option", 2: "return diagnostic register", 3: "change ascii input delimiter", 4: "force listen only mode",
               10: "clear counters and diagnostic register", 20: "clear overrun counter and flag"}
UMAS = {0x30: "umas initialize upload", 0x31: "umas upload block", 0x32: "umas end strategy upload", 0x33: "umas initialize download", 0x34: "umas download block",
        0x35: "umas end strategy download", 0x40: "umas start plc", 0x41: "umas stop plc", 0x21: "umas write memory block", 0x23: "umas write variables",
        0x25: "umas write coils registers"}


class Ask:
    """A request: who, whom, function, first point, action, value, and what came of it."""

    def __init__(self, capture, row):
        self.row, self.frame, self.ts, self.kind = row, row["frame"], ns(row["ts"]), row["kind"]
        self.src, self.dst = row.get("src_ip") or row["src_mac"], row.get("dst_ip") or row["dst_mac"]
        self.uid, self.capture, self.selects = row["uid"], capture, None
        getattr(self, "of_" + self.kind)(row)

    def of_modbus(self, r):
        self.name, self.function = words(r["function_name"]), r["function_code"]
        if self.function == 8:
            self.name = DIAGNOSTICS.get(r.get("sub_function"), self.name)
        if self.function == 90:
            self.name = UMAS.get(int(r.get("data", "")[2:4] or "0", 16), "umas")
        address = r.get("write_address", r.get("address"))
        table = MODBUS_TABLES.get(self.function, "holding register")
        self.point = f"{table} {address} of unit {r['unit_id']}" if address is not None else ""
        values = r.get("write_values") or r.get("values") or []
        self.points = (r.get("write_quantity") or r.get("quantity") or 1) if self.point else 0
        self.values = [float(v) for v in values]
        self.actions = {"on"} if self.function == 5 and values[:1] == [1] else {"off"} if self.function == 5 and values[:1] == [0] else set()
        self.actions |= {1: {"restart"}, 4: {"listen only"}, 10: {"clear counters"}}.get(r.get("sub_function"), set())

    def of_dnp3(self, r):
        self.name, self.function = words(r["function_name"]), r["function_code"]
        objects = r.get("objects") or []
        self.points = len(objects)
        first = objects[0] if objects else {}
        index = first.get("index", first.get("range_start"))
        self.point = ""
        if index is not None:
            table = DNP3_TABLES.get(first["group"], first["name"].replace("_", " "))
            self.point = f"{table} {index} of unit {r['link_dst']}"
        self.actions = {words(first[k]) for k in ("operation", "trip_close") if first.get(k)}
        if self.function == 2 and first.get("group") == 80 and index == 7 and first.get("value") == 0:
            self.actions |= {"clear the restart indication"}
        self.values = [first["value"]] if first.get("value") is not None else []

    def of_iec104(self, r):
        if r["apci"] == "U":
            self.name, self.function, self.point, self.points, self.actions, self.values = r["u_function"], None, "", 0, set(), []
            return
        self.name, self.function = r["type_name"], r["type_id"]
        objects = r.get("objects") or []
        self.points, first = r["num_objects"], objects[0] if objects else {}
        self.selects = first.get("select")
        table = IEC_TABLES.get(self.function)
        self.point = f"{table} {first['ioa']} of unit {r['common_address']}" if table and first.get("ioa") is not None else ""
        self.actions = {first["action"]} if first.get("action") else set()
        self.values = [first["value"]] if first.get("value") is not None else []

    def of_s7comm(self, r):
        self.name = words(r.get("function_name") or r.get("user_name") or "")
        self.function = r.get("function_code")
        items = r.get("items") or []
        first = next((i for i in items if i.get("name")), {})
        self.point, self.points = first.get("name", ""), len(items)
        self.values = [float(v) for v in first.get("values") or []]
        self.actions = {"on" if self.values[0] else "off"} if first.get("size") == "bit" and self.values else set()
        self.actions |= {"P_PROGRAM": {"start"}, "_INSE": {"activate block"}, "_DELE": {"delete block"}, "_GARB": {"compress memory"},
                         "_MODU": {"copy memory to ROM"}}.get(r.get("service"), set())
        if r.get("service") == "P_PROGRAM" and (r.get("argument") or "").startswith("C"):
            self.actions = {"cold start"}
        if self.function == 0x29:
            self.actions = {"stop"}

    def answer(self):
        """The row of the answer."""
        if self.row.get("pair") is None:
            return None
        rows = [r for r in self.capture.at(self.row["pair"], self.kind) if r.get("pair") == self.frame and r["uid"] == self.uid]
        return rows[0] if rows else None

    def refusal(self):
        """Code and name of a refusal; none where there is no answer or it accepts."""
        a = self.answer()
        if a is None:
            return None
        if self.kind == "modbus":
            return (a["exception_code"], words(a["exception_name"])) if a.get("exception_code") is not None else None
        if self.kind == "dnp3":
            status = next(((o["status"], words(o["status_name"])) for o in a.get("objects") or [] if o.get("status")), None)
            bad = [n for n in a.get("iin_names") or [] if n in DNP3_REFUSES]
            return status or ((None, words(bad[0])) if bad else None)
        if self.kind == "iec104":
            return (a["cause"], None) if a.get("negative") or 44 <= a.get("cause", 0) <= 47 else None
        code = (a.get("error_class") or 0) << 8 | (a.get("error_code") or 0)
        items = [i["return_code"] for i in a.get("items") or [] if i.get("return_code") not in (None, 255)]
        return (code or items[0], "error") if code or items else None

    def outcome(self):
        return "no answer seen" if self.answer() is None else "refused" if self.refusal() else "accepted"

    def says(self, text):
        """What is untrue in `NAME (ACTION) for POINT and N more with value V` for this request; none where nothing is."""
        m = re.fullmatch(r"(.+?)(?: \(([^)]*)\))?(?: for (.+?)(?: and (\d+) more)?)?(?: (?:with value|=) (\S+))?", text)
        name, action, point, more, value = m.groups()
        if name != self.name:
            return f"function {name!r}, {self.name!r} in the frame"
        if action and action not in self.actions | {f"{a} on" for a in self.actions} and action != "integrity poll":
            return f"action {action!r}, {self.actions} in the frame"
        if point and point != self.point:
            return f"point {point!r}, {self.point!r} in the frame"
        if more and int(more) != self.points - 1:
            return f"{more} more points, {self.points - 1} in the frame"
        if value is not None and not any(abs(float(value) - v) <= 5e-4 * max(1, abs(v)) for v in self.values[:1]):
            return f"value {value}, {self.values[:1]} in the frame"
        return None


DNP3_REFUSES = ("no_func_code_support", "object_unknown", "parameter_error", "already_executing", "config_corrupt")
