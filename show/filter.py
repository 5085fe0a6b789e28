"""Counts what passes a filter in Gridwarden and in tcpdump, file by file."""
import gzip, json, os, pathlib, shutil, subprocess, sys

gridwarden, corpus, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
small = bool(os.environ.get("GRIDWARDEN_SMALL"))
LIMIT = 300_000 if small else 20_000_000
EXPRESSIONS = """
tcp
udp
icmp or arp
ip6
port 502
tcp port 2404 or tcp port 20000
src port 102
dst port 53
portrange 1-1023
tcp portrange 20000-20010 and not src port 20000
udp port 53 or udp port 123
net 192.168.0.0/16
src net 10.0.0.0/8 and dst net 10.0.0.0/8
host 10.0.0.1 or host 192.168.1.1
not (tcp or udp)
less 64
greater 1000
len >= 200 and len < 400
ether broadcast
ether multicast
ip multicast
ether proto 0x88b8
ether proto 0x88ba
ether[0] & 1 != 0
ip proto 17
ip[8] < 64
tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn
tcp[13] & 4 != 0
tcp and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
udp[8:2] > 100
icmp[0] = 8
ip[6:2] & 0x1fff != 0
ip6 proto 58
src host 192.168.1.10 and (port 80 or 443)
not port 22 and not arp and not ip6
""".strip().splitlines()
if small:
    EXPRESSIONS = EXPRESSIONS[::3]

captures = work / "captures"
captures.mkdir()
files, skipped = [], 0
for path in sorted(corpus.rglob("*")):
    if ".pcap" not in path.name or path.suffix in (".csv", ".out", ".json", ".md") or path.stat().st_size > LIMIT:
        continue
    if path.name.endswith(".truth.csv.gz"):
        continue
    name = captures / f"{len(files):04d}.pcap"
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as f, open(name, "wb") as g:
                shutil.copyfileobj(f, g)
        else:
            shutil.copy(path, name)
    except OSError:
        continue
    files.append(name)


def tcpdump(file, expression):
    """Packets that pass; none where tcpdump cannot read the file or compile the expression for its link."""
    done = subprocess.run(["tcpdump", "-n", "--count", "-r", file, expression], capture_output=True, text=True)
    words = done.stdout.split()
    return int(words[0]) if done.returncode == 0 and words else None


usable = []
for file in files:
    tagged, all_ = tcpdump(file, "vlan"), tcpdump(file, "")
    head = subprocess.run(["tcpdump", "-n", "-c1", "-r", file], capture_output=True, text=True).stderr
    # Behind a tag our expressions go on where tcpdump's stop, as docs/analyze.md says; other links have other rules.
    if tagged == 0 and all_ and "EN10MB" in head and "multiple interfaces" not in head:
        usable.append((file, all_))
    else:
        skipped += 1
        file.unlink()
print(f"{len(usable)} captures, {sum(n for _, n in usable)} packets; {skipped} left out (tags, other links, unreadable)")
differ = compared = 0
for expression in EXPRESSIONS:
    out = work / "out"
    done = subprocess.run(
        [gridwarden, "analyze", captures, "-o", out, "--filter", expression, "--quiet", "--json", "-k", "none"],
        capture_output=True, text=True)
    if done.returncode > 2 or not done.stdout:
        sys.exit(f"FAILED: {expression}: {done.stderr}")
    summary = json.loads(done.stdout)
    ours = {pathlib.Path(f["path"]).name: (f["frames"], f.get("filtered", 0)) for f in summary["files"]}
    passed = 0
    for file, total in usable:
        theirs, (frames, filtered) = tcpdump(file, expression), ours.get(file.name, (0, 0))
        compared += 1
        passed += frames
        if frames != theirs or frames + filtered != total:
            differ += 1
            if differ <= 10:
                print(f"    {expression}: {file.name}: ours {frames} + {filtered} left out, tcpdump {theirs} of {total}")
    print(f"    {passed:8} pass  {expression}")
print(f"{compared} comparisons, {differ} differ")
if differ:
    sys.exit("FAILED")
