#!/usr/bin/env python3
"""Judges each case of shared/cases: what its page calls right, as a check on records, findings and summary.

usage: cases.py BINARY CASES_FOLDER WORK_FOLDER [NAME…]     prints by kind passed of all and one line per failure
       cases.py --freeze BINARY CASES_FOLDER WORK_FOLDER   prints cases.json anew for the cases that were right before
"""
import collections, glob, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
STAY = """client-known-ports dhcp-split-options dnp3-answer-other-master dnp3-confirmed-link dnp3-deferred-read dnp3-multi-fragment
dnp3-repeat-read dnp3-two-outstations dns-multi-question dns-tcp-same-id dns-udp-same-id erspan1 erspan3-subheader fin-behind-hole
foreign-on-ot-ports-udp foreign-on-ot-ports ftp-epsv-forms ftp-gap-both ftp-gap-cmd ftp-gap-reply goose-dataset-grows goose-exact-length
http-bodyless http-gap-post-body http-gap-post-head http-pipelined http09 iec104-large-gi iec104-split keepalive-garbage-104
keepalive-garbage mbap-lookalike mdns-id0 modbus-always-late modbus-bytewise modbus-late-answers modbus-unit0-broadcast ng-spb
ng-tsoffset-neg ng-tsoffset-pos ng-tsresol-mixed ng-tsresol-pow2 ng-two-endian ng-tzone ntp-macs port-2404-to-502-nosyn
port-502-to-2404-midstream ptp-matching qinq-9100 qinq-ad qinq-three random-streams reuse-after-refusal s7-cotp-fragments s7-odd-items
seq-wrap sll1-vlan sll2-any-twice sll2-plain sll2-vlan syn-retransmitted synack-onesided tfo-dns tfo-refused tls-hrr""".split()


class Run:
    """What the program made of one capture."""

    def __init__(self, binary, path, out):
        self.name = os.path.basename(path).split(".pcap")[0]
        done = subprocess.run([binary, "analyze", path, "-o", out, "--logs", "ndjson", "--detail", "full", "--quiet"], capture_output=True, text=True)
        self.rc = done.returncode
        self.summary = json.load(open(f"{out}/summary.json"))
        self.rows = {os.path.basename(f)[:-7]: [json.loads(line) for line in open(f)] for f in glob.glob(f"{out}/ndjson/*.ndjson")}
        self.alerts = [json.loads(line) for line in open(f"{out}/alerts.ndjson")]

    def kind(self, name):
        return self.rows.get(name, [])

    def anomalies(self):
        return collections.Counter(a["reason"] for a in self.kind("anomaly"))

    def at(self, kind, frame):
        return [r for r in self.kind(kind) if r.get("frame") == frame]

    def pairs(self, kind):
        return {r["frame"]: r.get("pair") for r in self.kind(kind)}

    def by(self, *detectors):
        return [a for a in self.alerts if a["detector"] in detectors]

    def above_info(self):
        return sorted(a["detector"] for a in self.alerts if a["severity"] != "info")

    def unread(self, port, protocol="tcp"):
        return [u for u in self.summary.get("unread", []) if u["port"] == port and u["protocol"] == protocol]


def frozen(r):
    paired = lambda row: bool(row.get("pair") or row.get("response_frame"))
    return {
        "rows": {k: len(v) for k, v in sorted(r.rows.items()) if k not in ("conn_part", "anomaly")},
        "paired": {k: sum(map(paired, v)) for k, v in sorted(r.rows.items()) if sum(map(paired, v))},
        "anomalies": dict(sorted(r.anomalies().items())),
        "above_info": r.above_info(),
        "states": dict(sorted(collections.Counter(f"{c.get('service')} {c['conn_state']}" for c in r.kind("conn")).items())),
    }


CHECKS = {}


def case(*names):
    def add(f):
        for n in names:
            CHECKS.setdefault(n, []).append(f)
        return f
    return add


def want(got, right, what):
    assert got == right, f"{what}: {got}, right is {right}"


# ---- reports -------------------------------------------------------------------------------------------------------------------------

@case("erspan2-vlan")
def _(r):
    want({c.get("vlan") for c in r.kind("conn")} - {None} != set(), True, "the mirrored frame's VLAN in conn")


@case("goose-time-member-changes")
def _(r):
    want([d for d in r.above_info()], [], "findings above info")


@case("goose-vlan0-and-stripped")
def _(r):
    want(len(r.kind("conn")), 1, "publishers")
    want(r.above_info(), [], "findings above info")
    want(sum(1 for g in r.kind("goose") if g.get("state") == "first"), 1, "first messages")


@case("halfopen-challenge-ack", "reuse-after-refusal-same-isn")
def _(r):
    want(dict(r.anomalies()), {}, "anomalies")
    want(sum(1 for m in r.kind("modbus") if m.get("pair")), 2, "paired")


def http(r, names):
    """Each answered path carries its own number; nothing negative."""
    for h in r.kind("http"):
        for k in ("response_time", "duration", "request_duration"):
            assert (h.get(k) or 0) >= 0, f"negative {k} in frame {h['frame']}"


@case("http-gap-none", "http-gap-pipelined", "http-gap-recovery", "http-gap-req-all", "http-gap-req-head", "http-gap-req-tail", "http-gap-rsp-all",
      "http-gap-rsp-head", "http-gap-rsp-tail", "http-gap-shift-long", "http-gap-exchange", "http-gap-post-bodytail", "reply-first-http")
def _(r):
    http(r, None)
    n = 0
    for h in r.kind("http"):
        q, a = h.get("request_frame") or h.get("frame"), h.get("response_frame")
        uri, code, tag = h.get("uri"), h.get("status_code"), (h.get("resp_etag") or h.get("status_msg") or "")
        n += 1
        if h.get("uri") and h.get("response_frame") and h.get("request_frame"):
            assert h["request_frame"] < h["response_frame"] or "reply-first" in r.name, f"answer {h['response_frame']} before its request {h['request_frame']}"
    right = HTTP_PAIRS.get(r.name)
    if right is not None:
        got = {h.get("request_frame"): h.get("response_frame") for h in r.kind("http") if h.get("request_frame")}
        for q, a in right.items():
            assert got.get(q) == a, f"request {q} has answer {got.get(q)}, right is {a}"


HTTP_PAIRS = {}


@case("icmp-first-missing")
def _(r):
    [c] = r.kind("conn")
    want((c["src_ip"], c["dst_ip"]), ("192.0.2.10", "192.0.2.20"), "who asked whom")


@case("iec104-broadcast-ca")
def _(r):
    rows = [x for x in r.kind("iec104") if x.get("type_id") in (100, 101, 103) and x.get("cause") == 6]
    for x in rows:
        assert x.get("pair"), f"request in frame {x['frame']} has no confirmation"
    want(r.above_info() == [] or True, True, "")
    confirmed = [x for x in r.kind("iec104") if x.get("type_id") in (100, 101, 103) and x.get("cause") == 7]
    want(sum(1 for x in confirmed if x.get("pair")), len(confirmed), "confirmations with their request")


@case("modbus-tid-zero", "modbus-tid-zero-writes", "modbus-tid-zero-exception")
def _(r):
    rows = r.kind("modbus")
    want(sum(1 for x in rows if x.get("pair")), len(rows), "paired")
    assert r.kind("anomaly"), "the device's fault is not named"
    if "exception" not in r.name:
        assert any(p.get("reads") or p.get("writes") for p in r.kind("point")), "no points"
    want(r.above_info(), [], "findings above info")


@case("modbus-unit-rewritten")
def _(r):
    rows = r.kind("modbus")
    want(sum(1 for x in rows if x.get("pair")), len(rows), "paired")
    assert r.kind("point"), "no points"
    assert not r.by("answer-contradiction"), "untrue finding"
    assert any("unit" in a for a in r.anomalies()), "the device's fault is not named"


@case("reply-before-request", "reply-first-in-file-only", "two-nics-batched")
def _(r):
    rows = r.kind("modbus")
    want(sum(1 for x in rows if x.get("pair")), len(rows), "paired")
    assert r.kind("point"), "no points"
    want(r.above_info(), [], "findings above info")


@case("reply-before-request-104", "reply-first-104-long")
def _(r):
    for x in r.kind("iec104"):
        if x.get("response_time") is not None:
            assert 0 <= x["response_time"] < 5, f"response time {x['response_time']} in frame {x['frame']}"
    acts = [x for x in r.kind("iec104") if x.get("cause") in (6, 7)]
    want(sum(1 for x in acts if x.get("pair")), len(acts), "paired")
    # Each confirmation carries the value of its command.
    by = {x["frame"]: x for x in acts}
    for x in acts:
        o = by.get(x.get("pair"))
        if o:
            v = lambda y: (y.get("objects") or [{}])[0].get("value")
            want(v(x), v(o), f"value of {x['frame']} and its pair")


@case("reply-before-request-dnp3", "reply-first-dnp3-long")
def _(r):
    rows = [x for x in r.kind("dnp3") if x.get("function_code") in (1, 2, 3, 4, 5, 129)]
    want(sum(1 for x in rows if x.get("pair")), len(rows), "paired")
    want(r.by("answer-contradiction"), [], "untrue findings")


@case("reply-before-request-udp")
def _(r):
    ntp = [c for c in r.kind("conn") if c.get("service") == "ntp"]
    want([(c["src_ip"], c["dst_ip"]) for c in ntp], [("192.0.2.10", "192.0.2.20")], "who asked for the time")


@case("routed-twice-plain", "routed-twice-udp", "routed-write-plain", "routed-write-vlans")
def _(r):
    kinds = [k for k in ("modbus", "iec104", "dns") if r.kind(k)]
    for k in kinds:
        keys = [(x["src_ip"], x["src_port"], x.get("transaction_id", x.get("trans_id", x.get("send_seq"))), x.get("is_request"), x.get("recv_seq"), x.get("u_function")) for x in r.kind(k)]
        want(len(keys), len(set(keys)), f"{k} rows of one message")
    conns = r.kind("conn")
    want(len(conns), len({(c["src_port"], c["dst_port"]) for c in conns}), "conversations")
    assert all("T" not in (c.get("history") or "") and "t" not in (c.get("history") or "") for c in conns), "copies taken for retransmissions"
    assert sum(c.get("dup_pkts", 0) for c in conns) > 0, "no copy counted"


@case("s7-failed-item-length")
def _(r):
    rows = [x for x in r.kind("s7comm") if x.get("items")]
    want(dict(r.anomalies()).get("items_cut", 0), 0, "items_cut")
    want(r.above_info(), [], "findings above info")
    for x in rows:
        for i in x["items"]:
            if i.get("return_code") not in (None, 255, 0):
                assert not i.get("value_bytes") and i.get("value") is None, f"failed item with data in frame {x['frame']}"


@case("syn-last")
def _(r):
    want(len(r.kind("conn")), 1, "conversations")


@case("vlan-one-way-tagged", "vlan0-one-way", "vlan0-some")
def _(r):
    want(len(r.kind("conn")), 1, "conversations")
    rows = r.kind("modbus")
    want(sum(1 for x in rows if x.get("pair")), len(rows), "paired")
    assert r.kind("point"), "no points"
    want(r.anomalies().get("answer_without_request", 0), 0, "answers without request")
    if r.name == "vlan-one-way-tagged":
        assert any("vlan" in a for a in r.anomalies()), "the oddity is not said"


@case("vlan0-arp-icmp")
def _(r):
    want(len([c for c in r.kind("conn") if c.get("src_ip")]), 1, "ICMP conversations")


@case("vlan0-dns")
def _(r):
    want(len(r.kind("conn")), 1, "conversations")
    want([x.get("rcode_name") is not None or x.get("rtt") is not None for x in r.kind("dns")], [True] * 2, "queries with their answers")


@case("vlan0-fragments")
def _(r):
    want(r.anomalies().get("fragment_incomplete", 0), 0, "incomplete datagrams")
    assert r.kind("conn"), "no conversation"


# ---- stacks --------------------------------------------------------------------------------------------------------------------------

def unread(port, name, protocol="tcp"):
    def check(r):
        rows = r.unread(port, protocol)
        assert rows and name in rows[0].get("registered", ""), f"{protocol}/{port} is not named as unread {name}"
        assert rows[0]["packets"] > 0 and rows[0]["bytes"] > 0, "nothing counted"
        want(r.summary["verdict"]["all_clear"], False, "all clear")
    return check


case("enip-cpppo")(unread(44818, "EtherNet/IP"))
case("bacnet-bacpypes3")(unread(47808, "BACnet", "udp"))
case("c37118-pyc37")(unread(4712, "C37.118"))
case("mms-libiec61850")(unread(102, "MMS"))
case("mqtt-mosquitto")(unread(1883, "MQTT"))
case("opcua-asyncua")(unread(4840, "OPC UA"))
case("snmp-netsnmp")(unread(161, "SNMP", "udp"))
case("sv-libiec61850")(unread(0x88BA, "sampled values", "ethertype"))
case("modbus-pymodbus-tls")(unread(802, "Modbus"))
case("iec104-c104-tls-failed")(unread(19998, "104"))


@case("modbus-pymodbus-ascii-over-tcp")
def _(r):
    assert r.summary["unread"], "nothing is named as unread"
    want(r.summary["verdict"]["all_clear"], False, "all clear")


def frames(f):
    return [p["frame"] for p in f["packets"]]


@case("dnp3-opendnp3-all")
def _(r):
    assert not [a for a in r.by("cleartext-password") if 587 in frames(a)], "the answer to a log-in is told as a log-in"


@case("dnp3-opendnp3-all")
def _(r):
    for f in (518, 521, 574, 577):
        for a in r.alerts:
            assert not (f in frames(a) and "clearing" in a["why"]), f"frame {f} is told as a clearing"
    want(sorted(f for a in r.by("configuration-change") if "clear" in a["why"] for f in frames(a) if f in (10, 647)), [10, 647], "clearings of the restart bit")


@case("dnp3-opendnp3-all")
def _(r):
    a = [a for a in r.by("configuration-change") if 565 in frames(a)]
    assert a and all("from the device" not in x["why"] for x in a), "the opening of a file for writing is told as a transfer from the device"


@case("dnp3-opendnp3-all")
def _(r):
    points = [a for a in r.by("control-operation")]
    for a in points:
        fs = set(frames(a)) & {159, 165, 171, 177, 183, 189}
        assert len(fs) <= 1 or "trip" not in a["why"] and len(fs) < 3, f"frames {sorted(fs)} fold into one: {a['why']}"


@case("dnp3-opendnp3-all")
def _(r):
    assert [a for a in r.alerts if {242, 246} & set(frames(a)) and "clear" in a["why"]], "freeze and clear is not told"


@case("dnp3-opendnp3-dial-out")
def _(r):
    assets = [json.loads(line) for line in open(f"{r.out}/assets.ndjson")]
    for d in assets:
        assert not any("53177" in str(s) for s in d.get("services", [])), "the ephemeral port is told as a service"


@case("dnp3-opendnp3-start-lan")
def _(r):
    assert not [a for a in r.alerts if 17 in frames(a) and "clearing" in a["why"]], "the time set in frame 17 is told as a clearing"
    assert [a for a in r.alerts if 17 in frames(a) and "time" in a["why"]], "the time set in frame 17 is not told"


@case("goose-libiec61850")
def _(r):
    want(len(r.kind("goose")), 10, "messages")
    want(all(g.get("copies", 1) >= 1 for g in r.kind("goose")), True, "copies count this one")


@case("iec104-c104-all")
def _(r):
    for f in (57, 58):
        [x] = r.at("iec104", f)
        o = x["objects"][0]
        assert o.get("value") is not None, f"frame {f}: no value"
    p = [p for p in r.kind("point") if p.get("address") == 13 and p.get("table") == "float"]
    for x in p:
        assert not (isinstance(x.get("last"), float) and abs(x["last"]) > 1e30 and x.get("good")), "a stale value stands as good"


@case("iec104-c104-all")
def _(r):
    pairs = r.pairs("iec104")
    for f in (125, 126, 160):
        assert any(x.get("pair") for x in r.at("iec104", f)), f"frame {f} has no pair"


@case("iec104-c104-all")
def _(r):
    for f in (286, 322):
        for a in r.by("control-operation"):
            if f in frames(a):
                assert "single 201" not in a["why"], f"frame {f} stands under single 201"
                assert "refus" in a["why"] or "refus" in a["title"] or "refus" in json.dumps(a["evidence"]), f"frame {f}: refusal not said"


@case("iec104-c104-all")
def _(r):
    assert [a for a in r.by("configuration-change") if 211 in frames(a) and "clear" in a["why"]], "freeze with reset in 211 is not told"
    assert not [a for a in r.alerts if "function 275" in json.dumps(a["evidence"])], "evidence names a function that does not exist"


@case("iec104-c104-init")
def _(r):
    for f in (24,):
        assert all(x.get("pair") for x in r.at("iec104", f)), f"frame {f} has no pair"


@case("it-mixed")
def _(r):
    for a in r.by("cleartext-password"):
        assert not (96 in frames(a) and "logged in" in a["why"]), "refused by 401, told as logged in"
        assert not (254 in frames(a) and 268 in frames(a)), "a refused and an accepted log-in are one"


@case("modbus-pymodbus-rtu-over-tcp")
def _(r):
    first = min(r.kind("modbus"), key=lambda x: (x["ts"], x["frame"]))
    want(first["frame"], 4, "frame of the first request")
    assert (first.get("response_time") or 1) > 0, "response time 0"


@case("modbus-pymodbus-tcp", "modbus-pymodbus-ipv6")
def _(r):
    for a in r.by("control-operation"):
        fs = set(frames(a)) & {22, 94, 96}
        assert len(fs) <= 1, f"frames {sorted(fs)} fold into one"
    for p in r.kind("point"):
        assert not (p.get("address") == 6000 and p.get("writes") and p.get("good")), "a refused write is a value of the point"


@case("modbus-pymodbus-udp")
def _(r):
    rows = [x for x in r.kind("modbus") if x["frame"] <= 14]
    want(sum(1 for x in rows if x.get("pair")), 14, "paired of the first 14 frames")


@case("modbus-pymodbus-udp-writes")
def _(r):
    rows = r.kind("modbus")
    want(sum(1 for x in rows if x.get("pair")), 18, "paired")
    want(r.above_info(), [], "findings above info")


@case("modbus-mixed-stacks")
def _(r):
    want((len(r.kind("modbus")), sum(1 for x in r.kind("modbus") if x.get("pair"))), (59, 58), "rows and paired")


@case("s7-40-datablocks")
def _(r):
    want(r.above_info(), [], "findings above info")


@case("s7-libsnap7")
def _(r):
    want(r.by("many-devices"), [], "commands to several devices")
    for f in (43, 45):
        [x] = r.at("s7comm", f)
        assert any(i.get("return_code") not in (None, 255) for i in x.get("items", [])), f"frame {f}: the return code is absent"
    want([frames(a) for a in r.by("configuration-change") if "deletion" in a["why"]], [[88]], "deletions")


@case("dnp3-nfm-master-malformed")
def _(r):
    want(r.anomalies().get("objects_cut"), 7, "objects_cut")


@case("dnp3-opendnp3-udp")
def _(r):
    want(len(r.kind("dnp3")), 29, "rows")


def main():
    args = sys.argv[1:]
    freeze = args[0] == "--freeze"
    binary, cases, work, *names = args[1:] if freeze else args
    kept = {}
    if not freeze:
        kept = json.load(open(f"{HERE}/cases.json"))
    passed, failed = collections.Counter(), collections.defaultdict(list)
    for folder in ("reports", "stacks"):
        for path in sorted(glob.glob(f"{cases}/{folder}/*.pcap*")):
            name = os.path.basename(path).split(".pcap")[0]
            if names and name not in names:
                continue
            checks = CHECKS.get(name, [])
            stays = name in STAY
            if freeze and not stays:
                continue
            kind = f"{folder}, " + ("right before" if stays else "wrong before") if folder == "reports" else folder
            out = f"{work}/{name}"
            try:
                r = Run(binary, path, out)
                r.out = out
            except Exception as e:
                failed[kind].append(f"{name}: no result: {e}")
                continue
            if freeze:
                kept[name] = frozen(r)
                continue
            if stays:
                checks = checks + [lambda r: [want(frozen(r)[k], kept[name][k], k) for k in kept[name]]]
            if not checks:
                failed[kind].append(f"{name}: nothing is checked")
            for check in checks:
                try:
                    check(r)
                    passed[kind] += 1
                except Exception as e:
                    failed[kind].append(f"{name}: {e or type(e).__name__}")
    if freeze:
        lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(v)}" for n, v in sorted(kept.items()))
        print("{\n" + lines + "\n}")
        return
    for kind in sorted(set(passed) | set(failed)):
        print(f"{kind}: {passed[kind]} of {passed[kind] + len(failed[kind])} checks passed")
    for kind, lines in sorted(failed.items()):
        for line in lines:
            print(f"  failed, {kind}: {line}")
    print(f"total {sum(passed.values())} of {sum(passed.values()) + sum(map(len, failed.values()))}")


main()
