"""Recomputes what findings say from the records of their frames: what 16-sentences does over the corpus. Shares nothing with the detectors."""

import collections
import ipaddress
import json
import os
import re
import sys

from sentence_records import SECOND, MINUTE, MAC, NAME, ns, frames, arp, Capture, DNP3_TABLES, MODBUS_TABLES, words

# --- what each detector's sentence says


class Untrue(Exception):
    """What a sentence says and the records do not."""


def say(condition, what):
    if not condition:
        raise Untrue(what)


def match(pattern, text):
    m = re.fullmatch(pattern, text)
    say(m, f"not the sentence that is known here: {text!r}")
    return m.groups()


def between(finding, rows, ts=lambda r: r.ts):
    """Of rows those within the episodes' first and last packet."""
    first, last = ns(finding["episodes"][0]["ts"]), max(ns(e["ts_end"]) for e in finding["episodes"])
    # Findings carry microseconds.
    return [r for r in rows if first - 1000 <= ts(r) <= last + 1000]


def lead_ask(f, c, source, device):
    """The request in the first packet, of this source to this device."""
    frame = f["packets"][0]["frame"]
    asks = [a for a in c.asks() if a.frame == frame and (a.uid in f["uids"] or len(f["uids"]) == 100)]
    say(asks, f"no request in frame {frame}")
    mine = [a for a in asks if (a.src, a.dst) == (source, device)]
    say(mine, f"frame {frame} is from {asks[0].src} to {asks[0].dst}, not from {source} to {device}")
    return mine


def one_says(asks, text):
    wrong = [a.says(text) for a in asks]
    say(None in wrong, wrong[0])
    return asks[wrong.index(None)]


def control_operation(f, c):
    who, what, whom, reason, code = match(r"(\S+) sent (.+) to (\S+?)(?:, which refused it: (.+) \((\d+)\))?\.", f["why"])
    ask = one_says(lead_ask(f, c, who, whom), what)
    title = match(r"(.+) from (\S+) to (\S+?)(, refused)?", f["title"])
    say(title[1:3] == (who, whom) and bool(title[3]) == bool(reason), f"title {f['title']!r}")
    say(ask.says(title[0]) is None, f"title: {ask.says(title[0])}")
    outcome = f["evidence"]["outcome"]
    say(outcome == ask.outcome(), f"outcome {outcome}, {ask.outcome()} in the answer")
    if reason:
        said, name = ask.refusal()
        say(said in (None, int(code)) and name in (None, reason), f"refused with {reason} ({code}), {ask.refusal()} in the answer")
    alike = [a for a in between(f, c.asks()) if (a.src, a.dst, a.name, a.point, a.points, a.actions, a.selects) == (ask.src, ask.dst, ask.name, ask.point, ask.points, ask.actions, ask.selects)]
    alike = [a for a in alike if (a.outcome() == "refused") == (outcome == "refused")]
    say(len(alike) == f["count"], f"{f['count']} times, {len(alike)} such requests in the records")



def class_of(a):
    """What a request changes, in the words of the page of configuration changes; none where it changes nothing of the kind."""
    r, objects = a.row, a.row.get("objects") or []
    group = objects[0]["group"] if a.kind == "dnp3" and objects else None
    if a.kind == "dnp3":
        write = {50: "time set", 80: "clearing", 70: "file or program transfer to the device", 10: None, 40: None, 112: None, 120: None}
        if a.function == 2:
            # Variations 2 and 4 of group 50 are times at which something is to be done.
            return "parameter change" if group == 50 and objects[0]["variation"] in (2, 4) else write.get(group, "parameter change")
        modes = [o.get("file_mode") for o in objects]
        files = {1: "file or program transfer from the device", 2: "file or program transfer to the device", 3: "file or program transfer to the device"}
        by = {9: "clearing", 10: "clearing", 13: "restart", 14: "restart", 19: "parameter change", 22: "parameter change", 24: "time set", 27: "deletion of a file",
              21: "switching off of reports", 31: "file or program transfer to the device"}
        by |= dict.fromkeys(range(15, 19), "change of operating mode")
        if a.function == 1 and group == 70:
            return "file or program transfer from the device"
        return files.get(next((m for m in modes if m is not None), None)) if a.function == 25 else by.get(a.function)
    if a.kind == "iec104":
        if r["apci"] == "U":
            return "switching off of reports" if a.name == "STOPDT act" else None
        q = objects[0].get("qualifier") or 0 if objects else 0
        if a.function == 101:
            return "clearing" if q >> 6 > 1 else None
        by = {103: "time set", 105: "restart"} | dict.fromkeys(range(110, 114), "parameter change")
        return "file" if a.function >= 120 else by.get(a.function)
    if a.kind == "modbus":
        sub = r.get("sub_function")
        if a.function == 8:
            return {1: "restart", 4: "change of operating mode", 10: "clearing", 20: "clearing", 3: "parameter change"}.get(sub)
        if a.function == 21:
            return "file or program transfer to the device"
        return {20: "file or program transfer from the device", 90: "umas", 19: "restart", 125: "file or program transfer to the device"}.get(a.function)
    service = {"P_PROGRAM": "change of operating mode", "_INSE": "file or program transfer to the device", "_DELE": "deletion of a file",
               "_GARB": "parameter change", "_MODU": "parameter change"}
    by = {0x1A: "file or program transfer to the device", 0x1D: "file or program transfer from the device", 0x1E: "file or program transfer from the device",
          0x1F: "file or program transfer from the device", 0x29: "change of operating mode"}
    if a.function == 0x28:
        return service.get(r.get("service"), "change of operating mode")
    user = {"set_clock": "time set", "force": "parameter change", "erase": "deletion of a file"}
    return user.get(r.get("user_name")) or by.get(a.function)


REFUSED = r"(?: \S+ refused it: (.+) \((\d+)\)\.)?"


def said_outcome(f, ask, reason, code):
    """What a sentence about a request adds of its answer."""
    outcome = f["evidence"].get("outcome")
    refusal = ask.refusal()
    if outcome is None:
        return
    say((outcome == "accepted") == (refusal is None) and ask.answer() is not None, f"outcome {outcome}, {ask.outcome()} in the answer")
    say(bool(reason) == bool(refusal) == f["title"].endswith(", refused"), f"outcome {outcome}, title {f['title']!r}")
    if reason:
        say(refusal[0] in (None, int(code)) and refusal[1] in (None, reason), f"refused with {reason} ({code}), {refusal} in the answer")


def configuration_change(f, c):
    who, whom, what, name, reason, code = match(rf"{NAME} asked {NAME} for a (.+?) \(([^()]+)\)\.{REFUSED}", f["why"])
    asks = [a for a in lead_ask(f, c, who, whom) if a.name == name]
    say(asks, f"no {name} in the frame")
    ask, kind = asks[0], class_of(asks[0])
    base = what.split(", ")[0]
    said = base.startswith("clearing") if kind == "clearing" else "file" in base if kind == "file" else kind == base or kind == "umas"
    say(kind and said, f"{what!r} for {name}, {kind} by its function and object")
    action = what.split(", ")[1] if ", " in what else None
    say(action is None or action in ask.actions, f"action {action!r}, {ask.actions} in the frame")
    said_outcome(f, ask, reason, code)
    alike = [a for a in between(f, c.asks()) if (a.src, a.dst, a.kind, a.name, class_of(a), a.actions) == (ask.src, ask.dst, ask.kind, ask.name, kind, ask.actions)]
    alike = [a for a in alike if not ask.point or (a.point, a.points) == (ask.point, ask.points)]
    say(len(alike) == f["count"], f"{f['count']} times, {len(alike)} such requests in the records")


def conns(f, c):
    rows = [r for r in map(c.conn, f["uids"]) if r]
    say(rows, "no conversation is named")
    return rows


def sides(r):
    return r.get("src_ip") or mac_of(r), r.get("dst_ip") or r.get("dst_mac", "00:00:00:00:00:00")


UTILITY = ("modbus", "dnp3", "iec104", "s7comm", "cotp", "enip", "mms", "bacnet")
TOOLS = {"SSH": [22], "Telnet": [23], "SMB": [445, 139], "RDP": [3389], "VNC": range(5900, 5907), "TeamViewer": [5938], "AnyDesk": [7070], "WinRM": [5985, 5986]}
ESTABLISHED = ("S1", "SF", "S2", "S3", "RSTO", "RSTR")


def answered(r):
    both = r["orig_pkts"] > 0 and r["resp_pkts"] > 0
    data = (r.get("orig_bytes") or 0) > 0 and (r.get("resp_bytes") or 0) > 0
    return both and (r["proto"] != "tcp" or r["conn_state"] in ESTABLISHED or data)


def is_public(text):
    a = ipaddress.ip_address(text)
    # Networks kept for documentation stand for the internet in examples; Python calls them private.
    example = any(a.version == n.version and a in n for n in map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
    return example or not (a.is_private or a.is_multicast or a.is_loopback or a.is_link_local or a.is_unspecified or a.is_reserved)


def speaks(c, address):
    return any(r.get("service") in UTILITY and address in sides(r) and not (r["service"] == "cotp" and r["dst_port"] == 3389) for r in c.of("conn")) or any(
        address in sides(r) for kind in ("modbus", "dnp3", "iec104", "s7comm", "cotp") for r in c.of(kind))


def exposure(f, c):
    opened = re.fullmatch(rf"{NAME} sent data to the internet address {NAME} from port (\d+), the port of (\S+)\.", f["why"])
    if opened:
        device, public, port, _ = opened.groups()
        rows = [r for r in conns(f, c) if sides(r) == (public, device) and r["dst_port"] == int(port)]
        say(any((r.get("resp_bytes") or 0) > 0 and r["conn_state"] in ESTABLISHED for r in rows), "no such connection sent data")
        return
    device, said, port = match(rf"{NAME}, which speaks a utility protocol, (.+) \(port (\d+)\)\.", f["why"])
    rows = [r for r in conns(f, c) if device in sides(r) and r["dst_port"] == int(port)]
    say(rows, f"no conversation of {device} with port {port} is named")
    say(any(map(answered, rows)), f"nobody answered: {[r['conn_state'] for r in rows]}")
    say(speaks(c, device), f"{device} speaks no utility protocol")
    if said.startswith("is reached by "):
        tool = said.removeprefix("is reached by ")
        say(int(port) in TOOLS[tool] and sides(rows[-1])[1] == device, f"{tool} at {sides(rows[-1])} port {port}")
        return
    public = said.split()[-1]
    say(is_public(public) and any(public in sides(r) for r in rows), f"{public} is no internet address of the conversation")
    if said.startswith("speaks "):
        say(any(r.get("service") == said.split()[1] for r in rows), f"service {[r.get('service') for r in rows]}")
    alike = [r for r in c.of("conn") if set(sides(r)) == set(sides(rows[0])) and answered(r)]
    say(f["count"] <= len(alike), f"{f['count']} times, {len(alike)} conversations")


def cleartext_password(f, c):
    patterns = {
        True: rf"{NAME} logged in to {NAME} as (.+) over (\w+); the password was sent in clear text\.",
        False: rf"{NAME} refused the log-in of {NAME} as (.+) over (\w+); the password was sent in clear text\.",
        None: rf"{NAME} sent the user name (.+) and a password to {NAME} over (\w+) in clear text\.",
    }
    for accepted, pattern in patterns.items():
        m = re.fullmatch(pattern, f["why"], re.S)
        if m:
            break
    say(m, f"not the sentence that is known here: {f['why']!r}")
    g = m.groups()
    who, whom, user, proto = {True: g, False: (g[1], g[0], g[2], g[3]), None: (g[0], g[2], g[1], g[3])}[accepted]
    rows = [r for r in c.of(proto) if r["uid"] in f["uids"]]
    frame = f["packets"][0]["frame"]
    if proto == "ftp":
        logins = [(r["request_frame"], ftp_accepts(r)) for r in rows if r.get("command") == "PASS" and r.get("user") == user and (r["src_ip"], r["dst_ip"]) == (who, whom)]
    elif proto == "http":
        logins = [(r["request_frame"], http_accepts(r)) for r in rows if (r.get("username") == user or "***" in (r.get("uri") or "")) and (r["src_ip"], r["dst_ip"]) == (who, whom)]
    else:
        logins = [(r["frame"], None) for r in rows if any(o.get("user_name") == user for o in r.get("objects") or []) and (r["src_ip"], r["dst_ip"]) == (who, whom)]
    say(any(n == frame for n, _ in logins) or proto == "http", f"no log-in of {user} in frame {frame}: {logins}")
    say(accepted in [a for _, a in logins] or accepted is None and proto == "http", f"accepted {accepted}, {logins} in the records")
    say(f["count"] <= max(len(logins), 1) or proto == "http", f"{f['count']} times, {len(logins)} log-ins")


def ftp_accepts(r):
    code = r.get("reply_code")
    return None if code is None else True if code in (230, 232) else False if code >= 400 else None


def http_accepts(r):
    code = r.get("status_code")
    return None if code is None else False if code in (401, 403, 407) else True if code < 400 else None


def anomalies(f, c, proto, reason, source=None):
    return [r for r in between(f, c.of("anomaly"), lambda r: ns(r["ts"])) if r["proto"] == proto and r["reason"] == reason and r["uid"] in f["uids"] and source in (None, sides(r)[0], sides(r)[1])]


def malformed_ot(f, c):
    who, proto, reason = match(rf"{NAME} sent a (\w+) message that breaks the standard \((.+)\)\.", f["why"])
    frame, reason = f["packets"][0]["frame"], reason.replace(" ", "_")
    alike = [r for r in c.of("anomaly") if r["proto"] == proto and r["reason"].replace(" ", "_") == reason and r["uid"] in f["uids"]]
    rows = [r for r in alike if r["frame"] == frame]
    # After eight of a conversation they are counted in a later row.
    rows = rows or alike[-1:] if len(alike) > 8 else rows
    say(rows, f"no anomaly {reason} in frame {frame}")
    say(any(sides(r)[0] == who for r in rows), f"frame {frame} was sent by {sides(rows[0])[0]}")
    n = sum(r["count"] for r in alike)
    say(n >= f["count"], f"{f['count']} times, {n} anomalies")


def unexpected_port(f, c):
    whom, proto, port, _ = match(rf"{NAME} serves (\w+) on port (\d+), where (\d+) is usual\.", f["why"])
    rows = conns(f, c)
    say(any(r.get("service") == proto or c.at(r["frame"], proto) for r in rows) or any(r["uid"] in f["uids"] for r in c.of(proto)), f"service {[r.get('service') for r in rows]}")
    say(any((whom, int(port)) in ((sides(r)[0], r["src_port"]), (sides(r)[1], r["dst_port"])) for r in rows), "another port in the conversation")


def scan(f, c):
    m = re.fullmatch(rf"{NAME} asked for (\d+) addresses of its segment within five minutes; (\d+) answered\.", f["why"])
    if m:
        who, asked, replied = m[1], int(m[2]), int(m[3])
        lead = f["packets"][0]["frame"]
        mac = f["src"]["mac"]
        upto = [(n, a) for n, a in c.arps() if n <= lead]
        wanted = {a[4] for n, a in upto if a[0] == 1 and a[1] == mac and a[4] != a[2]}
        say(asked <= len(wanted), f"{asked} addresses asked for, {len(wanted)} in the frames up to {lead}")
        got = {a[2] for n, a in upto if a[0] == 2 and a[3] == mac} & wanted
        say(replied <= len(got), f"{replied} answers, {len(got)} in the frames")
        return
    who, what, hosts, within, least, tried = match(rf"{NAME} tried (.+) on (.+) within (.+); (at least )?(\d+) of these did not answer\.", f["why"])
    number = lambda text: 1 if text.startswith("one ") else int(text.split()[0])
    first, last = ns(f["episodes"][0]["ts"]), ns(f["ts_end"])
    mine = [r for r in c.of("conn") if sides(r)[0] == who and first - 6 * MINUTE <= ns(r["ts"]) <= last + 1000]
    silent = [r for r in mine if r["resp_pkts"] == 0 or r["conn_state"] in ("REJ", "RSTR", "RSTOS0", "SH", "RSTRH", "OTH")]
    targets = {(sides(r)[1], r.get("dst_port")) for r in silent}
    say(int(tried) <= len(targets), f"{tried} did not answer, {len(targets)} in the records")
    say(number(hosts) <= len({h for h, _ in targets}), f"{hosts}, {len({h for h, _ in targets})} in the records")
    if what != "echo requests":
        say(number(what) <= len({p for _, p in targets}), f"{what}, {len({p for _, p in targets})} in the records")
    if not least:
        # All that it tried without an answer by the last packet counts: the last figures are those of the whole scan.
        done = {(sides(r)[1], r.get("dst_port")) for r in silent if ns(r["ts"]) >= first}
        say(int(tried) >= 0.9 * len(done) or len(done) < 20, f"{tried} did not answer, {len(done)} in the records")


def contested_address(f, c):
    addr, a, b = match(rf"{NAME} was claimed by ({MAC}) and by ({MAC}) in turn within ten minutes\.", f["why"])
    if f["proto"] != "arp":
        return
    claims = [(n, x[1]) for n, x in c.arps() if x[2] == addr]
    by = dict(claims)
    named = [p["frame"] for p in f["packets"]]
    say(all(n in by for n in named), f"frames {[n for n in named if n not in by]} claim nothing")
    say({by[n] for n in named} == {a, b}, f"{set(by[n] for n in named)} claim it in the frames")


def mac_of(r):
    return r.get("src_mac", "00:00:00:00:00:00")


def number_pair(text):
    m = re.match(r"stNum (\d+) sqNum (\d+)", text)
    return m and (int(m[1]), int(m[2]))


def goose_state(f, c):
    who, block, said, rest = match(rf"The GOOSE publisher {NAME} \((.*?)\) (.+?): (.+)\.", f["why"])
    observed, expected = f["evidence"]["observed"], f["evidence"].get("expected")
    say(f["why"].endswith(f"{observed} instead of {expected}."), "sentence and evidence differ")
    lead = f["packets"][0]["frame"]
    here = [r for r in c.at(lead, "goose") if r.get("gocb_ref") == block]
    say(here, f"no message of {block} in frame {lead}")
    row, numbers = here[0], number_pair(observed.removeprefix("other values in "))
    if numbers:
        say((row["st_num"], row["sq_num"]) == numbers, f"{observed}, stNum {row['st_num']} sqNum {row['sq_num']} in frame {lead}")
    mac = re.search(MAC, observed)
    say(not mac or mac_of(row) == mac[0], f"{observed}, from {mac_of(row)} in frame {lead}")
    before = [r for r in c.of("goose") if r.get("gocb_ref") == block and r["frame"] != lead]
    earlier = number_pair((expected or "").removeprefix("what follows from ").removeprefix("the values of "))
    if earlier:
        sender = re.search(MAC, expected)
        say(any((r["st_num"], r["sq_num"]) == earlier and (not sender or mac_of(r) == sender[0]) for r in before), f"no message {expected} before")
    again = re.fullmatch(r"stNum \d+ sqNum \d+ again after ([\d.]+) s", observed)
    if again:
        gaps = [(ns(row["ts"]) - ns(r["ts"])) / SECOND for r in before if (r["st_num"], r["sq_num"], r.get("t")) == (row["st_num"], row["sq_num"], row.get("t")) and r["frame"] < lead]
        say(any(abs(g - float(again[1])) < 0.06 for g in gaps), f"{observed}, {gaps[-3:]} s in the records")
    silence = re.fullmatch(r"no message for (\d+) s", observed)
    if silence:
        later = [ns(r["ts"]) - ns(row["ts"]) for r in before if r["frame"] > lead]
        say(not later or min(later) >= int(silence[1]) * SECOND, "it was heard in that time")
    if said == "changed its configuration revision":
        say(row["conf_rev"] == int(observed), f"{observed}, {row['conf_rev']} in the frame")
    if said == "marks its messages as simulated":
        say(row.get("simulation") or row.get("header_simulation"), "it does not")


def window_asks(f, c, who, whom, span, upto=None):
    """Requests within a window that ends with the first packet."""
    lead = upto or f["packets"][0]["frame"]
    asks = [a for a in c.asks() if (a.src, a.dst) == (who, whom) and a.frame <= lead]
    say(asks and asks[-1].frame == lead, f"no request of {who} in frame {lead}")
    return [a for a in asks if asks[-1].ts - a.ts <= span]


def repeated_commands(f, c):
    who, whom, count, kind, point = match(rf"{NAME} sent {NAME} (\d+) (.+) within a minute, the last for (.+?)(?:, evenly ever since .+|; while the baseline .+)?\.", f["why"])
    asks = window_asks(f, c, who, whom, MINUTE)
    last = asks[-1]
    say(last.point == point, f"{point}, {last.point} in the frame")
    if kind == "different points commanded":
        n = len({a.point for a in asks if a.point})
    elif kind == "commands of one point":
        n = len([a for a in asks if a.point == point])
    else:
        mine = [a for a in c.asks() if (a.src, a.dst, a.point) == (who, whom, point) and a.frame <= last.frame]
        values = [(a.ts, a.values[:1] or sorted(a.actions)) for a in mine]
        n = sum(1 for (_, x), (t, y) in zip(values, values[1:]) if x != y and last.ts - t <= MINUTE)
    say(int(count) <= n, f"{count} {kind}, {n} in the records")


def refused_commands(f, c):
    device, count, source, kinds, reason, code = match(rf"{NAME} refused (\d+) requests of {NAME} within a minute, (\d+) of them different, the last with (.+) \((\d+)\)\.", f["why"])
    lead = f["packets"][0]["frame"]
    refused = [(a, a.answer()) for a in c.asks() if (a.src, a.dst) == (source, device) and a.refusal()]
    upto = [(a, r) for a, r in refused if r["frame"] <= lead]
    say(upto and upto[-1][1]["frame"] == lead, f"frame {lead} refuses nothing")
    said = upto[-1][0].refusal()
    say(said[0] in (None, int(code)) and said[1] in (None, reason), f"{reason} ({code}), {said} in the frame")
    within = [a for a, r in upto if ns(upto[-1][1]["ts"]) - ns(r["ts"]) <= MINUTE]
    say(int(count) <= len(within), f"{count} refusals, {len(within)} in the records")
    say(int(kinds) <= len({(a.function, a.point) for a in within}), f"{kinds} different")


def function_scan(f, c):
    who, count, proto, what, whom = match(rf"{NAME} tried (\d+) different (\w+) (functions|units) on {NAME} within a minute\.", f["why"])
    lead = f["packets"][0]["frame"]
    rows = [r for r in c.of(proto) if asked(proto, r) and sides(r) == (who, whom) and r["frame"] <= lead]
    within = [r for r in rows if ns(rows[-1]["ts"]) - ns(r["ts"]) <= MINUTE] if rows else []
    unit = {"modbus": "unit_id", "dnp3": "link_dst", "iec104": "common_address"}
    key = (lambda r: (r.get("function_code"), r.get("type_id"), r.get("u_function"), r.get("user_name"), r.get("sub_function"), (r.get("data") or "")[2:4] if r.get("function_code") == 90 else "")) if what == "functions" else (lambda r: r.get(unit[proto]))
    n = len(set(map(key, within)))
    say(int(count) <= n, f"{count} {what}, {n} in the records")


def asked(proto, r):
    return r["cause"] in (5, 6, 8) if proto == "iec104" and r["apci"] == "I" else r.get("u_function", "").endswith("act") if proto == "iec104" else r.get("is_request")


def flood(f, c):
    m = re.fullmatch(rf"{NAME} got (\d+) packets at (\d+) a second, (\d+) answers, the last from {NAME}\.", f["why"])
    if m:
        whom, packets, rate, answers, who = m.groups()
        rows = [r for r in conns(f, c) if sides(r) == (who, whom) and (r["orig_pkts"], r["resp_pkts"]) == (int(packets), int(answers))]
        say(rows, f"no conversation of {packets} packets and {answers} answers")
        seconds = max(rows[0].get("duration") or 0, 1)
        say(abs(int(packets) / seconds - int(rate)) <= 0.02 * int(rate) + 1, f"{rate} a second, {int(packets) / seconds:.0f} in the records")
        return
    m = re.fullmatch(rf"{NAME} sent {NAME} (\d+) times (.+) within ten seconds; (?:earlier in the capture|while the baseline was learned) there were at most (\d+)\.", f["why"])
    if m:
        who, whom, count, name, before = m.groups()
        asks = [a for a in window_asks(f, c, who, whom, 10 * SECOND) if a.name == name]
        say(int(count) <= len(asks), f"{count} times {name}, {len(asks)} in the records")
        return
    whom, count, sources, who = match(rf"{NAME} got (\d+) new conversations in ten seconds from (\d+) sources or more, the last from {NAME}\.", f["why"])
    to = [r for r in c.of("conn") if sides(r)[1] == whom]
    last = max((ns(r["ts"]) for r in to if sides(r)[0] == who and ns(r["ts"]) <= ns(f["ts_end"]) + 1000), default=None)
    say(last is not None, f"no conversation from {who}")
    within = [r for r in to if last - 10 * SECOND <= ns(r["ts"]) <= ns(f["ts_end"]) + 1000]
    say(int(count) <= len(within), f"{count} conversations, {len(within)} in the records")
    say(int(sources) <= len({sides(r)[0] for r in within}), "fewer sources")


def beacon(f, c):
    who, n, whom, port, every = match(rf"{NAME} opened (\d+) connections to {NAME} port (\d+) one after the other, every (\d+) s\.", f["why"])
    rows = [r for r in c.of("conn") if sides(r) == (who, whom) and r["dst_port"] == int(port)]
    starts = sorted(ns(r["ts"]) for r in rows)
    lead = ns(f["ts_end"])
    upto = [t for t in starts if t <= lead + 1000]
    say(len(upto) >= int(n), f"{n} connections, {len(upto)} in the records")
    rest = [upto[-1]]
    for t in reversed(upto[:-1]):
        if rest[-1] - t >= 5 * SECOND:
            rest.append(t)
    span = (rest[0] - rest[min(int(n), len(rest) - 1)]) / min(int(n), len(rest) - 1) / SECOND
    say(abs(span - int(every)) <= max(1, 0.1 * span), f"every {every} s, {span:.1f} in the records")


def failed_logins(f, c):
    m = re.fullmatch(rf"{NAME} opened (\d+) (\S+) sessions with {NAME} within five minutes, each too short to do anything but log in\.", f["why"])
    if m:
        who, count, _, whom = m.groups()
        port = int(re.search(r"port (\d+)", f["evidence"]["observed"])[1])
        rows = [r for r in c.of("conn") if sides(r) == (who, whom) and r["dst_port"] == port and ns(r["ts"]) <= ns(f["ts_end"]) + 1000]
        rows = [r for r in rows if rows and ns(rows[-1]["ts"]) - ns(r["ts"]) <= 5 * MINUTE and (r.get("duration") or 0) <= 60 and max(r.get("orig_bytes") or 0, r.get("resp_bytes") or 0) < 16384]
        say(int(count) <= len(rows), f"{count} sessions, {len(rows)} in the records")
        return
    m = re.fullmatch(rf"{NAME} refused (\d+) log-ins of {NAME} within five minutes, with (\d+) user names?\.", f["why"])
    if m:
        whom, count, who, users = m.groups()
        ftp = [(ns(r["ts"]), r.get("user")) for r in c.of("ftp") if r.get("command") == "PASS" and ftp_accepts(r) is False and sides(r) == (who, whom)]
        http = [(ns(r["ts"]), r.get("username")) for r in c.of("http") if r.get("username") and http_accepts(r) is False and sides(r) == (who, whom)]
        upto = [(t, u) for t, u in sorted(ftp + http, key=lambda x: x[0]) if t <= ns(f["ts_end"]) + 1000]
        within = [(t, u) for t, u in upto if upto[-1][0] - t <= 5 * MINUTE]
        say(int(count) <= len(within) and int(users) <= len({u for _, u in within}), f"{count} refusals with {users} names, {len(within)} in the records")
        return
    who, whom, user = match(rf"{NAME} logged in to {NAME} as (.+) with a password that makers ship\.", f["why"])
    rows = [r for k in ("ftp", "http") for r in c.of(k) if r["uid"] in f["uids"] and user in (r.get("user"), r.get("username"))]
    say(any(ftp_accepts(r) if r.get("command") == "PASS" else http_accepts(r) for r in rows), "no accepted log-in")


def answer_contradiction(f, c):
    who, what, count, whom = match(rf"{NAME} (sent answers that nobody asked for|gave two different answers to one request), (\d+) times to {NAME} within five minutes\.", f["why"])
    reason = {"sent answers that nobody asked for": "answer_without_request", "gave two different answers to one request": "second_answer"}[what]
    lead = f["packets"][0]["frame"]
    rows = [r for r in c.of("anomaly") if r["reason"] == reason and r["frame"] <= lead and sides(r) == (who, whom)]
    say(rows and rows[-1]["frame"] == lead, f"no such answer in frame {lead}")
    n = sum(r["count"] for r in rows if ns(rows[-1]["ts"]) - ns(r["ts"]) <= 5 * MINUTE)
    say(int(count) <= n, f"{count} times, {n} in the records")


def role_contradiction(f, c):
    m = re.fullmatch(rf"{NAME} answers to {NAME} as an outstation, and sent (.+) to {NAME}, which it does not poll\.{REFUSED}", f["why"])
    if m:
        who, master, what, whom, reason, code = m.groups()
        ask = one_says(lead_ask(f, c, who, whom), what)
        said_outcome(f, ask, reason, code)
        say(any((a.src, a.dst) == (master, who) and a.answer() for a in c.asks()) or any(sides(r) == (who, master) for k in ("modbus", "dnp3", "iec104", "s7comm") for r in c.of(k)), f"{who} answers {master} nowhere")
        return
    whom, who, _ = match(rf"In one conversation with {NAME}, {NAME} (.+)\.", f["why"])
    rows = [r for k in ("modbus", "dnp3", "iec104", "s7comm") for r in c.of(k) if r["uid"] in f["uids"]]
    say({sides(r)[0] for r in rows} >= {who}, "not in the conversation")


def network_takeover(f, c):
    who, said, observed, expected = match(rf"{NAME} (hands out addresses as a second DHCP server|names another root of the spanning tree|told others to send their traffic another way): (.+) instead of (.+)\.", f["why"])
    frame = f["packets"][0]["frame"]
    if "ICMP" in observed:
        say([r for r in c.at(frame, "anomaly") if r["reason"] == "redirect" and who in sides(r)], f"no redirect in frame {frame}")
    if "DHCP" in said:
        say(any(r["is_reply"] and who in sides(r) for r in c.at(frame, "dhcp")), f"no answer of a DHCP server in frame {frame}")
        say(any(r["is_reply"] and expected in sides(r) and r["frame"] < frame for r in c.of("dhcp")), f"{expected} answered nobody before")


def unacknowledged_command(f, c):
    who, what, how = match(rf"{NAME} sent the DNP3 request (.+?) (to all outstations at once|without asking for an acknowledgement)\.", f["why"])
    frame = f["packets"][0]["frame"]
    asks = [a for a in c.asks() if a.frame == frame and a.src == who]
    ask = one_says(asks or [None], what) if asks else say(False, f"no request of {who} in frame {frame}")
    say(ask.row["link_dst"] >= 0xFFFD if how.startswith("to all") else ask.function == 6, f"function {ask.function} to {ask.row['link_dst']}")


def values_of(c, who, whom, point):
    """Rows from one to the other that carry a value of a point, with the value."""
    for r in c.of("dnp3"):
        if sides(r) == (who, whom):
            unit = r["link_dst"] if r.get("is_request") else r["link_src"]
            for o in r.get("objects") or []:
                table = DNP3_TABLES.get(o["group"], DNP3_READ.get(o["group"], ""))
                if o.get("value") is not None and point == f"{table} {o.get('index')} of unit {unit}":
                    yield r, o["value"]
    for r in c.of("modbus"):
        if sides(r) == (who, whom) and r.get("address") is not None:
            table = MODBUS_TABLES.get(r["function_code"], "holding register")
            for i, v in enumerate(r.get("values") or []):
                if point == f"{table} {r['address'] + i} of unit {r['unit_id']}":
                    yield r, float(v)
    for r in c.of("iec104"):
        if sides(r) == (who, whom):
            for o in r.get("objects") or []:
                if o.get("value") is not None and point.endswith(f" {o.get('ioa')} of unit {r['common_address']}"):
                    yield r, o["value"]


DNP3_READ = {1: "binary input", 2: "binary input", 3: "double bit input", 4: "double bit input", 20: "counter", 21: "frozen counter", 22: "counter", 30: "analog input", 32: "analog input"}


def altered_in_transit(f, c):
    m = re.fullmatch(rf"{NAME} sent (\S+) for (.+) to {NAME}, and (\S+) arrived: ({MAC}) stands between and passed it on\.", f["why"])
    if m:
        who, sent, point, whom, arrived, _ = m.groups()
        carried = [(ns(r["ts"]), r["frame"], r["uid"], v) for r, v in values_of(c, who, whom, point)]
        here = [(t, uid) for t, n, uid, v in carried if n == f["packets"][0]["frame"] and v == float(arrived)]
        say(here, f"{arrived} for {point} is not in frame {f['packets'][0]['frame']}")
        say(any(uid != u and abs(t - at) <= SECOND and v == float(sent) for at, u in here for t, _, uid, v in carried), f"{sent} for {point} was sent nowhere")
        return
    say(any(r["reason"] == "altered_in_transit" for r in c.of("anomaly") if r["uid"] in f["uids"]), "no such anomaly")


def time_source(f, c):
    m = re.fullmatch(rf"{NAME} names (.+?) as the source of time, where (.+?) was named before: (.+)\.", f["why"])
    if m:
        who, new, old, _ = m.groups()
        frame = f["packets"][0]["frame"]
        identity = lambda text: text.split()[0]
        say(any(r.get("grandmaster") == identity(new) and who in sides(r) for r in c.at(frame, "ptp")), f"no such grandmaster in frame {frame}")
        say(any(r.get("grandmaster") == identity(old) and r["frame"] < frame for r in c.of("ptp")), f"{old} was not named before")
        return
    who, step, seconds = match(rf"The time that {NAME} gives out moved by (-?[\d.]+) s within (\d+) s\.", f["why"])
    frame = f["packets"][0]["frame"]
    rows = [r for k in ("ntp", "ptp") for r in c.of(k) if r.get("offset_s") is not None and sides(r)[0] == who and r["frame"] <= frame]
    rows.sort(key=lambda r: r["frame"])
    say(len(rows) > 1 and rows[-1]["frame"] == frame, f"no offset in frame {frame}")
    say(any(abs(rows[-1]["offset_s"] - r["offset_s"] - float(step)) < 0.002 for r in rows[:-1]), f"moved by {step}")


def fingerprint(f, c):
    who, _, w1, _, w2 = match(rf"{NAME} opened connections with initial TTL (\d+) window (\d+) and with initial TTL (\d+) window (\d+) in turn\.", f["why"])
    windows = {r.get("src2dst_init_window") for r in c.of("flow_stats") if sides(r)[0] == who}
    say(not windows or {int(w1), int(w2)} <= windows, f"windows {w1} and {w2}, {windows} in the records")


def clock_set(f, c):
    who, whom, unit, off, than = match(rf"{NAME} set the clock of {NAME} \(unit (\d+)\) to a time (.+?) off: not (.+)\.", f["why"])
    ask = lead_ask(f, c, who, whom)[0]
    time = (ask.row.get("objects") or [{}])[0].get("time")
    say(time, "no time in the frame")
    seconds = (ns(time) - ask.ts) / SECOND
    n, u = re.match(r"([+-][\d.]+) (\S+)", f["evidence"]["observed"]).groups()
    scale = {"s": 1, "hours": 3600, "days": 86400}[u]
    say(abs(float(n) * scale - seconds) <= 0.06 * scale, f"{f['evidence']['observed']}, {seconds:.1f} s in the frame")


def interrogation(f, c):
    who, whom, name, own = match(rf"{NAME} asked {NAME} for all its values \((.+)\), and {NAME} went on to be its master\.", f["why"])
    ask = lead_ask(f, c, who, whom)[0]
    say(ask.name == name, f"{name}, {ask.name} in the frame")
    say(any((sides(r) in ((own, whom), (whom, own))) and ns(r["ts"]) > ask.ts for k in ("dnp3", "iec104") for r in c.of(k)), f"{own} did not go on")


def second_start(f, c):
    who, whom, own = match(rf"{NAME} started data transfer with {NAME} while {NAME} went on to take its data\.", f["why"])
    ask = lead_ask(f, c, who, whom)[0]
    say(ask.name == "STARTDT act", f"{ask.name} in the frame")
    say(any((sides(r) in ((own, whom), (whom, own))) and ns(r["ts"]) > ask.ts for r in c.of("iec104")), f"{own} did not go on")


def reports_stop(f, c):
    seconds, who, what, whom, count, every = match(rf"For (\d+) s {NAME} (sent no report to|did not poll) {NAME}, after (\d+) times at most (\d+) s apart; their connection is alive\.", f["why"])
    frame = f["evidence"]["last_frame_before"]
    say(c.at(frame, "dnp3", "iec104"), f"nothing in frame {frame}")


def reports_stay_off(f, c):
    who, whom, minutes = match(rf"{NAME} switched the reports of {NAME} off and still talks to it (\d+) minutes later without switching them on\.", f["why"])
    ask = lead_ask(f, c, who, whom)[0]
    say(ask.name == "STOPDT act" or ask.function == 21, f"{ask.name} in the frame")
    later = [a for a in c.asks() if (a.src, a.dst) == (who, whom) and ask.ts < a.ts <= ask.ts + int(minutes) * MINUTE]
    say(not any(a.name == "STARTDT act" or a.function == 20 and a.kind == "dnp3" for a in later), "they were switched on")


def commands_unanswered(f, c):
    count, who, whom, what = match(rf"(\d+) commands from {NAME} to {NAME} (got no answer|were followed by a reset of the connection) within ten minutes; earlier ones were answered\.", f["why"])
    lead = f["packets"][0]["frame"]
    asks = window_asks(f, c, who, whom, 10 * MINUTE, lead)
    n = len([a for a in asks if a.answer() is None]) if what == "got no answer" else len(asks)
    say(int(count) <= n, f"{count} {what}, {n} in the records")
    say(any(a.answer() for a in c.asks() if (a.src, a.dst) == (who, whom) and a.frame < lead), "none was answered before")


def many_devices(f, c):
    who, n, last = match(rf"{NAME} commanded (\d+) devices within a minute, the last {NAME}\.", f["why"])
    lead = f["packets"][0]["frame"]
    asks = [a for a in c.asks() if a.src == who and a.frame <= lead]
    say(asks and asks[-1].dst == last, "another device in the frame")
    say(int(n) <= len({a.dst for a in asks if asks[-1].ts - a.ts <= MINUTE}), "fewer devices")


def borrowed_name(f, c):
    who, name, other = match(rf"{NAME} says that it is called (.+?), and so does {NAME}: one stands in for the other, or both are one\.(?:.*)", f["why"])
    rows = [r for r in c.of("dns") if r["proto_variant"] != "dns"]
    told = lambda a: any(a in (r.get("src_ip"), r.get("dst_ip")) and (name.lower() in json.dumps(r).lower()) for r in rows)
    say(told(who) and told(other), f"no record in which both say {name}")


def report_again(f, c):
    match(r"\S+ sent \S+ an unsolicited report again within a second after \S+ had confirmed it\.", f["why"])
    say(any(r["reason"] == "report_again_after_confirmation" for r in c.at(f["packets"][0]["frame"], "anomaly")), "no such anomaly")


CHECKS = {name.replace("_", "-"): check for name, check in list(globals().items()) if name in """control_operation configuration_change exposure cleartext_password
    malformed_ot unexpected_port scan contested_address goose_state repeated_commands refused_commands function_scan flood beacon failed_logins answer_contradiction
    role_contradiction network_takeover unacknowledged_command altered_in_transit time_source fingerprint clock_set interrogation second_start reports_stop
    reports_stay_off commands_unanswered many_devices borrowed_name report_again""".split()}


def crowd(f):
    """The sentence of the last of many sources."""
    return re.sub(r"^More than \d+ sources did so to .+?, and further ones are told as one; the (?:first|last) of these: ", "", f["why"])


def whole(f, c):
    """What every finding promises: its packets are of its conversations and between its ends, its counts add up, the named value stands in the first."""
    say(f["packets"], "no packet is named")
    say(f["count"] == sum(e["count"] for e in f["episodes"]) or f.get("episodes_more"), "count and episodes differ")
    rows = [r for r in c.at(f["packets"][0]["frame"]) if r["uid"] in f["uids"]]
    ends = {f[k].get(n) for k in ("src", "dst") for n in ("ip", "mac")} - {None}
    told = {v for r in rows for v in (r.get("src_ip"), r.get("dst_ip"), r.get("src_mac"), r.get("dst_mac"))}
    say(not rows or not ends or ends & told, f"the first packet is between {told}")
    if f["dedup_key"].startswith("many>"):
        return
    for address in set(re.findall(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|" + MAC, f["why"])):
        known = address in json.dumps([f["src"], f["dst"], f["evidence"]]) or any(address in json.dumps(r) for r in map(c.conn, f["uids"]) if r)
        say(known or f["detector"] in ("contested-address", "goose-state", "network-takeover", "clock-set", "role-contradiction", "interrogation", "second-start"), f"{address} is none of its ends")


def judge(finding, capture):
    """What is untrue; none where nothing is."""
    try:
        whole(finding, capture)
        finding["why"] = crowd(finding)
        CHECKS[finding["detector"]](finding, capture)
    except Untrue as e:
        return str(e)
    except KeyError as e:
        return f"no check here for {e}"
    return None


FILE = re.compile(r'"file":"((?:[^"\\]|\\.)*)"')
UNUSED = ("point.ndjson", "conn_part.ndjson", "flow_minute.ndjson", "tls.ndjson", "time_break.ndjson")


def captures(out):
    """Findings by file, and the records of the files that have any."""
    findings = collections.defaultdict(list)
    for line in open(f"{out}/alerts.ndjson"):
        f = json.loads(line)
        findings[f["packets"][0]["file"] if f["packets"] else ""].append(f)
    return findings


def main(out, root):
    findings = captures(out)
    # Lines take a tenth of what they are parsed into: one capture at a time is.
    lines = {name: collections.defaultdict(list) for name in findings}
    for kind in sorted(os.listdir(f"{out}/ndjson")):
        if kind in UNUSED:
            continue
        for line in open(f"{out}/ndjson/{kind}"):
            m = FILE.search(line)
            if m and m[1] in lines:
                lines[m[1]][kind.removesuffix(".ndjson")].append(line)
    checked, untrue = collections.Counter(), collections.Counter()
    for name, some in sorted(findings.items()):
        capture = Capture(name, os.path.join(root, name))
        for kind, some_lines in lines.pop(name).items():
            capture.rows[kind] = [json.loads(line) for line in some_lines]
        for f in some:
            wrong = judge(f, capture)
            checked[f["detector"]] += 1
            if wrong:
                untrue[f["detector"]] += 1
                print(f"UNTRUE {name} {f['detector']} frame {f['packets'][0]['frame'] if f['packets'] else '-'}: {f['why']} -- {wrong}")
    for detector, n in sorted(checked.items()):
        print(f"  {detector:30}{n:6} checked{untrue[detector]:6} untrue")
    print(f"findings checked {sum(checked.values())}, untrue {sum(untrue.values())}")
    return sum(untrue.values())


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
