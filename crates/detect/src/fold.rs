//! Folding: observations of the same thing become one finding with episodes, counted exactly; it closes after an hour of silence.

use std::collections::BTreeMap;

use gwcore::time::{HOUR, MINUTE};
use gwcore::{
    Addr, Basis, Body, Episode, Evidence, Fact, Finding, FlowConst, Limit, LimitHits, Mac, PacketRef, Party, Severity,
    Table, Ts,
};

use crate::change::{Change, Told};
use crate::maintenance::lowered;
use crate::outcome::{Outcome, Waiting};
use crate::{Inventory, Setup, Site};

/// Silence that ends an episode.
const EPISODE_SILENCE: i64 = 5 * MINUTE;
/// Silence after which a repeat is a new finding.
const FINDING_SILENCE: i64 = HOUR;
/// A fact may be this much older than the packet time at which it is told, as the end of a TCP connection that timed out is: a finding stays
/// open for so much longer.
const LATE: i64 = 5 * MINUTE;
/// Where the table of open findings is full, this part of it is closed at once, so that room is made seldom.
const ROOM: usize = 16;
/// Longest a finding takes in repeats.
const FINDING_SPAN: i64 = 24 * HOUR;
/// Episodes, packets and conversations kept.
const EPISODES: usize = 200;
const PACKETS: usize = 100;
/// Sources that a detector tells of by themselves, of those who do something to one device within a day; further ones are told as one.
const CROWD: usize = 32;
/// How the key of a finding begins that tells of a crowd of sources.
pub const CROWD_KEY: &str = "many>";

/// One end of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct End {
    pub(crate) mac: Mac,
    pub(crate) addr: Addr,
    pub(crate) port: Option<u16>,
}

/// Sender and receiver of a fact.
pub(crate) fn ends(fact: &Fact, flow: &FlowConst) -> (End, End) {
    let port = |p| matches!(flow.ip_proto, 6 | 17).then_some(p);
    let orig = End { mac: flow.src_mac, addr: flow.src, port: port(flow.src_port) };
    let resp = End { mac: flow.dst_mac, addr: flow.dst, port: port(flow.dst_port) };
    if fact.flow.reversed() { (resp, orig) } else { (orig, resp) }
}

impl End {
    /// Nobody in particular.
    const NONE: End = End { mac: Mac::NONE, addr: Addr::NONE, port: None };

    /// The address a person would use: IP, else MAC.
    pub(crate) fn name(&self) -> String {
        if self.addr.is_none() { self.mac.to_string() } else { self.addr.to_string() }
    }

    /// Whether a text is one of its addresses.
    pub(crate) fn is_called(&self, text: &str) -> bool {
        (!self.addr.is_none() && self.addr.to_string() == text)
            || (!self.mac.is_none() && self.mac.to_string().eq_ignore_ascii_case(text))
    }
}

/// Makes title, sentence and evidence, with the names that the site gave.
pub(crate) type Words<'a> = &'a dyn Fn(&Site) -> (String, String, Evidence);

/// A detector and its key of folding.
pub(crate) type FoldKey = (&'static str, String);

/// What a detector saw.
pub(crate) struct Sighting<'a> {
    pub(crate) meta: &'static crate::Meta,
    pub(crate) dedup_key: String,
    pub(crate) severity: Severity,
    /// What it rests on: decoding alone, what was declared, or what was learned.
    pub(crate) basis: Basis,
    pub(crate) attack: &'static [&'static str],
    pub(crate) proto: &'static str,
    pub(crate) src: End,
    pub(crate) dst: End,
    /// Title, sentence and evidence; made only when a finding opens.
    pub(crate) words: Words<'a>,
    /// What was done concerns everybody on the segment, whoever the packet was for.
    pub(crate) to_segment: bool,
    /// The last packet it rests on; a detector of absence keeps it.
    pub(crate) fact: &'a Fact,
    pub(crate) flow: &'a FlowConst,
    /// First packet it rests on, where that lies before the fact.
    pub(crate) since: Option<Ts>,
    /// File and frame of a message before the fact that carries what does not belong; it is named first.
    pub(crate) carried_by: Option<(u32, u64)>,
    /// The sentence is about the request that the fact is: what the device answers is said with it.
    pub(crate) asks: bool,
    /// The finding that tells the same event more gravely: beside it this one is low.
    pub(crate) told_by: Option<FoldKey>,
    /// The findings that tell the same event less gravely, asked for when this one opens: beside it they are low.
    pub(crate) tells: Option<&'a dyn Fn() -> Vec<FoldKey>>,
}

impl<'a> Sighting<'a> {
    /// With what the detector's manual page and the fact say: the rest is set by struct update.
    pub(crate) fn of(meta: &'static crate::Meta, fact: &'a Fact, flow: &'a FlowConst) -> Sighting<'a> {
        let (src, dst) = ends(fact, flow);
        Sighting {
            meta,
            dedup_key: String::new(),
            severity: meta.severity,
            basis: Basis::Decoded,
            attack: &[],
            proto: "",
            src,
            dst,
            words: &|_| Default::default(),
            to_segment: false,
            fact,
            flow,
            since: None,
            carried_by: None,
            asks: false,
            told_by: None,
            tells: None,
        }
    }
}

pub(crate) struct Open {
    /// With its packets in the order in which they were cited.
    pub(crate) finding: Finding,
    /// The packet that title, sentence and figures are of: the first that is named.
    pub(crate) lead: Option<PacketRef>,
    /// Ends of what the sentence tells.
    pub(crate) src: End,
    pub(crate) dst: End,
    /// Its place among all findings that ever opened.
    pub(crate) born: u64,
    /// Packet time at which it was last seen; the facts themselves may be older.
    pub(crate) touched: Ts,
    /// What was told of it so far, where changes are asked for.
    pub(crate) told: Option<Told>,
}

/// All findings that are open, and those that have closed since they were last asked for.
pub(crate) struct Folder {
    pub(crate) open: Table<(&'static str, String), Open>,
    pub(crate) closed: Vec<Open>,
    /// Findings that ever opened.
    pub(crate) born: u64,
    /// Sources that a detector has told of, by the device they did something to, and since when.
    pub(crate) crowds: Table<(&'static str, Addr), (Vec<Addr>, Ts)>,
    /// Open findings at most.
    limit: usize,
    /// Findings at most where all are kept until the end.
    kept: usize,
    setup: Setup,
    pub(crate) waiting: Waiting,
    hits: LimitHits,
}

impl Folder {
    pub(crate) fn new(setup: &Setup) -> Folder {
        Folder {
            open: Table::default(),
            closed: Vec::new(),
            born: 0,
            crowds: Table::default(),
            limit: setup.limits.get(Limit::Findings),
            kept: setup.limits.get(Limit::FindingsKept),
            setup: setup.clone(),
            waiting: Waiting::new(setup),
            hits: LimitHits::default(),
        }
    }

    /// Folds in one observation, whose evidence suffices at `now`.
    pub(crate) fn see(&mut self, s: &Sighting<'_>, now: Ts, files: &dyn Fn(u32) -> std::sync::Arc<str>) {
        if !self.is_one_too_many(s) {
            return self.fold(s, now, files);
        }
        let to = |name: String| if s.to_segment { "the segment".to_owned() } else { name };
        let words = |site: &Site| {
            let (title, why, mut evidence) = (s.words)(site);
            evidence.in_packet = None;
            evidence.more.insert("sources".into(), format!("more than {CROWD}").into());
            let why = format!(
                "More than {CROWD} sources did so to {}, and further ones are told as one; the last of these: {why}",
                to(site.name(&s.dst))
            );
            (format!("Many sources: {title}"), why, evidence)
        };
        let many = Sighting {
            dedup_key: format!("{CROWD_KEY}{}", to(s.dst.name())),
            severity: s.severity,
            basis: s.basis,
            attack: s.attack,
            proto: s.proto,
            src: End::NONE,
            dst: if s.to_segment { End::NONE } else { s.dst },
            words: &words,
            to_segment: s.to_segment,
            since: s.since,
            carried_by: s.carried_by,
            ..Sighting::of(s.meta, s.fact, s.flow)
        };
        self.fold(&many, now, files);
    }

    /// Whether an observation would open a finding where a detector has told of many sources about the same device: addresses can be made
    /// up, and nobody reads thousands of findings.
    fn is_one_too_many(&mut self, s: &Sighting<'_>) -> bool {
        let ts = s.fact.ts;
        let from = if s.src.addr.is_none() { s.src.mac.padded() } else { s.src.addr };
        let to = if s.to_segment { Addr::NONE } else { s.dst.addr };
        let is_known = self.open.contains_key(&(s.meta.id, s.dedup_key.clone()));
        let is_full = self.crowds.len() >= self.limit && !self.crowds.contains_key(&(s.meta.id, to));
        let is_nobody = !s.to_segment && (s.src.addr.is_none() || to.is_none() || to.is_multicast());
        if is_nobody || is_known || is_full {
            return false;
        }
        let (sources, since) = self.crowds.entry((s.meta.id, to)).or_insert_with(|| (Vec::new(), ts));
        if ts.since(*since) > FINDING_SPAN {
            sources.clear();
            *since = ts;
        }
        if sources.contains(&from) {
            return false;
        }
        let is_room = sources.len() < CROWD;
        sources.extend(is_room.then_some(from));
        !is_room
    }

    fn fold(&mut self, s: &Sighting<'_>, now: Ts, files: &dyn Fn(u32) -> std::sync::Arc<str>) {
        let key = (s.meta.id, s.dedup_key.clone());
        let ts = s.fact.ts;
        let over = |f: &Finding| ts.since(f.ts_end) > FINDING_SILENCE || ts.since(f.ts) > FINDING_SPAN;
        if self.open.get(&key).is_some_and(|open| over(&open.finding)) {
            self.closed.extend(self.open.remove(&key));
        }
        if !self.open.contains_key(&key) {
            if self.closed.len() >= self.kept {
                return self.hits.hit(Limit::FindingsKept);
            }
            if self.open.len() >= self.limit {
                self.make_room();
            }
        }
        let severity = if self.is_told(s) { s.severity.min(Severity::Low) } else { s.severity };
        if !self.open.contains_key(&key) {
            self.tell(s);
        }
        let site = &self.setup.site;
        let born = &mut self.born;
        let begin = || {
            *born += 1;
            Open {
                finding: begin(s, now, site),
                lead: None,
                src: s.src,
                dst: s.dst,
                born: *born,
                touched: now.max(ts),
                told: None,
            }
        };
        let open = self.open.entry(key).or_insert_with(begin);
        open.touched = open.touched.max(now).max(ts);
        let window = self.setup.maintenance.covers(ts, |named| {
            [&s.src, &s.dst].iter().any(|end| end.is_called(named) || site.device(end).is_some_and(|d| d.name == named))
        });
        let severity = if window.is_some() { lowered(severity) } else { severity };
        if let Some(w) = window {
            let reason = if w.reason.is_empty() { "declared work" } else { &w.reason };
            open.finding.evidence.more.entry("maintenance".into()).or_insert_with(|| reason.into());
        }
        grow(open, s, severity, (now, site), files);
        if open.finding.community_id.is_none() {
            open.finding.community_id = flow::community_id(s.flow, self.setup.community_id_seed);
        }
        if let (Body::Op(op), true) = (&s.fact.body, s.asks && open.tells(s, files)) {
            self.waiting.ask(op, s.fact, s.flow, (s.meta.id, s.dedup_key.clone()), open.lead.as_ref());
        }
    }

    /// An answer: what it says is said by the findings whose sentence is of its request.
    pub(crate) fn answered(&mut self, fact: &Fact, flow: &FlowConst) {
        let Body::Op(op) = &fact.body else { return };
        if !op.is_answer {
            return;
        }
        for asked in self.waiting.answered(op, fact, flow) {
            let Some(open) = self.open.get_mut(&asked.key).filter(|o| asked.is_told_by(o.lead.as_ref())) else {
                continue;
            };
            let device = self.setup.site.name(&open.dst);
            open.say(&Outcome::of(op), &device, fact.frame);
        }
    }

    /// Limits hit.
    pub(crate) fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        hits.add(self.waiting.hits());
        hits
    }

    /// Whether a graver finding tells the same event at this time.
    fn is_told(&self, s: &Sighting<'_>) -> bool {
        let by = s.told_by.as_ref().and_then(|key| self.open.get(key));
        by.is_some_and(|o| o.finding.severity >= s.severity && s.fact.ts.since(o.finding.ts_end) <= EPISODE_SILENCE)
    }

    /// Lowers what told the event of a finding that opens a moment earlier.
    fn tell(&mut self, s: &Sighting<'_>) {
        for key in s.tells.map(|keys| keys()).unwrap_or_default() {
            let Some(f) = self.open.get_mut(&key).map(|o| &mut o.finding) else { continue };
            if f.severity > Severity::Low && s.severity >= f.severity && s.fact.ts.since(f.ts) <= EPISODE_SILENCE {
                f.severity = Severity::Low;
                f.rev = f.rev.saturating_add(1);
            }
        }
    }

    /// Closes what has been silent for too long at `now`, and forgets crowds of a day that is over.
    pub(crate) fn sweep(&mut self, now: Ts) {
        self.close(|open| now.since(open.touched) > FINDING_SILENCE + LATE);
        self.crowds.retain(|_, (_, since)| now.since(*since) <= FINDING_SPAN + LATE);
    }

    /// Closes those that have been silent the longest.
    fn make_room(&mut self) {
        let mut silent: Vec<(Ts, u64)> = self.open.values().map(|o| (o.touched, o.born)).collect();
        silent.sort_unstable();
        let Some(last) = silent.get((self.limit / ROOM).min(silent.len() - 1)).copied() else { return };
        self.close(|open| (open.touched, open.born) <= last);
        self.hits.hit(Limit::Findings);
    }

    fn close(&mut self, is_over: impl Fn(&Open) -> bool) {
        let from = self.closed.len();
        self.closed.extend(self.open.extract_if(|_, open| is_over(open)).map(|(_, open)| open));
        // A table has no order.
        if let Some(new) = self.closed.get_mut(from..) {
            new.sort_by_key(|o| o.born);
        }
    }

    /// What became of findings since the last call: those that closed first, then the open ones in the order in which they opened. A
    /// finding that goes on is told again when it grew graver, else once in ten seconds of packet time.
    pub(crate) fn changes(&mut self, inventory: &Inventory, now: Ts) -> Vec<Change> {
        let mut changes = Vec::new();
        let site = &self.setup.site;
        for open in std::mem::take(&mut self.closed) {
            let mut finding = open.named(inventory, site);
            if open.told.is_none() {
                changes.push(Change::Opened(finding.clone()));
            }
            finding.rev = finding.rev.saturating_add(1);
            changes.push(Change::Closed(finding));
        }
        let mut due: Vec<&mut Open> =
            self.open.values_mut().filter(|o| Told::is_due(o.told, &o.finding, now)).collect();
        due.sort_by_key(|o| o.born);
        for open in due {
            let finding = open.named(inventory, site);
            let told = open.told.replace(Told::of(&finding, now));
            changes.push(if told.is_none() { Change::Opened(finding) } else { Change::Grew(finding) });
        }
        changes
    }

    /// Closes everything.
    pub(crate) fn close_all(&mut self) {
        self.close(|_| true);
    }

    /// The last revision of every finding that was not told as closed, by (`ts`, `id`), its parties named by the inventory.
    pub(crate) fn finish(&mut self, inventory: &Inventory) -> Vec<Finding> {
        let mut all = std::mem::take(&mut self.closed);
        all.extend(std::mem::take(&mut self.open).into_values());
        let mut findings: Vec<Finding> = all.into_iter().map(|o| o.named(inventory, &self.setup.site)).collect();
        findings.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        findings
    }
}

impl Open {
    /// Whether the sentence is of what was just seen.
    fn tells(&self, s: &Sighting<'_>, files: &dyn Fn(u32) -> std::sync::Arc<str>) -> bool {
        self.lead.as_ref().is_some_and(|p| p.frame == s.fact.frame && p.file == files(s.flow.file))
    }

    /// Adds what a device answered.
    fn say(&mut self, outcome: &Outcome, device: &str, frame: u64) {
        let f = &mut self.finding;
        f.rev = f.rev.saturating_add(1);
        f.evidence.more.insert("outcome".into(), outcome.evidence.clone().into());
        f.evidence.more.insert("answer_frame".into(), frame.into());
        if let Some(reason) = &outcome.refusal {
            f.title.push_str(", refused");
            f.why.push_str(&format!(" {device} refused it: {reason}."));
        }
    }

    /// The finding, its parties named by the inventory and the packet of its sentence first.
    fn named(&self, inventory: &Inventory, site: &Site) -> Finding {
        let (src, dst) = (party(&self.src, inventory, site), party(&self.dst, inventory, site));
        let mut finding = Finding { src, dst, ..self.finding.clone() };
        if let Some(lead) = &self.lead
            && finding.packets.first() != Some(lead)
        {
            finding.packets.retain(|p| p != lead);
            finding.packets.truncate(PACKETS - 1);
            finding.packets.insert(0, lead.clone());
        }
        finding
    }
}

fn begin(s: &Sighting<'_>, now: Ts, site: &Site) -> Finding {
    let ts = s.since.unwrap_or(s.fact.ts);
    let (title, why, evidence) = (s.words)(site);
    Finding {
        id: Finding::id_of(s.meta.id, &s.dedup_key, ts),
        rev: 0,
        ts,
        ts_end: s.fact.ts,
        raised: now.max(s.fact.ts),
        episodes: Vec::new(),
        episodes_more: 0,
        detector: s.meta.id,
        title,
        severity: Severity::Info,
        basis: s.basis,
        attack: s.attack.to_vec(),
        src: Party::default(),
        dst: Party::default(),
        proto: s.proto,
        uids: Vec::new(),
        community_id: None,
        packets: Vec::new(),
        why,
        evidence,
        dedup_key: s.dedup_key.clone(),
        count: 0,
        flow: *s.flow,
    }
}

fn grow(
    open: &mut Open,
    s: &Sighting<'_>,
    severity: Severity,
    (now, site): (Ts, &Site),
    files: &dyn Fn(u32) -> std::sync::Arc<str>,
) {
    let (ts, frame) = (s.fact.ts, s.fact.frame);
    let f = &mut open.finding;
    let begins = f.episodes.last().is_none_or(|e| ts.since(e.ts_end) > EPISODE_SILENCE);
    f.rev = f.rev.saturating_add(1);
    f.count += 1;
    f.ts_end = f.ts_end.max(ts);
    // Title, sentence, ends and evidence are those of the gravest, among equals of the last, and so is the packet that is named first.
    if f.count > 1 && severity >= f.severity {
        let more = f.evidence.more.remove("maintenance");
        (f.title, f.why, f.evidence) = (s.words)(site);
        f.evidence.more.extend(more.map(|m| ("maintenance".into(), m)));
        (open.src, open.dst, f.proto, f.attack) = (s.src, s.dst, s.proto, s.attack.to_vec());
    }
    if f.count == 1 || severity >= f.severity {
        let (file, frame) = s.carried_by.unwrap_or((s.flow.file, frame));
        open.lead = (frame != 0).then(|| PacketRef { file: files(file), frame });
    }
    f.severity = f.severity.max(severity);
    if begins && f.episodes.len() >= EPISODES {
        f.episodes_more += 1;
    } else if begins {
        let since = if f.episodes.is_empty() { f.ts } else { s.since.unwrap_or(ts) };
        f.episodes.push(Episode {
            ts: since,
            ts_end: ts,
            raised: now.max(ts),
            count: 1,
            first_frame: frame,
            last_frame: frame,
        });
    } else if let Some(e) = f.episodes.last_mut() {
        e.ts_end = e.ts_end.max(ts);
        e.count += 1;
        e.last_frame = frame;
    }
    for (file, frame) in s.carried_by.into_iter().chain([(s.flow.file, frame)]) {
        let packet = PacketRef { file: files(file), frame };
        if frame != 0 && f.packets.len() < PACKETS && f.packets.last() != Some(&packet) {
            f.packets.push(packet);
        }
    }
    if f.uids.len() < PACKETS {
        let uid = s.flow.uid.to_string();
        if !f.uids.contains(&uid) {
            f.uids.push(uid);
        }
    }
}

fn party(end: &End, inventory: &Inventory, site: &Site) -> Party {
    let asset = inventory.id(end.mac, end.addr).map(str::to_owned);
    let said = asset.as_deref().and_then(|id| inventory.device(id)).and_then(|d| d.names.first());
    let name = site.device(end).map(|d| d.name.clone()).or_else(|| said.map(|n| n.name.clone()));
    Party {
        asset,
        name,
        mac: (!end.mac.is_none()).then(|| end.mac.to_string()),
        ip: (!end.addr.is_none()).then(|| end.addr.to_string()),
        port: end.port,
        user: None,
    }
}

/// Evidence from an observed and an expected value.
pub(crate) fn evidence(observed: String, expected: Option<&str>, threshold: Option<f64>) -> Evidence {
    let expected = expected.map(str::to_owned);
    Evidence { observed, expected, seen: None, threshold, in_packet: None, more: BTreeMap::new() }
}

/// A function's name as words; one that IEC 60870-5-101 gives (`C_SC_NA_1`) stays as it is.
pub(crate) fn words(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_uppercase()) { name.to_owned() } else { name.replace('_', " ") }
}
