"""Compares what nfdump counts with our conn rows, and sends NetFlow 5 at a rate."""
import collections, json, os, socket, struct, sys, time

def theirs(path):
    text = open(path).read()
    rows = collections.Counter()
    total = [0, 0, 0]
    for r in json.loads(text) if text.strip().startswith("[") else [json.loads(l) for l in text.splitlines() if l.startswith("{")]:
        get = lambda *names: next((r[n] for n in names if n in r), 0)
        proto = int(get("proto"))
        packets, octets = int(get("in_packets")), int(get("in_bytes"))
        ports = (int(get("src_port")), int(get("dst_port"))) if proto in (6, 17) else (0, 0)
        rows[(get("src4_addr", "src6_addr"), get("dst4_addr", "dst6_addr"), *ports, proto, packets, octets)] += 1
        total = [total[0] + 1, total[1] + packets, total[2] + octets]
    return rows, total

def ours(folder):
    turned = {}
    for l in open(os.path.join(folder, "ndjson", "flow_export.ndjson")):
        r = json.loads(l); turned[r["uid"]] = r["turned"]
    rows = collections.Counter(); total = [0, 0, 0]
    for l in open(os.path.join(folder, "ndjson", "conn.ndjson")):
        r = json.loads(l)
        a, b = (r["src_ip"], r.get("src_port", 0)), (r["dst_ip"], r.get("dst_port", 0))
        packets, octets = r["orig_pkts"], r["orig_ip_bytes"]
        if turned[r["uid"]]:
            a, b = b, a
            packets, octets = r["resp_pkts"], r["resp_ip_bytes"]
        proto = r["ip_proto"]
        ports = (a[1], b[1]) if proto in (6, 17) else (0, 0)
        rows[(a[0], b[0], *ports, proto, packets, octets)] += 1
        total = [total[0] + 1, total[1] + packets, total[2] + octets]
    return rows, total

if sys.argv[1] == "send":
    port, n, rate = map(int, sys.argv[2:5])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    start, sent = time.time(), 0
    while sent < n:
        count = min(30, n - sent)
        now = time.time()
        head = struct.pack(">HHIIIIBBH", 5, count, 10_000_000, int(now), 0, sent, 0, 0, 0)
        body = b"".join(struct.pack(">IIIHHIIIIHHBBBBHHBBH", 0x0a000000 + ((sent + i) & 0xffff), 0x0a010001, 0, 1, 2, 5 + (sent + i) % 7, 500 + i, 9_000_000 + (sent + i) % 1000,
            9_990_000, 1025 + (sent + i) % 60000, 502, 0, 24, 6, 0, 0, 0, 24, 24, 0) for i in range(count))
        s.sendto(head + body, ("127.0.0.1", port))
        sent += count
        wait = start + sent / rate - time.time()
        if wait > 0.002:
            time.sleep(wait)
    print(f"sent {sent} records in {time.time() - start:.1f} s")
    sys.exit()
(a, ta), (b, tb) = theirs(sys.argv[1]), ours(sys.argv[2])
print(f"version {sys.argv[3]}: nfdump {ta[0]} flows, {ta[1]} packets, {ta[2]} bytes; ours {tb[0]}, {tb[1]}, {tb[2]}")
if a != b:
    for k in list((a - b).keys())[:5]: print("  only nfdump:", k)
    for k in list((b - a).keys())[:5]: print("  only ours:  ", k)
    sys.exit(1)
