"""Findings against labelled stretches of time: what 08-simulator and 09-labelled share."""

import csv
import datetime
import json

ALARM = ("medium", "high", "critical")
NOVELTY = ("new-device", "new-conversation", "new-service")
SECOND = 1_000_000
MINUTE = 60 * SECOND
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def when(text):
    """Microseconds since 1970 of an RFC 3339 time."""
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


class Episode:
    """One episode of a finding, with every name of its two ends."""

    def __init__(self, finding, episode, assets):
        self.finding = finding
        self.detector, self.key, self.severity = finding["detector"], finding["dedup_key"], finding["severity"]
        self.technique = (finding["attack"] or [""])[0]
        self.start, self.end, self.raised = (when(episode[k]) for k in ("ts", "ts_end", "raised"))
        self.names = set()
        for end in (finding.get("src") or {}, finding.get("dst") or {}):
            self.names |= {end.get("ip"), end.get("mac")} | assets.get(end.get("asset"), set())
        self.names.discard(None)

    def belongs_to(self, window, windows):
        """Begins in this of several windows, or after it and in no other."""
        return not any(w is not window and w[0] <= self.start <= w[1] for w in windows)

    def begins_in(self, start, end):
        return start <= self.start <= end + MINUTE

    def fits(self, start, end):
        """Begins within the label or at most a minute after it, and lasts at most three times as long plus five minutes."""
        return self.begins_in(start, end) and self.end - self.start <= 3 * (end - start) + 5 * MINUTE


def episodes(folder, severities=ALARM):
    """The episodes of what `analyze` wrote, by when they were raised."""
    assets = {}
    for line in open(f"{folder}/assets.ndjson"):
        asset = json.loads(line)
        assets[asset["id"]] = set(asset["ips"]) | set(asset["macs"])
    found = []
    for line in open(f"{folder}/alerts.ndjson"):
        finding = json.loads(line)
        if finding["severity"] in severities:
            found += [Episode(finding, e, assets) for e in finding["episodes"]]
    return sorted(found, key=lambda e: (e.raised, e.detector, e.key))


def labels(path):
    """Rows of a label file of the simulator: start, end, what, actor (empty for a trap), names of actor and targets."""
    rows = []
    for r in csv.DictReader(open(path)):
        names = set(r["actor"].split()) | set(r["target"].split())
        rows.append((when(r["start"]), when(r["end"]), r["attack"], r["actor"], names))
    return rows
