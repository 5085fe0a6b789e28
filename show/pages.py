"""Runs the commands of the pages as they are written; prints a line a page, and what a command said that failed.

usage: pages.py WORK SHARED [PAGE…]      WORK/bin holds the program
"""
import os, re, subprocess, sys, time

work, shared = sys.argv[1:3]
root = os.getcwd()
only = sys.argv[3:]

# What a page presupposes, made in its folder before its commands; shell, with $shared and $root.
DAY = "gridwarden simulate substation -o {0}.pcap --labels {0}.csv --seed {1} --minutes {2} --attack scan setpoint unauthorized-control --quiet"
QUIET = "gridwarden simulate substation -o {0}.pcap --labels {0}.csv --seed {1} --minutes {2} --quiet"
MOCK = 'mkfifo hold; exec 7<>hold; gridwarden-mock splunk-ack 8088 <&7 & sleep 1'
BEFORE = {
    "README.md": [DAY.format("my", 7, 60), "mkdir quiet-week", QUIET.format("quiet-week/a", 1, 480), DAY.format("today", 8, 60)],
    "docs/analyze.md": [DAY.format("substation", 7, 30), "mkdir captures; cp substation.pcap captures; gzip -k captures/substation.pcap; cp substation.pcap day.pcap; gzip day.pcap"],
    "docs/collect.md": [
        DAY.format("today", 7, 30), "mkdir feeds; cp -r $shared/corpus/intel/{abuse.ch,slips,stix,zeek-intel} feeds; cp -r $shared/corpus/rules/sigma sigma; mkdir -p rules my-rules; cp -r $root/rules/sigma rules/sigma",
        "cp rules/sigma/ot/modbus*.yml my-rules/",
        "cp \"$(find $shared/corpus/flow-export -name '*.pcap' | sort | head -1)\" exports.pcap; cp \"$(find $shared/corpus/labelled -name 'conn.log' | sort | head -1)\" conn.log",
        "gridwarden analyze today.pcap -o before --logs eve --quiet || true; cp before/eve.json eve.json",
        "echo '<34>1 2026-12-01T10:00:00Z fw1 sshd 77 - - Failed password for root from 192.0.2.9 port 4711 ssh2' > messages.log",
        "mkdir folder; printf 'indicator,type\\n192.0.2.66,ip\\n' > folder/bad.csv",
        "printf '{\"name\":\"intel\",\"serial\":1,\"created\":\"2026-01-01T00:00:00Z\",\"expires\":\"2036-01-01T00:00:00Z\",\"summary\":\"first\"}' > folder/bundle.json",
        "export HOME=$PWD; mkdir -p .minisign; minisign -G -W -p minisign.pub -s .minisign/minisign.key > /dev/null",
        "gridwarden update folder/ --pack first.tar.zst > /dev/null; minisign -S -m first.tar.zst > /dev/null; gridwarden update first.tar.zst --key minisign.pub --data /var/lib/gridwarden > /dev/null",
        "sed -i 's/\"serial\":1/\"serial\":2/' folder/bundle.json"],
    "docs/console.md": [DAY.format("my", 7, 30), "gridwarden analyze my.pcap --quiet || true", "gridwarden run --replay my.pcap --speed 0 --once --no-console -q --data /var/lib/gridwarden"],
    "docs/live.md": [
        QUIET.format("quiet", 5, 480), "gridwarden learn quiet.pcap --baseline site.baseline --quiet > /dev/null", DAY.format("today", 7, 30),
        "gridwarden run --replay today.pcap --speed 0 --once --no-console -q --data /var/lib/gridwarden --messages said",
        "echo ef9518a3db51c6bf $(jq -r 'select(.type == \"finding\") | .finding | select(.severity != \"info\") | .id' said | head -1) >> names",
        "echo COuXkKijuRp9zptaga $(jq -r 'select(.type == \"finding\") | .finding | select(.severity != \"info\") | .uids[0] // empty' said | head -1) >> names"],
    "docs/models.md": [DAY.format("train", 11, 150), QUIET.format("clean", 12, 150), DAY.format("later", 13, 150),
        "for n in clean later; do gridwarden features $n.pcap --labels $n.csv -o $n.parquet > /dev/null; done"],
    "docs/respond.md": [
        QUIET.format("quiet", 5, 480), "gridwarden learn quiet.pcap --baseline site.baseline --quiet > /dev/null", DAY.format("day", 7, 30), "gridwarden analyze day.pcap -o other --quiet || true; gridwarden case build other > /dev/null; echo case-5f1c0e9a7b21 $(jq -r .id other/cases.ndjson | head -1) >> names",
        "cp $root/crates/respond/playbooks/scan.json my-playbook.json; cp -r other last-week", MOCK,
        "printf '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0' > splunk.token; chmod 600 splunk.token",
        "awk '/^```toml/{p=1;next} /^```/{p=0} p' $root/docs/respond.md | sed 's#https://splunk.example.com:8088#http://127.0.0.1:8088#; s#/etc/gridwarden/splunk.token#'$PWD'/splunk.token#; /^tls/d' > gridwarden.toml; cp gridwarden.toml connect.toml"],
    "docs/train.md": [# The corpus keeps the official test set back: the last rows of training stand in for it.
        "zcat $shared/corpus/labelled/nsl-kdd/KDDTrain+.txt.gz > all; head -6000 all | gzip > KDDTrain+.txt.gz; tail -600 all > KDDTest+.txt",
        "{ seq -f f%g 0 40; printf 'attack\\nlevel\\n'; } > names.txt"],
    "docs/learn.md": [], "docs/prove.md": [],
}
# What has to happen between two commands of a page: shell, by page and the beginning of the command before which it does.
PEOPLE = """python3 -c 'import sqlite3; db = sqlite3.connect("/var/lib/gridwarden/state.sqlite"); db.executemany("INSERT OR IGNORE INTO user (name, role, password, created, created_by) VALUES (?, ?, ?, 0, ?)", [("ada", "analyst", "!", "show"), ("bob", "approver", "!", "show")]); db.commit()'"""
AMID = {
    "docs/live.md": {
        "gridwarden baseline show": QUIET.format("week", 6, 600) + "; rm -rf /var/lib/gridwarden/*; timeout -s INT 60 gridwarden run --replay week.pcap --speed 0 --once --learn-hours 6 "
            "--listen 127.0.0.1:0 -q --data /var/lib/gridwarden > learned 2>&1; " + PEOPLE,
        "gridwarden ctl stats": "gridwarden run --replay today.pcap --speed 1 --no-console -q --data /var/lib/gridwarden > running 2>&1 & running=$!; "
            "for _ in $(seq 100); do [ -S /var/lib/gridwarden/ctl.sock ] && break; sleep 0.1; done",
        "gridwarden pcap --alert": "kill $running; wait $running; rm -rf /var/lib/gridwarden/*; gridwarden run --replay today.pcap --speed 0 --once --no-console -q --data /var/lib/gridwarden",
    },
}
# Commands that go on until they are ended: the seconds after which that happens.
LASTS = {r"\bgridwarden run -i": 5, r"\bgridwarden run --replay today.pcap --speed 10": 5, r"\bgridwarden demo$": 30, r"--for 3600": 5}
# Shown elsewhere: the build and its tests.
NOT_HERE = ("cargo ",)

PREAMBLE = """set -e
mount -t tmpfs none /var/lib && mkdir /var/lib/gridwarden
ip link set lo up
for i in eth1 span0; do ip link add $i type veth peer name p$i; ip link set $i up; ip link set p$i up; done
export PATH={bin}:$PATH XDG_CACHE_HOME=$PWD/cache shared={shared} root={root}
touch names
"""
# One command: its words and what it said, then its exit code; names of the page are those of this run.
ONE = r"""
line=$(cat <<'GW'
{line}
GW
)
while read -r theirs ours; do [ -z "$ours" ] || line=${{line//$theirs/$ours}}; done < names
begin=$(date +%s%N); rc=0
{how} bash -c "$line" > said-{n} 2>&1 < /dev/null || rc=$?
echo "$rc $(( ($(date +%s%N) - begin) / 1000000 )) {n}" >> codes
"""


def commands(page):
    found, inside = [], False
    for line in open(os.path.join(root, page)):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and line.startswith("$ "):
            found.append(re.sub(r"\s{2,}#.*", "", line[2:].rstrip("\n")).strip())
    return [c for c in found if not c.startswith(NOT_HERE)]


def main():
    pages = ["README.md"] + sorted("docs/" + p for p in os.listdir(os.path.join(root, "docs")) if p.endswith(".md"))
    failed = total = 0
    for page in pages:
        lines = commands(page)
        if not lines or (only and page not in only):
            continue
        if page not in BEFORE:
            print(f"{page}: nobody says what its {len(lines)} commands presuppose (show/pages.py)")
            failed += 1
            continue
        folder = os.path.join(work, "page-" + page.replace("/", "-"))
        os.makedirs(folder)
        script = PREAMBLE.format(bin=os.path.join(work, "bin"), shared=shared, root=root) + "\n".join(BEFORE[page]) + "\nset +e\n: > codes\n"
        amid = dict(AMID.get(page, {}))
        for n, line in enumerate(lines):
            for begin in [b for b in amid if line.startswith(b)]:
                script += amid.pop(begin) + "\n"
            lasts = next((s for pattern, s in LASTS.items() if re.search(pattern, line)), None)
            script += ONE.format(line=line, n=n, how=f"timeout --preserve-status -k 10 -s INT {lasts}" if lasts else "timeout 120")
        path = os.path.join(folder, "script")
        open(path, "w").write(script)
        begin = time.time()
        run = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", path], cwd=folder, capture_output=True, text=True)
        codes = {}
        if os.path.exists(os.path.join(folder, "codes")):
            codes = {int(n): (int(rc), int(ms)) for rc, ms, n in (l.split() for l in open(os.path.join(folder, "codes")))}
        bad = 0
        for n, line in enumerate(lines):
            total += 1
            rc, _ = codes.get(n, (None, 0))
            # Findings (1) are no failure; what lasts is interrupted and must end in order.
            if rc in (0, 1):
                continue
            bad += 1
            said = open(os.path.join(folder, f"said-{n}")).read()[-600:] if rc is not None else run.stderr[-600:]
            print(f"  {page}: exit code {rc}: {line}\n    " + said.strip().replace("\n", "\n    "))
        failed += bad
        print(f"{page}: {len(lines) - bad} of {len(lines)} commands, {time.time() - begin:.0f} s")
    print(f"{total - failed} of {total} commands of the pages work as they are written")
    sys.exit(1 if failed else 0)


main()
