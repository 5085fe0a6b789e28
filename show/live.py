"""Judges a live run: the account of its frames, and its findings and devices beside those of `analyze` over the ring that it wrote."""
import json, sys

messages = [json.loads(line) for line in open(sys.argv[1])]
again, sent = sys.argv[2], int(sys.argv[3])
ended = messages[-1]
assert ended["type"] == "ended", ended
account = {k: ended[k] for k in ("received", "frames", "dropped", "own", "filtered", "decoded")}
print("    sent", sent, account, "undecoded", ended["reasons"])
assert ended["received"] == ended["frames"] + ended["dropped"] + ended["own"] + ended["filtered"], "received = processed + drops"
assert ended["received"] == sent, "the kernel counted another number"
assert ended["frames"] == ended["decoded"] + sum(ended["reasons"].values()), "every frame is decoded or has a reason"
summary = json.load(open(again + "/summary.json"))
assert summary["frames"] == ended["frames"], "the ring holds another number of frames"
if ended["dropped"]:
    print("    with drops findings are not compared; the ring's own account of them:", sum(summary.get("lost", {}).values()))
    assert sum(summary.get("lost", {}).values()) == ended["dropped"]
    sys.exit(0)

live, file = {}, {}
for m in messages:
    if m["type"] == "finding":
        live[m["finding"]["id"]] = m["finding"]
for line in open(again + "/alerts.ndjson"):
    f = json.loads(line)
    file[f["id"]] = f
# `rev` counts how often it was told. What is judged only at the end is raised at the last tick, which comes after the last frame live.
last = summary["last"]
def plain(f):
    f = dict(f, rev=0)
    late = f["raised"] >= last
    for e in f["episodes"] + [f]:
        if e["raised"] >= last:
            e["raised"] = "at the end"
    return f
same = sum(plain(live[i]) == plain(file[i]) for i in live.keys() & file.keys())
print(f"    findings: {len(live)} live, {len(file)} from the ring, {same} the same")
assert live.keys() == file.keys() and same == len(file)

devices = {}
for m in messages:
    if m["type"] == "device":
        devices.pop(m["gone"], None) if "gone" in m else devices.update({m["device"]["id"]: m["device"]})
assets = {d["id"]: d for d in map(json.loads, open(again + "/assets.ndjson"))}
print(f"    devices: {len(devices)} live, {len(assets)} from the ring, {sum(devices.get(i) == d for i, d in assets.items())} the same")
assert devices == assets
