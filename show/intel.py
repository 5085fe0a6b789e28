"""Plants indicators that a capture carries (as tshark reads it), writes them in several formats, and judges what was found."""
import csv, glob, json, os, random, subprocess, sys, uuid

FIELDS = {
    "domain": ("dns.qry.name", "dns.flags.response==0 && dns.qry.name"),
    "url": ("http.request.full_uri", "http.request.full_uri"),
    "user_agent": ("http.user_agent", "http.user_agent"),
    "sni": ("tls.handshake.extensions_server_name", "tls.handshake.extensions_server_name"),
    "address": ("ip.dst", "tcp.flags.syn==1 && tcp.flags.ack==0"),
    "ja3": ("tls.handshake.ja3", "tls.handshake.ja3"),
}

def tshark(path, display, *fields):
    args = ["tshark", "-n", "-r", path, "-Y", display, "-T", "fields", "-E", "separator=\t"]
    for f in fields:
        args += ["-e", f]
    run = subprocess.run(args, capture_output=True, text=True)
    return [l.split("\t") for l in run.stdout.splitlines() if l.strip()]

def plant(corpus, work):
    names = ["attack/malware", "attack/web", "it/tls", "it/http", "it/dns"]
    files = []
    for name in names:
        for ext in ("*.pcap", "*.pcapng"):
            files += sorted(glob.glob(os.path.join(corpus, name, ext)))
    if not files:
        files = sorted(glob.glob(os.path.join(corpus, "**", "*.pcap"), recursive=True))
    files = [f for f in files if os.path.getsize(f) < 2_000_000]
    found, used = {}, set()
    for path in files:
        if len(found) == len(FIELDS):
            break
        for kind, (field, display) in FIELDS.items():
            if kind in found:
                continue
            rows = [r for r in tshark(path, display, "frame.number", field) if len(r) == 2 and r[1] and "," not in r[1]]
            rows = [r for r in rows if kind not in ("domain", "sni") or ("." in r[1] and not r[1].endswith((".arpa", ".local")))]
            rows = [r for r in rows if kind != "url" or r[1].startswith("http://")]
            rows = [r for r in rows if kind != "address" or not r[1].startswith(("0.", "127.", "224.", "239.", "255."))]
            if rows:
                found[kind] = {"file": path, "value": rows[0][1]}
                used.add(path)
    os.makedirs(os.path.join(work, "intel"), exist_ok=True)
    at = lambda n: open(os.path.join(work, "intel", n), "w")
    objects = []
    def stix(path, value, name):
        value = value.replace("\\", "\\\\").replace("'", "\\'")
        objects.append({"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2020-01-01T00:00:00.000Z",
            "modified": "2020-01-01T00:00:00.000Z", "name": name, "pattern": f"[{path} = '{value}']", "pattern_type": "stix", "valid_from": "2000-01-01T00:00:00Z"})
    if "domain" in found: stix("domain-name:value", found["domain"]["value"].lower(), "planted domain")
    if "url" in found: stix("url:value", found["url"]["value"], "planted url")
    json.dump({"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": objects}, at("a.json"))
    if "address" in found:
        json.dump({"Event": {"info": "planted address", "Orgc": {"name": "MISP"}, "Attribute": [{"type": "ip-dst", "value": found["address"]["value"], "to_ids": True}]}}, at("b.json"))
    with at("c.dat") as f:
        f.write("#fields\tindicator\tindicator_type\tmeta.source\n")
        if "user_agent" in found: f.write(f"{found['user_agent']['value']}\tIntel::SOFTWARE\tzeek\n")
    with at("d.csv") as f:
        w = csv.writer(f); w.writerow(["Name", "Risk", "RiskString", "EvidenceDetails"])
        if "sni" in found: w.writerow([found["sni"]["value"], "92", "3/52", json.dumps({"EvidenceDetails": [{"Rule": "planted", "Criticality": 4}]})])
    with at("e.csv") as f:
        f.write("# ja3_md5,Firstseen,Lastseen,Listingreason\n")
        if "ja3" in found: f.write(f"{found['ja3']['value']},2017-07-14 18:08:15,2019-07-27 20:42:54,planted\n")
    json.dump(found, open(os.path.join(work, "planted.json"), "w"))
    open(os.path.join(work, "captures"), "w").write("\n".join(sorted(used)))
    for kind, f in sorted(found.items()):
        print(f"{kind}: {f['value'][:60]} in {os.path.basename(f['file'])}")

def judge(alerts, work):
    found = json.load(open(os.path.join(work, "planted.json")))
    hits = [json.loads(l) for l in open(alerts)]
    hits = [h for h in hits if h["detector"] == "intel-match"]
    bad = 0
    if len(found) < 5:
        print(f"only {len(found)} kinds could be planted"); bad += 1
    for kind, f in sorted(found.items()):
        value = f["value"].lower()
        mine = [h for h in hits if value.rstrip("/") in (h["evidence"]["indicator"].lower().rstrip("/"), h["evidence"]["observed"].lower().rstrip("/"))]
        if not mine:
            print(f"{kind}: not found"); bad += 1; continue
        cited = wrong = 0
        for h in mine:
            for p in h["packets"][:5]:
                field, _ = FIELDS[kind]
                fields = [field] if kind not in ("address", "domain", "sni") else ["ip.src", "ip.dst", "dns.qry.name", "dns.a", "http.host", "http.request.full_uri", "tls.handshake.extensions_server_name", "tls.handshake.extensions_server_name", "x509sat.printableString", "x509ce.dNSName", "http.referer"]
                rows = tshark(p["file"], f"frame.number=={p['frame']}", *fields)
                cited += 1
                if not any(value in " ".join(r).lower() for r in rows):
                    wrong += 1
                    print(f"  {kind}: frame {p['frame']} of {os.path.basename(p['file'])} ({h['evidence']['field']}) does not show {value}")
        print(f"{kind}: {len(mine)} findings, {cited} frames looked at with tshark, {wrong} without the value")
        bad += wrong > 0
    sys.exit(1 if bad else 0)

def many(n):
    r = random.Random(7)
    out = sys.stdout
    out.write("indicator,type,source,confidence,valid_until\n")
    for i in range(n):
        k = i % 10
        if k < 4: v, t = f"{r.randrange(11,223)}.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(1,255)}", "ip"
        elif k < 7: v, t = f"{r.getrandbits(40):x}.{r.choice(['example','test','invalid'])}.net", "domain"
        elif k < 8: v, t = f"http://{r.getrandbits(32):x}.example/{r.getrandbits(48):x}", "url"
        else: v, t = f"{r.getrandbits(256):064x}", "sha256"
        out.write(f"{v},{t},feed{i % 7},{r.randrange(101)},2030-01-01\n")

{"plant": lambda: plant(*sys.argv[2:4]), "judge": lambda: judge(*sys.argv[2:4]), "many": lambda: many(int(sys.argv[2]))}[sys.argv[1]]()
