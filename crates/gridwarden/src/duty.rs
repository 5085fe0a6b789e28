//! The desk of a running platform: findings enter cases as the sensor tells them, playbooks are proposed for new cases, actions end at their
//! time, and everything goes out to the configured destinations.
//!
//! All of it happens on threads of its own, a bounded packet at a time. What fails here is said and tried again; capture and console go on
//! without it. What the sensor told and this part did not take before a stop is taken at the next start from the findings that it keeps.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connect::{Kind, gate};
use console::Wish;
use detect::Baseline;
use gwcore::{Severity, Ts};
use respond::correlate::{Outcome, Rules};
use respond::intake::Intake;
use respond::outbox::{Batch, Letter, Told};
use respond::playbook::{Mode, Run, shipped};
use respond::store::Store;
use respond::{Actor, Case, Finding};
use serde_json::{Value, json};
use state::{Store as _, Upserted};

use crate::desk::{Office, Propose};
use crate::facts::Facts;
use crate::post::{self, PostOffice};
use crate::say::{complaint, say};

/// Messages that wait for the desk; more are read again from what the sensor keeps.
const WAITING: usize = 16_384;
/// Messages of one transaction.
const PACKET: usize = 256;
/// How long messages are collected for it.
const COLLECT: Duration = Duration::from_millis(200);
/// How often actions are looked at whose time may be over.
const TICK: Duration = Duration::from_secs(1);
/// How often runs that wait are looked at.
const RUNS: Duration = Duration::from_secs(5);
/// Seconds between two looks at our tickets in other systems, where the configuration says nothing.
const MIRROR: u64 = 60;
/// A part that failed is tried again after this long.
const AGAIN: Duration = Duration::from_secs(10);
/// The same complaint is made again after this long.
const REPEAT: Duration = Duration::from_secs(300);
/// How long what is left is delivered at the end of a run that ends with its replay.
const LAST: Duration = Duration::from_secs(10);

/// What the desk needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Configuration with `[respond]` and `[[destination]]` tables.
    pub config: Option<PathBuf>,
    /// There is no console: what it would keep is kept here.
    pub no_console: bool,
    /// Whether the run ends with its replay: then what waits is delivered first.
    pub once: bool,
    /// Says nothing but errors.
    pub quiet: bool,
}

/// Messages that the desk hears.
const HEARD: [&str; 6] = ["finding", "started", "known", "models", "state", "baseline"];
/// Messages that it hears besides where no console keeps what they tell.
const WITHOUT_CONSOLE: [&str; 5] = ["device", "minute", "gap", "ended", "sensor"];

/// Where messages of the sensor go, and the threads behind.
pub struct Duty {
    to: SyncSender<Value>,
    missed: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    no_console: bool,
    desk: JoinHandle<()>,
}

impl Duty {
    /// Opens the desk; a configuration that is wrong is an error before anything runs.
    pub fn start(settings: Settings, mut facts: Facts, baseline: Option<&Baseline>) -> anyhow::Result<Duty> {
        let office = Office::open(&settings.data, settings.config.as_deref())?;
        office.approved(baseline)?;
        let mirrors = office.destinations().destinations.iter().any(|d| d.events.contains(&Kind::Case));
        let every = office.settings.mirror_seconds.unwrap_or(MIRROR);
        let (to, from) = sync_channel(WAITING);
        let missed = Arc::new(AtomicU64::new(0));
        let ending = Arc::new(AtomicBool::new(false));
        if mirrors && every > 0 {
            let (settings, ending) = (settings.clone(), Arc::clone(&ending));
            let mirror = move || mirror(&settings, Duration::from_secs(every), &ending);
            // Nobody waits for it: a look that is under way at the end changes nothing or a whole case.
            std::thread::Builder::new().name("tickets".into()).spawn(mirror)?;
        }
        let (theirs, no_console) = (Arc::clone(&missed), settings.no_console);
        let serving = move || serve(&office, &settings, &mut facts, &from, &theirs);
        let desk = std::thread::Builder::new().name("desk".into()).spawn(serving)?;
        Ok(Duty { to, missed, ending, no_console, desk })
    }

    /// Hands a message on; never waits.
    pub fn tell(&self, message: &Value) {
        let hears = |t: &str| HEARD.contains(&t) || (self.no_console && WITHOUT_CONSOLE.contains(&t));
        if !message["type"].as_str().is_some_and(hears) {
            return;
        }
        match self.to.try_send(message.clone()) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Nothing more comes: what waits is taken, then the threads end.
    pub fn end(self) {
        drop(self.to);
        self.ending.store(true, Ordering::Relaxed);
        if self.desk.join().is_err() {
            complaint(format_args!("the desk for cases and playbooks ended early; nothing that was kept is lost"));
        }
    }
}

/// Takes over what was done to our tickets in other systems, again and again.
fn mirror(settings: &Settings, every: Duration, ending: &AtomicBool) {
    let mut complaints = Complaints::default();
    let mut next = Instant::now() + every;
    while !ending.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(200));
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + every;
        let done = Office::open(&settings.data, settings.config.as_deref()).and_then(|office| office.mirror());
        if let Err(e) = done {
            complaints.say(&format!("tickets: {e:#}"));
        }
    }
}

/// Complaints, each once in a while.
#[derive(Default)]
struct Complaints(HashMap<String, Instant>);

impl Complaints {
    fn say(&mut self, what: &str) {
        self.0.retain(|_, at| at.elapsed() < REPEAT);
        if !self.0.contains_key(what) {
            complaint(format_args!("{}", report::plain(what)));
            if self.0.len() < 1_000 {
                self.0.insert(what.to_owned(), Instant::now());
            }
        }
    }
}

/// The thread of the desk: begins again where something failed, until no message comes any more.
fn serve(office: &Office, settings: &Settings, facts: &mut Facts, from: &Receiver<Value>, missed: &AtomicU64) {
    let mut complaints = Complaints::default();
    let mut post = PostOffice::new(office.folder(), office.destinations());
    loop {
        let worked = match AtDesk::open(office, settings, &mut post) {
            Ok(mut desk) => desk.work(facts, from, missed, &mut complaints),
            Err(e) => Err(e),
        };
        let Err(e) = worked else { break };
        complaints.say(&format!("cases and playbooks: {e:#}; tried again in {} s", AGAIN.as_secs()));
        // What came is read again from what the sensor keeps.
        let until = Instant::now() + AGAIN;
        let mut over = false;
        while Instant::now() < until && !over {
            match from.recv_timeout(Duration::from_millis(200)) {
                Ok(_) => {
                    missed.fetch_add(1, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => over = true,
            }
        }
        if over {
            break;
        }
    }
    let Ok(store) = office.store() else { return };
    let until = Instant::now() + if settings.once { LAST } else { Duration::ZERO };
    loop {
        post.work(&store).iter().for_each(|what| complaints.say(what));
        if !post.is_waiting() || Instant::now() >= until {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    post.close(&store);
}

struct AtDesk<'a> {
    office: &'a Office,
    store: Store<'a>,
    settings: &'a Settings,
    post: &'a mut PostOffice,
    intake: Intake,
    /// Newest time of a finding.
    now: Ts,
    /// Cases for which a playbook may have to be proposed.
    fresh: BTreeSet<String>,
}

impl<'a> AtDesk<'a> {
    fn open(office: &'a Office, settings: &'a Settings, post: &'a mut PostOffice) -> anyhow::Result<AtDesk<'a>> {
        let store = office.store()?;
        let intake = Intake::open(&store, Rules::default())?;
        let mut desk = AtDesk { office, store, settings, post, intake, now: Ts::default(), fresh: BTreeSet::new() };
        desk.catch_up()?;
        // A stop may have come between a case and its proposal.
        for case in desk.store.open_cases()? {
            if case.state == respond::State::New && desk.store.runs_for(&case.id)?.is_empty() {
                desk.fresh.insert(case.id);
            }
        }
        Ok(desk)
    }

    /// Findings that the sensor keeps and that were not taken: told before a stop, or while too much waited.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        let dir = self.settings.data.join("sensor/findings");
        let mut all: Vec<Finding> = Vec::new();
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            all.extend(finding_in(&entry.path()));
        }
        all.sort_by(|a, b| (a.raised, &a.id).cmp(&(b.raised, &b.id)));
        let mut missing = Vec::new();
        for f in all {
            let told = self.store.told(&f.id)?;
            if told.as_ref().is_none_or(|told| told.rev < f.rev) {
                missing.push((f, false));
            } else if f.severity == Severity::Low && told.is_some_and(|told| told.state.is_empty()) {
                // Low ones wait for company; that they do is not kept.
                self.intake.take(&self.store, &f)?;
            }
        }
        for packet in missing.chunks(PACKET) {
            self.take(packet)?;
        }
        Ok(())
    }

    fn work(
        &mut self,
        facts: &mut Facts,
        from: &Receiver<Value>,
        missed: &AtomicU64,
        complaints: &mut Complaints,
    ) -> anyhow::Result<()> {
        let (mut ticked, mut looked, mut forgot) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let (packet, is_over) = collect(from);
            let mut findings = Vec::new();
            for message in packet {
                match message["type"].as_str() {
                    Some("finding") => match Finding::from_json(message["finding"].clone()) {
                        Ok(f) => findings.push((f, message["change"] == "closed")),
                        Err(e) => complaints.say(&format!("a finding is not understood: {e}")),
                    },
                    _ => {
                        // What the ledger does not take is no reason to leave findings lying.
                        let heard = facts.heard(self.office, &message);
                        let kept = if self.settings.no_console { self.keep(&message) } else { Ok(()) };
                        for e in [heard, kept].into_iter().filter_map(Result::err) {
                            complaints.say(&format!("not recorded: {e:#}"));
                        }
                    }
                }
            }
            self.take(&findings)?;
            if missed.swap(0, Ordering::Relaxed) > 0 {
                self.catch_up()?;
            }
            if ticked.elapsed() >= TICK || is_over {
                ticked = Instant::now();
                let changed = self.intake.sync(&self.store, self.now)?;
                self.told_by_others(&changed)?;
                self.propose(complaints);
                let is_due = self.store.actions_due(respond::clock::now().0)? > 0;
                if is_due || ((looked.elapsed() >= RUNS || is_over) && !self.store.open_runs()?.is_empty()) {
                    looked = Instant::now();
                    let _turn = self.office.turn()?;
                    for line in self.office.step()?.iter().filter(|_| !self.settings.quiet) {
                        say!("{}", report::plain(line));
                    }
                }
            }
            for what in self.post.work(&self.store) {
                complaints.say(&what);
            }
            if forgot.elapsed() > Duration::from_secs(3_600) {
                forgot = Instant::now();
                self.store.forget_oldest()?;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// What the console keeps where there is one.
    fn keep(&self, message: &Value) -> anyhow::Result<()> {
        let db = &self.office.db;
        match message["type"].as_str() {
            Some("device") => match message["gone"].as_str() {
                Some(gone) => db.drop_device(gone)?,
                None => db.upsert_device(&message["device"], "live")?,
            },
            Some("minute") => db.add_minute(message)?,
            Some("gap") => {
                db.add_gap(message)?;
                self.office.record("feed.gap", "system", message)?;
            }
            Some(kind @ ("started" | "ended" | "sensor")) => {
                self.office.record(&format!("sensor.{kind}"), "system", message)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A finding as the console would keep it.
    fn keep_finding(&self, f: &Finding, closed: bool) -> anyhow::Result<()> {
        let now = respond::clock::now();
        if let Upserted::New(_) = self.office.db.upsert_finding(&f.raw, closed, "live", now.0)? {
            let data = json!({ "id": f.id, "detector": f.detector, "severity": f.severity.name(), "ts": f.ts.to_string(),
                "raised": f.raised.to_string(), "detected": now.to_string() });
            self.office.record("finding.opened", "system", &data)?;
        }
        Ok(())
    }

    /// A packet of findings into cases and letters, in one transaction.
    fn take(&mut self, findings: &[(Finding, bool)]) -> anyhow::Result<()> {
        if findings.is_empty() {
            return Ok(());
        }
        for (f, closed) in findings {
            self.now = self.now.max(f.ts_end);
            if self.settings.no_console {
                self.keep_finding(f, *closed)?;
            }
        }
        // Somebody may change a case between our look and our writing: then it is looked at once more.
        for tries in 0.. {
            let changed = self.intake.sync(&self.store, self.now)?;
            self.told_by_others(&changed)?;
            let (batch, opened) = self.batch(findings)?;
            match self.store.enter(&batch) {
                Ok(()) => {
                    self.intake.kept(&batch.cases);
                    for case in batch.cases.iter().filter(|c| opened.contains(&c.id)) {
                        let data = json!({ "case": case.id, "title": case.title, "severity": case.severity.name() });
                        self.office.record("case.opened", "gridwarden", &data)?;
                    }
                    self.fresh.extend(opened);
                    return Ok(());
                }
                Err(state::Error::Refused(_)) if tries < 3 => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn batch(&mut self, findings: &[(Finding, bool)]) -> anyhow::Result<(Batch, BTreeSet<String>)> {
        let mut batch = Batch { now: respond::clock::now().0, ..Batch::default() };
        let mut told: HashMap<String, Told> = HashMap::new();
        let (mut touched, mut opened) = (BTreeSet::new(), BTreeSet::new());
        for (f, closed) in findings {
            let last = match told.get(&f.id) {
                Some(last) => Some(last.clone()),
                None => self.store.told(&f.id)?,
            };
            // Taken before a stop, or told a second time.
            if last.as_ref().is_some_and(|l| l.rev >= f.rev && !(*closed && f.rev > l.sent)) {
                continue;
            }
            if let Some(case) = last.as_ref().map(|l| &l.state).filter(|s| !s.is_empty()) {
                self.intake.hold(&self.store, case)?;
            }
            let (passes, mut now) = gate::finding(last.as_ref(), f, *closed);
            match self.intake.take(&self.store, f)? {
                Outcome::None => {}
                Outcome::Opened(id) => {
                    opened.insert(id.clone());
                    now.state.clone_from(&id);
                    touched.insert(id);
                }
                Outcome::Joined(id) | Outcome::Updated(id) => {
                    now.state.clone_from(&id);
                    touched.insert(id);
                }
            }
            told.insert(f.id.clone(), now);
            if passes {
                let to = self.post.wanting(Kind::Finding).filter(|s| f.severity >= s.severity);
                let letters: Vec<Letter> = to.map(|s| post::of_finding(&s.name, f)).collect::<Result<_, _>>()?;
                batch.letters.extend(letters);
            }
        }
        batch.cases = self.intake.unkept(&touched);
        batch.told = told.into_iter().collect();
        for case in &batch.cases {
            let (told, letters) = self.of_case(case)?;
            batch.told.push((case.id.clone(), told));
            batch.letters.extend(letters);
        }
        Ok((batch, opened))
    }

    /// What goes out of a case, and what is remembered of it.
    fn of_case(&self, case: &Case) -> anyhow::Result<(Told, Vec<Letter>)> {
        let (passes, told) = gate::case(self.store.told(&case.id)?.as_ref(), case);
        let to = self.post.wanting(Kind::Case).filter(|s| passes && case.severity >= s.severity);
        Ok((told, to.map(|s| post::of_case(&s.name, case)).collect::<Result<_, _>>()?))
    }

    /// Cases that people or other parts changed go out too.
    fn told_by_others(&mut self, changed: &[Case]) -> anyhow::Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let mut batch = Batch { now: respond::clock::now().0, ..Batch::default() };
        for case in changed {
            let (told, letters) = self.of_case(case)?;
            batch.told.push((case.id.clone(), told));
            batch.letters.extend(letters);
        }
        Ok(self.store.enter(&batch)?)
    }

    /// Proposes the playbook that fits each new case, unless somebody did.
    fn propose(&mut self, complaints: &mut Complaints) {
        let mode = match self.office.settings.propose {
            Propose::Off => return self.fresh.clear(),
            Propose::Dry => Mode::Dry,
            Propose::Live => Mode::Live,
        };
        for id in std::mem::take(&mut self.fresh) {
            if let Err(e) = self.propose_for(&id, mode) {
                complaints.say(&format!("no playbook is proposed for {id}: {e:#}"));
            }
        }
    }

    fn propose_for(&self, id: &str, mode: Mode) -> anyhow::Result<()> {
        let Some(case) = self.store.case(id)? else { return Ok(()) };
        let Some(name) = shipped::proposed_for(&case) else { return Ok(()) };
        if !self.store.runs_for(id)?.is_empty() {
            return Ok(());
        }
        let run = self.run_of(&case, name, mode)?;
        // What it said or asks stands in the case; the run itself is kept beside.
        let Some(mut case) = self.store.case(id)? else { return Ok(()) };
        let said: Vec<&str> = run.log.iter().map(|s| s.text.as_str()).collect();
        let asks = crate::desk::waits(&run);
        let text = match mode {
            Mode::Dry => format!("{name}: a dry run says: {}", said.join("; ")),
            Mode::Live => format!("{name} is proposed as {}; {asks}", run.id),
        };
        case.note(respond::clock::now(), &Actor::gridwarden(), "playbook", &text);
        self.store.keep_case(&case)?;
        Ok(())
    }

    fn run_of(&self, case: &Case, name: &str, mode: Mode) -> anyhow::Result<Run> {
        let playbook = crate::playbook::load(name)?;
        let fits = |n: &str| playbook.playbook_variables.contains_key(&format!("__{n}__"));
        let site = self.office.settings.values.iter();
        let values = site.filter(|(n, _)| fits(n)).map(|(n, v)| (n.clone(), v.clone())).collect();
        let (case, playbook, live) = (case.id.clone(), Some(name.to_owned()), mode == Mode::Live);
        Ok(self.office.propose(&Actor::gridwarden(), &Wish { case, playbook, live, values })?)
    }
}

fn finding_in(path: &Path) -> Option<Finding> {
    let is_whole = path.extension().is_some_and(|e| e == "json");
    let bytes = is_whole.then(|| std::fs::read(path).ok())??;
    Finding::from_json(serde_json::from_slice(&bytes).ok()?).ok()
}

/// What came within the time for a packet; whether nothing more comes.
fn collect(from: &Receiver<Value>) -> (Vec<Value>, bool) {
    let until = Instant::now() + COLLECT;
    let mut packet = Vec::new();
    while packet.len() < PACKET {
        match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(message) => packet.push(message),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return (packet, true),
        }
    }
    (packet, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, rev: u32, severity: &str, count: u64) -> Value {
        json!({
            "id": id, "rev": rev, "ts": "2026-03-01T10:00:00.000000Z", "ts_end": "2026-03-01T10:00:01.000000Z",
            "raised": "2026-03-01T10:00:01.000000Z", "detector": "control-from-unusual-source", "title": "a command", "severity": severity,
            "basis": "decoded", "attack": ["T1692.001"], "src": { "ip": "10.1.4.9" }, "dst": { "ip": "10.1.4.20" }, "proto": "modbus",
            "uids": [format!("C{id}")], "packets": [], "why": "because", "evidence": { "observed": "x" }, "count": count,
        })
    }

    struct World {
        dir: tempfile::TempDir,
    }

    impl World {
        fn new() -> World {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("data/sensor/findings")).unwrap();
            let text = format!(
                "[[destination]]\nname = \"lines\"\nkind = \"file\"\nevents = [\"finding\", \"case\"]\npath = {:?}\n",
                dir.path().join("lines")
            );
            std::fs::write(dir.path().join("gw.toml"), text).unwrap();
            World { dir }
        }

        fn start(&self) -> Duty {
            let settings = Settings {
                data: self.dir.path().join("data"),
                config: Some(self.dir.path().join("gw.toml")),
                no_console: true,
                once: true,
                quiet: true,
            };
            Duty::start(settings, Facts::none(), None).unwrap()
        }

        /// As the sensor keeps it before it tells.
        fn keep(&self, finding: &Value) {
            let path =
                self.dir.path().join("data/sensor/findings").join(format!("{}.json", finding["id"].as_str().unwrap()));
            std::fs::write(path, finding.to_string()).unwrap();
        }

        /// What the destination has: id of the finding or case, with its revision.
        fn got(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.dir.path().join("lines")).unwrap_or_default();
            let lines = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
            lines.map(|l| format!("{}-{}", l["id"].as_str().unwrap(), l["rev"])).collect()
        }

        fn office(&self) -> Office {
            Office::open(&self.dir.path().join("data"), None).unwrap()
        }
    }

    fn told(finding: &Value, change: &str) -> Value {
        json!({ "type": "finding", "change": change, "finding": finding })
    }

    #[test]
    fn findings_become_a_case_with_a_proposal_and_go_out_folded() {
        let w = World::new();
        let duty = w.start();
        for (rev, count, change) in [(1, 1, "opened"), (2, 5, "grew"), (3, 12, "grew"), (4, 13, "closed")] {
            // Not kept as well: a desk that opens late would begin with the last revision.
            duty.tell(&told(&finding("aa", rev, "high", count), change));
        }
        duty.end();
        let office = w.office();
        let cases = office.store().unwrap().cases().unwrap();
        assert_eq!((cases.len(), cases[0].findings.len()), (1, 1));
        let got: Vec<String> = w.got().into_iter().filter(|l| l.starts_with("aa")).collect();
        assert_eq!(got, ["aa-1", "aa-3", "aa-4"]);
        assert_eq!(w.got().iter().filter(|l| l.starts_with("case")).count(), 1);
        let runs = office.store().unwrap().runs_for(&cases[0].id).unwrap();
        assert_eq!((runs.len(), runs[0].mode), (1, Mode::Dry));
        let note = cases[0].timeline.iter().find(|e| e.kind == "playbook").unwrap();
        assert!(note.text.contains("a dry run says"), "{}", note.text);
    }

    #[test]
    fn after_a_stop_nothing_is_lost_and_nothing_told_twice() {
        let w = World::new();
        let duty = w.start();
        let first = finding("aa", 1, "high", 1);
        w.keep(&first);
        duty.tell(&told(&first, "opened"));
        duty.end();
        // The platform is killed: the sensor kept a finding and a revision that nobody took.
        w.keep(&finding("aa", 2, "critical", 3));
        w.keep(&finding("bb", 1, "medium", 1));
        w.start().end();
        w.start().end();
        let mut got: Vec<String> = w.got().into_iter().filter(|l| !l.starts_with("case")).collect();
        got.sort();
        assert_eq!(got, ["aa-1", "aa-2", "bb-1"]);
        let cases = w.office().store().unwrap().cases().unwrap();
        assert_eq!(cases.iter().map(|c| c.findings.len()).sum::<usize>(), 2);
    }

    #[test]
    fn a_configuration_that_is_wrong_is_told_before_anything_runs() {
        let w = World::new();
        std::fs::write(w.dir.path().join("gw.toml"), "[[destination]]\nname = \"x\"\nkind = \"pigeon\"\n").unwrap();
        let settings = Settings {
            data: w.dir.path().join("data"),
            config: Some(w.dir.path().join("gw.toml")),
            no_console: true,
            once: true,
            quiet: true,
        };
        let e = Duty::start(settings, Facts::none(), None).err().unwrap().to_string();
        assert!(e.contains("pigeon"), "{e}");
    }
}
