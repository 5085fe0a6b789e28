"""What each attack capture of the corpus comes to: found, not read (and said so), or read and not found; and never all clear."""

import collections
import glob
import json
import os
import subprocess
import sys

program, corpus, work = sys.argv[1:]
LEVELS = ("low", "medium", "high", "critical")


def run(path):
    out = f"{work}/attack"
    subprocess.run(["rm", "-rf", out], check=True)
    done = subprocess.run([program, "analyze", path, "-o", out, "--quiet", "-j", "1"], capture_output=True, text=True)
    if done.returncode > 2 or not os.path.exists(f"{out}/summary.json"):
        return None, []
    findings = [json.loads(line) for line in open(f"{out}/alerts.ndjson")]
    return json.load(open(f"{out}/summary.json")), findings


def judged(path):
    s, findings = run(path)
    if s is None:
        return "FAILED", "no summary", False
    grave = max((f for f in findings if f["severity"] in LEVELS), key=lambda f: LEVELS.index(f["severity"]), default=None)
    clear = s["verdict"]["all_clear"]
    if grave:
        return "found", f"{grave['severity']} {grave['detector']}: {grave['title']}", clear and grave["severity"] != "low"
    said = s["verdict"]["cannot_judge"]
    if s["unread"] or not s["read_to_content"]["packets"]:
        return "not read, said", said[0] if said else "", clear
    return "read, not found", s["verdict"]["sentence"], clear


paths = sorted(p for p in glob.glob(f"{corpus}/pcap/attack/**", recursive=True) if os.path.isfile(p) and p.endswith((".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz", ".cap")))
counts, wrong = collections.Counter(), []
kinds = collections.defaultdict(collections.Counter)
for path in paths:
    what, line, clear = judged(path)
    counts[what] += 1
    kinds[os.path.relpath(path, f"{corpus}/pcap/attack").split("/")[0]][what] += 1
    if clear or what == "FAILED":
        wrong.append(path)
    print(f"  {what:16}{os.path.relpath(path, corpus + '/pcap/attack'):60}{line[:150]}{'  ALL CLEAR' if clear else ''}")
print(f"  {'':22}{'found':>8}{'not read':>10}{'not found':>11}")
for kind, c in sorted(kinds.items()):
    print(f"  {kind:22}{c['found']:8}{c['not read, said']:10}{c['read, not found']:11}")
print(f"{len(paths)} attack captures: found {counts['found']}, not read and said so {counts['not read, said']}, read and not found {counts['read, not found']}; all clear {len(wrong)}")
sys.exit(1 if wrong else 0)
