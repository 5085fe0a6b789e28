#!/usr/bin/env python3
"""Judges the faults of shared/cases/detection: builds each case with its own script and says whether what is wanted is found.

usage: detection.py BINARY REPRO.PY WORK_FOLDER [CASE-TO-LEAVE-OUT…]     one line a case; exit 1 when one is not as wanted
"""
import collections, os, re, struct, sys

binary, script, work, *leave = sys.argv[1:]
RANK = dict(info=0, low=1, medium=2, high=3, critical=4)
said, shown = [], []
# The script runs the cases that its arguments name: none, they are called here.
space = {"__name__": "repro"}
sys.argv = [script, binary, work, "none"]
exec(compile(open(script).read(), script, "exec"), space)
space["print"] = lambda *args: said.append(" ".join(map(str, args)))
space["show"] = lambda name, alerts, n=0: shown.append((name, alerts))


def most(alerts):
    """The gravest severity, and the detectors that gave it."""
    top = max((RANK[a["severity"]] for a in alerts), default=0)
    return top, sorted({a["detector"] for a in alerts if RANK[a["severity"]] == top and top})


def at_least(rank):
    return lambda: [(name, most(a)[0] >= rank, most(a)) for name, a in shown]


def at_most(rank):
    return lambda: [(name, most(a)[0] <= rank, most(a)) for name, a in shown]


def new_service():
    [(name, alerts)] = shown
    named = [a for a in alerts if RANK[a["severity"]] >= 2 and "4444" in a["title"] + a["why"]]
    return [(name, most(alerts)[0] >= 2 and bool(named), most(alerts))]


def poison():
    """What a clean baseline finds of an attack, one finds too that saw the attacker."""
    found = lambda alerts: {a["detector"] for a in alerts}
    pairs = zip(shown[::2], shown[1::2])
    return [(after[0], found(clean[1]) <= found(after[1]), sorted(found(clean[1]) - found(after[1]))) for clean, after in pairs]


def first_command():
    """Further days have under three alarms each, none high, and no more than `learn` says of nineteen in twenty."""
    return [(line, all(int(n) < 3 for n in re.findall(r"\d+", line.split("by day")[1])), "") for line in said]


WANTED = {
    "cyclic": at_most(1),
    "spoof": at_least(2),
    "refusals": at_least(2),
    "twoanswers": at_least(3),
    "newservice": new_service,
    "pipelined": at_most(0),
    "answered_flood": at_least(2),
    "goose_copy": at_least(2),
    "firstcommand": first_command,
    "poison": poison,
    "broken": at_most(0),
    "steady_gateway": at_most(1),
}


def broken():
    """A session of a known pair that breaks before its first answer: nothing new"""
    s = space
    master, device = s["ip"]("10.5.0.10"), s["ip"]("10.5.0.31")
    macs = s["mac"]("78e7d1e0025e"), s["mac"]("000417023131")

    def day(path, t0, hours, broken):
        frames = []
        for k in range(hours * 60):
            tid = k & 0xFFFF
            ask = struct.pack(">HHHBBHH", tid, 0, 6, 1, 3, 8, 4)
            answer = struct.pack(">HHHBBB4H", tid, 0, 11, 1, 3, 8, 5, 6, 7, 8)
            one = s["modbus_session"]([(0, ask, answer)], t0 + k * 60 * s["S"], master, device, 2000 + k % 60_000, *macs)
            # Without what the device says after its SYN.
            frames += [f for i, f in enumerate(one) if not (k in broken and i > 2 and f[1][6:12] == macs[1])]
        s["write"](path, frames)

    t = s["T"]
    day(f"{work}/b0.pcap", t, 8, ()), day(f"{work}/b1.pcap", t + 86400 * s["S"], 8, ()), day(f"{work}/b2.pcap", t + 2 * 86400 * s["S"], 1, (20, 40))
    s["learn"]([f"{work}/b0.pcap", f"{work}/b1.pcap"], work + "/bb")
    s["show"]("two sessions without an answer", s["analyze"](f"{work}/b2.pcap", "--baseline", work + "/bb"))


def steady_gateway():
    """A data concentrator that answers its master and commands a device below it ever since the capture began: nothing grave"""
    s = space
    up, gate, down = (s["ip"](f"10.6.0.{n}") for n in (10, 20, 30))
    mac = [bytes.fromhex(m) for m in ("0050569a3110", "0030a7126e20", "0030a7126e30")]
    above = s["Ses"](s["T"], up, gate, 1200, mac[0], mac[1])
    below = s["Ses"](s["T"] + 500_000_000, gate, down, 1201, mac[1], mac[2])
    pulse = bytes.fromhex("0c0128010008000301") + struct.pack("<IIB", 100, 100, 0)
    for k in range(720):
        x, seq = k * 5 * s["S"], k & 15
        above.f(x, 1, 24, s["dn"](10, 1, s["rq"](seq, 1, s["C123"]), seq, True))
        above.f(x + 4_000_000, 0, 24, s["dn"](1, 10, s["rs"](seq), seq, False))
        request = (seq, 5, pulse) if k % 12 == 6 else (seq, 1, s["C123"])
        below.f(x, 1, 24, s["dn"](20, 10, s["rq"](*request), seq, True))
        below.f(x + 4_000_000, 0, 24, s["dn"](10, 20, s["rs"](seq, pulse if k % 12 == 6 else b""), seq, False))
    s["write"](work + "/g.pcap", sorted(above.o + below.o, key=lambda f: f[0]))
    s["show"]("no baseline", s["analyze"](work + "/g.pcap"))


cases = {**space["ALL"], "broken": broken, "steady_gateway": steady_gateway}
failed = [name for name in cases if name not in WANTED]
for name, build in cases.items():
    if name in leave:
        print(f"{name:16} left out")
        continue
    said.clear(), shown.clear()
    build()
    judged = WANTED[name]()
    for what, good, found in judged:
        print(f"{name:16} {'as wanted' if good else 'NOT as wanted'}: {what}: {found}")
    if not judged or not all(good for _, good, _ in judged):
        failed.append(name)
print(f"passed {len(cases) - len(failed) - len(leave)} of {len(cases) - len(leave)}")
sys.exit(f"FAILED: {' '.join(failed)}" if failed else 0)
