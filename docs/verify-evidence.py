#!/usr/bin/env python3
"""Checks an evidence package of Gridwarden without Gridwarden: sums, manifest, row counts, chain of the ledger, signature where possible.

usage: verify-evidence.py PACKAGE [PUBLIC-KEY-HEX]      exit code 0: no alteration detected; 1: what is wrong is named, a line each
Needs Python 3.8; the signature is checked where the package `cryptography` is installed and a public key was given.
"""
import hashlib, json, os, sys


def sha(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 16), b""):
            h.update(block)
    return h.hexdigest()


def main(root, public=None):
    wrong = []
    manifest = json.load(open(os.path.join(root, "manifest.json")))
    listed = {f["path"]: f for f in manifest["files"]}
    there = set()
    for folder, _, names in os.walk(root):
        for n in names:
            there.add(os.path.relpath(os.path.join(folder, n), root).replace(os.sep, "/"))
    there -= {"manifest.json", "SHA256SUMS", "SHA256SUMS.sig"}
    for path in sorted(set(listed) - there):
        wrong.append(f"{path}: listed but missing")
    for path in sorted(there - set(listed)):
        wrong.append(f"{path}: there but not listed")
    for path in sorted(there & set(listed)):
        if sha(os.path.join(root, path)) != listed[path]["sha256"]:
            wrong.append(f"{path}: changed")
        elif path.endswith(".csv") and "rows" in listed[path]:
            import csv
            with open(os.path.join(root, path), newline="") as f:
                rows = max(sum(1 for _ in csv.reader(f)) - 1, 0)
            if rows != listed[path]["rows"]:
                wrong.append(f"{path}: {rows} rows, the manifest says {listed[path]['rows']}")
    sums = dict(reversed(l.split("  ", 1)) for l in open(os.path.join(root, "SHA256SUMS")).read().splitlines())
    if sums.get("manifest.json") != sha(os.path.join(root, "manifest.json")):
        wrong.append("manifest.json: changed")
    wrong += [f"{p}: SHA256SUMS and manifest.json disagree" for p in listed if sums.get(p) != listed[p]["sha256"]]
    wrong += chain(os.path.join(root, "ledger"))
    if public:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
            signature = bytes.fromhex(open(os.path.join(root, "SHA256SUMS.sig")).read().strip())
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, open(os.path.join(root, "SHA256SUMS"), "rb").read())
            print("signature: that of the key given")
        except ImportError:
            print("signature: not checked, the package `cryptography` is missing")
        except Exception as e:
            wrong.append(f"SHA256SUMS.sig: not a signature of this key ({type(e).__name__})")
    for line in wrong:
        print(line)
    print(f"{len(listed)} files, {len(wrong)} faults" if wrong else f"no alteration detected: {len(listed)} files")
    return 1 if wrong else 0


def chain(folder):
    """The ledger: each line ends with the SHA-256 of what stands before it on the line, which names the hash of the line before."""
    if not os.path.isdir(folder):
        return []
    previous, n = "0" * 64, 0
    for name in sorted(x for x in os.listdir(folder) if x.endswith(".ndjson")):
        for number, line in enumerate(open(os.path.join(folder, name), "rb").read().split(b"\n")[:-1], 1):
            body, _, tail = line.rpartition(b',"hash":"')
            entry = json.loads(line)
            if hashlib.sha256(body).hexdigest().encode() + b'"}' != tail:
                return [f"ledger/{name} line {number}: its content does not match its hash"]
            if entry["prev"] != previous or entry["n"] != n + 1:
                return [f"ledger/{name} line {number}: entry {entry['n']} does not follow entry {n}"]
            previous, n = entry["hash"], entry["n"]
    head = os.path.join(folder, "head")
    if n and previous not in open(head).read():
        return [f"ledger/head: names another entry than the last, {n}"]
    return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
