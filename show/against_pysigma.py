"""Runs our Sigma rules as pySigma's SQLite backend writes them over the records that analyze wrote, and compares the number of matches."""
import glob, json, os, re, sqlite3, sys
from sigma.collection import SigmaCollection
from sigma.backends.sqlite import sqliteBackend

records, alerts, rules = sys.argv[1:4]
counts = {}
for l in open(alerts):
    f = json.loads(l)
    if f["detector"] == "rule-match" and "seen" not in f["evidence"]:
        counts[f["evidence"]["rule"]] = counts.get(f["evidence"]["rule"], 0) + f["count"]
db = sqlite3.connect(":memory:")
tables = {}
for path in glob.glob(os.path.join(records, "*.ndjson")):
    rows = [json.loads(l) for l in open(path)]
    kind = os.path.basename(path)[:-7]
    keys = sorted({k for r in rows for k in r})
    tables[kind] = set(keys)
    db.execute(f'create table "{kind}" ({",".join(chr(34)+k+chr(34) for k in keys)})')
    def plain(v):
        if isinstance(v, bool): return "true" if v else "false"
        if isinstance(v, (list, dict)): return json.dumps(v)
        return v
    db.executemany(f'insert into "{kind}" values ({",".join("?"*len(keys))})', [[plain(r.get(k)) for k in keys] for r in rows])
agree = differ = skipped = 0
for path in sorted(glob.glob(os.path.join(rules, "*.yml"))):
    text = open(path).read()
    if "correlation:" in text:
        continue
    rule = SigmaCollection.from_yaml(text)
    kind = rule.rules[0].logsource.service
    if kind not in tables:
        skipped += 1
        continue
    query = re.sub(r"(?<=FROM )\S+", f'"{kind}"', sqliteBackend().convert(rule)[0], count=1)
    try:
        n = len(db.execute(query).fetchall())
    except sqlite3.OperationalError as e:
        print(f"  not run: {os.path.basename(path)}: {e}")
        skipped += 1
        continue
    ours = counts.get(str(rule.rules[0].id), 0)
    if n == ours:
        agree += 1
    else:
        differ += 1
        print(f"  {os.path.basename(path)}: SQLite {n}, ours {ours}")
print(f"{agree} rules agree, {differ} differ, {skipped} not comparable")
sys.exit(1 if differ or not agree else 0)
