#!/usr/bin/env python3
"""Reads reports as their readers do: writes captures that are hard on a page, looks up who asks what, and measures pages in Chromium."""
import csv, hashlib, html, json, os, re, struct, subprocess, sys

MEGABYTES = 2

# Names from the wire: markup, direction overrides, control characters, quotes, a text of 255 bytes.
HOSTILE = ["<script>alert(1)</script>", "\u202etxt.exe", "a\x1b[2Jb", '"onmouseover="x', "n" * 255, "<img src=http://203.0.113.9/x>", "relay-7"]


def dhcp(mac, ip, name):
    """A DHCP request for an address, with a host name (RFC 2131, RFC 2132 §3.14)."""
    options = b"\x63\x82\x53\x63\x35\x01\x03\x32\x04" + ip + b"\x0c" + bytes([len(name)]) + name + b"\xff"
    boot = struct.pack(">BBBBIHH", 1, 1, 6, 0, int.from_bytes(ip, "big"), 0, 0) + ip + bytes(12) + mac.ljust(16, b"\0") + bytes(192) + options
    udp = struct.pack(">HHHH", 68, 67, 8 + len(boot), 0) + boot
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, ip, b"\xff" * 4)
    total = sum(struct.unpack(">10H", head))
    check = ~(total % 65535 or 65535) & 0xFFFF
    return b"\xff" * 6 + mac + b"\x08\x00" + head[:10] + struct.pack(">H", check) + head[12:] + udp


def arp(mac, ip):
    return b"\xff" * 6 + mac + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + mac + ip + bytes(6) + b"\x0a\x14\x00\x01"


def captures():
    """5,000 hosts with hostile names, and a day with garbage in its middle."""
    with open("hosts.pcap", "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for n in range(5_000):
            mac, ip = b"\x02\x00\x00\x00" + n.to_bytes(2, "big"), bytes([10, 20, n >> 8, n & 255])
            name = HOSTILE[n % len(HOSTILE)].encode()[:255]
            for i, frame in enumerate((dhcp(mac, ip, name), arp(mac, ip))):
                out.write(struct.pack("<IIII", 1_700_000_000 + n // 10, n % 10 * 90_000 + i, len(frame), len(frame)) + frame)
    day = bytearray(open("day.pcap", "rb").read(3_000_000))
    day[1_500_000:1_502_000] = b"\xfe" * 2_000
    open("damaged.pcap", "wb").write(day)


def sha(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def sections(page):
    """The text of every section by the id of its heading; the top is `verdict`."""
    parts = re.split(r'<h2 id="([a-z]+)">', page)
    texts = {"verdict": parts[0].split("<nav", 1)[0]} | dict(zip(parts[1::2], parts[2::2]))
    return {k: html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", v, flags=re.S))) for k, v in texts.items()}


def load(name):
    page = open(name + ".html", encoding="utf-8").read()
    alerts = [json.loads(line) for line in open(f"{name}.out/alerts.ndjson")]
    return page, sections(page), alerts, json.load(open(f"{name}.out/summary.json"))


def number(n):
    return f"{n:,}"


def questions():
    """Who asks what, in which section the answer stands, and what it must hold: taken from labels, files and tools, not from the page."""
    _, _, alerts, summary = load("day")
    labels = list(csv.DictReader(open("day.csv")))
    intruder = next(l["actor"] for l in labels if l["attack"] == "unauthorized-control")
    alarms = [a for a in alerts if a["severity"] in ("medium", "high", "critical")]
    mac = next(a["src"]["mac"] for a in alarms if a["src"].get("ip") == intruder)
    meta = {m["id"]: m for m in json.loads(subprocess.run([os.environ["GW"], "detectors", "--json"], capture_output=True, check=True, text=True).stdout)}
    device = next(d for d in map(json.loads, open("day.out/assets.ndjson")) if mac in d["macs"])
    techniques = sorted({t for a in alarms for t in a["attack"]})
    clock = lambda t: t[:19].replace("T", " ")
    new_master = next(a for a in alarms if a["detector"] == "new-master")
    frames = "frame.number in {%s}" % ", ".join(str(p["frame"]) for p in sorted(new_master["packets"][:40], key=lambda p: p["frame"]))
    ids = [a["id"] for a in alarms]
    grave = max(alarms, key=lambda a: ["medium", "high", "critical"].index(a["severity"]))
    engineer, analyst, auditor = "plant engineer", "analyst", "auditor"
    return [
        (engineer, "What happened, in one line?", "verdict", [f"{len({(a['detector'], a['dedup_key']) for a in alarms})} things ask for attention", f"around {intruder}", "Gravest:"]),
        (engineer, "Where do I look first?", "sources", [intruder, "Check first", "Ask"]),
        (engineer, "Which device is it, by our name for it?", "findings", ["RTU Feeder North (10.20.1.51", "PLC Pump House (10.20.1.62"]),
        (engineer, "Who is this stranger: maker, since when, was it ever here?", "sources", [mac, "REALTEK", "first packet " + clock(device["first_seen"]), "never seen while the baseline was learned"]),
        (engineer, "Is it still going on?", "sources", ["before the end of the capture"]),
        (engineer, "What did it command, which point, which value?", "commands", ["operate (trip)", "Pump 1 run (coil 0 of unit 1)", "Tap set point", " kV"]),
        (engineer, "What did the device answer, and what did the point do?", "commands", ["accepted", "(was "]),
        (engineer, "Whom do I call?", "findings", sorted({meta[a["detector"]]["call"] for a in alarms})),
        (engineer, "Could it be innocent?", "findings", sorted({meta[a["detector"]]["innocent"] for a in alarms})),
        (engineer, "Was work announced?", "sources", ["none was declared to this run"]),
        (engineer, "In which time zone is this?", "verdict", [" UTC"]),
        (analyst, "What first, of all these?", "findings", [f"Around {intruder}", grave["title"]]),
        (analyst, "What else did the same source do?", "sources", ["What", "Devices concerned", "low beside them"]),
        (analyst, "Which packets, as a filter I can paste?", "findings", [frames, f"ip.addr == {intruder} && ip.addr == 10.20.1.51"]),
        (analyst, "Which conversation in my other tools?", "findings", [a["community_id"] for a in alarms if a.get("community_id")] + [a["uids"][0] for a in alarms]),
        (analyst, "Which technique, by name?", "findings", ["T0848 Rogue Master"] + techniques),
        (analyst, "Why is it said: on what does it rest?", "findings", ["Rests on", "what the site declared", "what the baseline learned", "what the packets say"]),
        (analyst, "When did the evidence suffice, in how many episodes?", "findings", ["Evidence sufficed", "Episodes", f"in {len(new_master['episodes'])} episodes" if len(new_master["episodes"]) > 1 else "in one episode"]),
        (analyst, "Which detector, to tune or to leave out?", "findings", sorted({"detector  " + a["detector"] for a in alarms})),
        (analyst, "How does it lie in time?", "timeline", [clock(summary["first"])]),
        (auditor, "What was monitored: captures, link types, interfaces?", "record", ["day.pcap", "Ethernet " + number(summary["frames"]), "interfaces as the captures"]),
        (auditor, "Is it the same file: hash?", "record", [sha("day.pcap")]),
        (auditor, "What span, with which pauses?", "record", [clock(summary["first"]) + " to " + clock(summary["last"]), "without a packet"]),
        (auditor, "What was lost?", "record", ["of a followed stream", f"{summary['cut_by_snaplen']} of {number(summary['frames'])} frames were cut", "tell of no frame lost before it was written"]),
        (auditor, "What was not seen?", "unseen", ["Every packet was decoded" if summary["frames"] == summary["decoded"] else "not decoded", "show one side only", "No limit was reached" if not summary["drops"] else "Limits"]),
        (auditor, "Which methods ran, in which version?", "record", [subprocess.run([os.environ["GW"], "--version"], capture_output=True, text=True).stdout.strip(), f"{sum(d['at_work'] for d in summary['detectors'])} detectors at work"] + [m["finds"] for m in meta.values()]),
        (auditor, "Which baseline, learned when from what, young or not?", "record", ["site.baseline", sha("site.baseline"), "Learned from packets of", " of traffic on ", f"Learned from q1.pcap: SHA-256 {sha('q1.pcap')}."]),
        (auditor, "What was declared?", "record", ["site.toml", sha("site.toml")]),
        (auditor, "What was evaluated, by whom, with which conclusion?", "record", ["not determined", "nobody yet"] + ids),
        (auditor, "Who concludes?", "record", ["for a named person to determine"]),
        (auditor, "Where is it kept, unaltered?", "record", [sha("day.out/alerts.ndjson"), sha("day.out/assets.ndjson"), "retention is the entity's"]),
        (auditor, "How is it done again?", "record", ["analyze day.pcap --baseline site.baseline --site site.toml -o day.out --report day.html", os.getcwd()]),
    ]


def check():
    bad = []
    page, texts, alerts, _ = load("day")
    flat = {k: re.sub(r"\s+", " ", v) for k, v in texts.items()}
    print(f"{'reader':<15} {'where':<9} question")
    for reader, question, where, needles in questions():
        lacking = [n for n in needles if re.sub(r"\s+", " ", n) not in flat.get(where, "")]
        print(f"{reader:<15} {where:<9} {question}" + (f"  UNANSWERED: lacks {lacking[:3]}" if lacking else ""))
        bad += [question] if lacking else []
    bad += filters(page, alerts)
    for name in ("day", "traps", "alone", "hosts", "empty", "cut", "damaged"):
        bad += whole(name)
    expect = [
        ("alone", "verdict", "No baseline was given"), ("alone", "record", "not given what they rest on"),
        ("hosts", "devices", "4,500 further ones are not shown; assets.ndjson has all of them"), ("hosts", "devices", "<script>alert(1)</script>"),
        ("empty", "verdict", "Nothing could be read"), ("empty", "verdict", "neither that something happened nor that nothing did"),
        ("cut", "record", "last record cut off"), ("damaged", "verdict", "could not be read completely"), ("damaged", "unseen", "damaged.pcap: damaged at byte"),
    ]
    for name, where, said in expect:
        if said not in re.sub(r"\s+", " ", load(name)[1].get(where, "")):
            bad.append(f"{name}: `{said}` is not under {where}")
    if "Every packet was decoded" in load("empty")[0] + open("empty.txt").read():
        bad.append("empty: praised for what it never saw")
    sys.exit("FAILED: " + "; ".join(bad) if bad else 0)


def filters(page, alerts):
    """Every display filter on the page must be one that tshark takes, and give exactly the packets it names."""
    if subprocess.run(["which", "tshark"], capture_output=True).returncode:
        print("not checked: tshark is not installed: the display filters")
        return []
    codes = [html.unescape(c) for c in re.findall(r'<code class="copy">([^<]*)</code>', page)]
    codes = sorted({c for c in codes if c.startswith(("frame.number", "ip", "eth"))})
    count = lambda f: len(subprocess.run(["tshark", "-r", "day.pcap", "-Y", f, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True).stdout.split())
    by_frame = [c for c in codes if c.startswith("frame.number")][:6]
    around = [c for c in codes if not c.startswith("frame.number")][:4]
    wrong = [f"{f}: {count(f)} packets" for f in by_frame if count(f) != len(re.findall(r"\d+", f))] + [f"{f}: no packet" for f in around if not count(f)]
    print(f"display filters: {len(codes)} on the page, {len(by_frame) + len(around)} tried with tshark, {len(wrong)} wrong")
    return wrong if by_frame and around else wrong + ["no display filter on the page"]


def whole(name):
    """Size, no script, nothing loaded, no control or direction characters, headings in order, captions, unique ids."""
    page = load(name)[0]
    bad = []
    if len(page.encode()) > MEGABYTES * 1_000_000:
        bad.append(f"{len(page.encode())} bytes")
    if re.search(r"<script|<img|<link|<iframe|javascript:|\son[a-z]+=|url\(|@import|(?:src|href)=\"(?!#)", re.sub(r">[^<]*<", "><", page)):
        bad.append("a script, or something that is loaded")
    if re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page):
        bad.append("control or direction characters")
    levels = [int(n) for n in re.findall(r"<h([1-6])", page)]
    if levels[:1] != [1] or any(b > a + 1 for a, b in zip(levels, levels[1:])):
        bad.append("headings skip a level")
    if page.count("<table>") != page.count("<caption>") or "<th>" in page:
        bad.append("a table without caption, or a head without scope")
    ids = re.findall(r'\sid="([^"]+)"', page)
    if len(ids) != len(set(ids)):
        bad.append("an id twice")
    dead = set(re.findall(r'href="#([^"]+)"', page)) - set(ids)
    if len(dead) > 0:
        bad.append(f"links to nowhere: {sorted(dead)[:3]}")
    return [f"{name}: {b}" for b in bad]


FRAME = """<!doctype html><title>measuring</title><body style="margin:0"><iframe id="f" src="file://PAGE" style="border:0;width:WIDTHpx;height:2000px"></iframe><pre id="o"></pre><script>
document.getElementById("f").onload = e => { const w = e.target.contentWindow, d = w.document;
  if (OPEN) d.querySelectorAll("details").forEach(x => x.open = true);
  const wide = [...d.querySelectorAll("table, svg")].filter(x => x.getBoundingClientRect().width > (x.closest(".wide") || d.body).clientWidth + 1).length;
  const lost = [...d.querySelectorAll("body *")].filter(x => !x.closest(".wide, .skip") && x.getBoundingClientRect().right > WIDTH + 1).length;
  document.getElementById("o").textContent = JSON.stringify({ scroll: d.scrollingElement.scrollWidth, wide, lost,
    loaded: w.performance.getEntriesByType("resource").length, height: d.scrollingElement.scrollHeight }); };
</script>"""


def measure(names):
    """Widths in Chromium, with everything folded and with everything open."""
    bad = []
    for name in names:
        for width in (1440, 900):
            for opened in (False, True):
                text = FRAME.replace("PAGE", f"{os.getcwd()}/{name}.html").replace("WIDTH", str(width)).replace("OPEN", str(opened).lower())
                open("frame.html", "w").write(text)
                run = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars", "--allow-file-access-from-files", "--user-data-dir=profile", f"--window-size={width},2000", "--virtual-time-budget=20000", "--dump-dom", f"file://{os.getcwd()}/frame.html"], capture_output=True, text=True)
                found = re.search(r'<pre id="o">(\{.*?\})</pre>', run.stdout)
                if not found:
                    bad.append(f"{name} at {width} px: not measured")
                    continue
                m = json.loads(html.unescape(found.group(1)))
                state = "open" if opened else "folded"
                print(f"{name} at {width} px, {state}: {m['height']} px high, {m['scroll']} px wide, {m['wide']} tables or drawings wider than the page, {m['loaded']} things loaded")
                if m["scroll"] > width or m["wide"] or m["lost"] or m["loaded"]:
                    bad.append(f"{name} at {width} px, {state}: {m}")
    sys.exit("FAILED: " + "; ".join(bad) if bad else 0)


if __name__ == "__main__":
    {"captures": captures, "check": check, "measure": lambda: measure(sys.argv[2:])}[sys.argv[1]]()
