#!/usr/bin/env python3
"""Compares the events that Gridwarden and Suricata wrote of one capture, session by session, and names what differs by what can be seen of it.

usage: bench-compare.py OURS/eve.json THEIRS/eve.json THEIRS-MIDSTREAM/eve.json [--left]    (--left prints the sessions left unexplained)
The last line says `equal`, or `void` and which events still differ by more than 2 % after what is named.
"""
import collections, ipaddress, json, sys

KINDS = 'flow dns http tls dhcp modbus dnp3'.split()
MOST = 2.0                                                              # per cent that may differ

# ---- reading -------------------------------------------------------------------------------------------------------------------------

def address(text, known={}):
    """One spelling: Suricata writes IPv6 addresses in full."""
    if text not in known:
        try: known[text] = ipaddress.ip_address(text).packed
        except ValueError: known[text] = text.encode()
    return known[text]

def ends(r):
    a, b = ((address(r.get(f'{e}_ip', '')), r.get(f'{e}_port', 0)) for e in ('src', 'dest'))
    return (r.get('proto', ''),) + tuple(sorted((a, b)))

class Log:
    """Flows, events and anomalies of one eve.json."""
    def __init__(self, path):
        self.count, self.flows, self.events = collections.Counter(), collections.defaultdict(list), collections.defaultdict(list)
        self.anomalies = collections.defaultdict(list)                  # by flow
        for line in open(path):
            r = json.loads(line); kind = r['event_type']
            self.count[kind] += 1
            if kind == 'flow': self.flows[ends(r)].append(r)
            elif kind in KINDS: self.events[ends(r)].append(r)
            elif kind == 'anomaly': self.anomalies[r.get('flow_id')].append(r)

class Session:
    """Flows of one pair of ends that overlap in time, on either side, with the events in them: [ours, theirs]."""
    def __init__(self, key): self.key, self.flows, self.events = key, ([], []), collections.defaultdict(lambda: ([], []))

def sessions(us, them):
    for key in sorted(set(us.flows) | set(them.flows) | set(us.events) | set(them.events)):
        found, of_flow, end = [], {}, ''
        for start, side, r in sorted(((r['flow']['start'], s, r) for s, log in enumerate((us, them)) for r in log.flows.get(key, [])), key=lambda x: x[:2]):
            if not found or start > end: found.append(Session(key)); end = ''
            found[-1].flows[side].append(r); end = max(end, r['flow']['end'])
            of_flow[side, r['flow_id']] = found[-1]
        for side, log in enumerate((us, them)):
            for r in log.events.get(key, []):
                if (side, r.get('flow_id')) not in of_flow:
                    found.append(Session(key)); of_flow[side, r.get('flow_id')] = found[-1]
                of_flow[side, r.get('flow_id')].events[r['event_type']][side].append(r)
        yield from found

# ---- what an event is, whatever the other side has -----------------------------------------------------------------------------------

def name_event(kind, r):
    ports = {r.get('src_port'), r.get('dest_port')}
    if kind == 'dns' and ports & {5353, 5355}: return 'mDNS and LLMNR (ports 5353, 5355), which Suricata does not read as DNS'
    if kind == 'dnp3' and r['dnp3'].get('application', {}).get('function_code') == 0: return 'confirms (function 0), which Suricata does not log'
    if kind == 'http' and r['http'].get('url', '').startswith('sip:'): return 'SIP, which Suricata took for HTTP'
    if kind == 'tls' and 'from_proto' in r['tls']: return 'TLS in a tunnel (from_proto), which ours does not look into'

# ---- what a session shows, asked only where the two differ -----------------------------------------------------------------------------

def name_session(kind, s, ours, theirs, anomalies):
    """Yields (name, ours, theirs) to leave out; stops when nothing is left to name."""
    flows = s.flows[1]
    seen = {(a['anomaly'].get('event'), a['timestamp']) for f in flows for a in anomalies[f['flow_id']] if a['anomaly'].get('app_proto') == kind}
    if not flows: yield 'sessions of which Suricata has no flow', ours, theirs; return
    if s.key[0] == 'TCP' and [len(f) for f in s.flows] != [1, 1]:
        yield 'sessions on ports used again, cut into other flows by either side', ours, theirs; return
    if not theirs and all(f.get('app_proto') != kind for f in flows):
        apps = '/'.join(sorted({f.get('app_proto', 'none') for f in flows}))
        state = '' if apps != 'none' else ' (TCP ' + '/'.join(sorted({f.get('tcp', {}).get('state', '-') for f in flows})) + ')'
        yield f"sessions to which Suricata's flow event gives app_proto {apps}{state}", ours, theirs; return
    if any(f.get('tcp', {}).get(gap) for f in flows for gap in ('ts_gap', 'tc_gap')):
        yield "sessions with a gap by Suricata's flow event (ts_gap, tc_gap)", ours, theirs; return
    if not theirs and seen:
        yield f"sessions on which Suricata's parser gave up ({'/'.join(sorted({e for e, _ in seen}))})", ours, theirs; return
    if kind == 'tls' and not theirs and not any(r['tls'].get('subject') or r['tls'].get('session_resumed') for r in ours):
        yield 'handshakes without certificate and not resumed, which Suricata does not log', ours, theirs; return
    if kind == 'http':
        lone = [[r for r in side if 'http_method' not in r['http'] and r['http'].get('url', '/libhtp::request_uri_not_seen').startswith('/libhtp::')] for side in (ours, theirs)]
        if len(lone[0]) != len(lone[1]): yield 'answers without a request that could be read, which the two pair differently', *lone
    flooded = min((t for e, t in seen if e == 'flooded'), default=None)
    if flooded: yield "exchanges after Suricata's anomaly flooded, of which it reads no more", [r for r in ours if r['timestamp'] > flooded], []
    if any(e == 'unsolicited_response' for e, _ in seen):
        lone = [[r for r in side if 'response' in r[kind] and 'request' not in r[kind]] for side in (ours, theirs)]
        yield "answers apart from their requests by Suricata's anomaly unsolicited_response", [], lone[1][len(lone[0]):]

def compare(us, them):
    """By kind: what is named (name: [ours, theirs]), and the sessions left that differ."""
    named, left = {k: collections.defaultdict(lambda: [0, 0]) for k in KINDS}, {k: [] for k in KINDS}
    for side, log in enumerate((us, them)):
        for flow in (f for fs in log.flows.values() for f in fs):
            if flow.get('proto') not in ('TCP', 'UDP', 'ICMP', 'IPv6-ICMP', 'SCTP'):
                named['flow']['conversations of IGMP, other protocols and without IP, which Suricata keeps no flow for (or few)'][side] += 1
    for s in sessions(us, them):
        for kind, sides in s.events.items():
            rest = ([], [])
            for side in (0, 1):
                for r in sides[side]:
                    name = name_event(kind, r)
                    if name: named[kind][name][side] += 1
                    else: rest[side].append(r)
            counts = [len(r) for r in rest]
            if counts[0] != counts[1]:
                for name, *gone in name_session(kind, s, *rest, them.anomalies):
                    for side in (0, 1): named[kind][name][side] += len(gone[side]); counts[side] -= len(gone[side])
            if counts[0] != counts[1]: left[kind].append((counts[0] - counts[1], s))
    return named, left

# ---- the table -----------------------------------------------------------------------------------------------------------------------

def off(a, b): return 100 * (a - b) / b if b else 0.0

def main(ours, plain, mid, *flags):
    us, them = Log(ours), Log(mid)
    plain = Log(plain).count
    named, left = compare(us, them)
    print('event        ours  Suricata  differ  | and midstream  differ  | less what is named below: ours, theirs, differ  | sessions: more, fewer')
    void = []
    for k in KINDS:
        a, b = (log.count[k] - sum(n[side] for n in named[k].values()) for side, log in enumerate((us, them)))
        more, fewer = (sum(abs(d) for d, _ in left[k] if (d > 0) == up) for up in (True, False))
        print(f'{k:8} {us.count[k]:8} {plain[k]:9} {off(us.count[k], plain[k]):+6.1f}%  | {them.count[k]:13} {off(us.count[k], them.count[k]):+6.1f}%'
              f'  | {a:25} {b:9} {off(a, b):+8.1f}%  | {more:14} {fewer:6}')
        if abs(off(a, b)) > MOST or 100 * (more + fewer) > MOST * b: void.append(f'{k} {off(a, b):+.1f}% unexplained, {more} more and {fewer} fewer')
    for k in KINDS:
        if them.count[k] > plain[k] and k != 'flow': print(f'  {k}: {them.count[k] - plain[k]} more of theirs with stream.midstream: sessions whose beginning is missing, which we read')
        for name, (a, b) in sorted(named[k].items(), key=lambda x: -sum(x[1])): print(f'  {k}: {a} of ours and {b} of theirs: {name}')
        if '--left' in flags:
            for d, s in left[k]: print(f'    left {d:+d} {s.key[0]} ' + ' '.join(f"{ipaddress.ip_address(a) if len(a) in (4, 16) else a}:{p}" for a, p in s.key[1:]),
                                       [f['flow']['start'] for f in s.flows[0]], [f['flow']['start'] for f in s.flows[1]])
    print('void: ' + ', '.join(void) if void else 'equal: every event within 2 %')

if __name__ == '__main__':
    if len(sys.argv) < 4: sys.exit(__doc__)
    main(*sys.argv[1:])
