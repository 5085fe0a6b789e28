//! The desk over a data folder: runs, approvals and actions kept in the state database, every step in the ledger, tickets and messages through
//! the queues of connectors.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use connect::{Config, Kind};
use ledger::Ledger;
use respond::action::blocklist::Blocklist;
use respond::action::gateway::Gateway;
use respond::action::{ActionKind, ActionState, Actions};
use respond::desk::{Desk, Outlet};
use respond::guard::{Guard, NoTouch, Role};
use respond::outbox::Letter;
use respond::playbook::{Engine, Pending, Run};
use respond::store::{Books, Store};
use respond::{Actor, Case, Device};
use serde::Deserialize;
use serde_json::json;
use state::Db;

use crate::{post, queues};

/// The table `[respond]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// File of addresses that firewalls fetch.
    pub blocklist: Option<PathBuf>,
    /// Command that runs `nft` on the gateway, for example `["ssh", "gateway", "nft"]`.
    pub gateway: Option<Vec<String>>,
    /// Addresses of office devices: all others count as the control network.
    pub office: Vec<IpAddr>,
    /// Devices of the approved baseline (`assets.ndjson`): those that speak a utility protocol are never touched.
    pub baseline_devices: Option<PathBuf>,
    /// Whether the running platform proposes a playbook for a new case, and how.
    pub propose: Propose,
    /// Values of playbook variables that hold at this site, by name without the underscores: `minutes = "30"`.
    pub values: std::collections::BTreeMap<String, String>,
    /// Seconds between two looks at what was done to our tickets in other systems (60); 0 for never.
    pub mirror_seconds: Option<u64>,
}

/// How the running platform proposes playbooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propose {
    /// It proposes none.
    Off,
    /// A dry run says in the case what would be done.
    #[default]
    Dry,
    /// A run that waits for the people and approvals that its steps need.
    Live,
}

/// Key of the setting that names the devices of the approved baseline.
const APPROVED: &str = "respond.approved-devices";

/// Everything that responding to a case needs.
pub struct Office {
    /// State.
    pub db: Arc<Db>,
    /// Ledger.
    pub ledger: Arc<Ledger>,
    data: PathBuf,
    config: Config,
    /// The table `[respond]`.
    pub settings: Settings,
}

impl Office {
    /// Opens a data folder with a configuration.
    pub fn open(data: &Path, config: Option<&Path>) -> anyhow::Result<Office> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make `{}`", data.display()))?;
        let db = Db::open(&data.join("state.sqlite"))?;
        let ledger = Ledger::open(&data.join("ledger"))?;
        let text = match config {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?,
        };
        let destinations = Config::parse(&text).map_err(|p| anyhow::anyhow!("the configuration: {}", p.join("; ")))?;
        #[derive(Deserialize)]
        struct Whole {
            #[serde(default)]
            respond: Settings,
        }
        let whole: Whole = toml::from_str(&text).context("the configuration")?;
        let office = Office {
            db: Arc::new(db),
            ledger: Arc::new(ledger),
            data: data.to_owned(),
            config: destinations,
            settings: whole.respond,
        };
        office.store()?;
        Ok(office)
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.data
    }

    /// Destinations of the configuration, and who events say sent them.
    pub fn destinations(&self) -> &Config {
        &self.config
    }

    /// The tables of this part.
    pub fn store(&self) -> anyhow::Result<Store<'_>> {
        Ok(Store::open(&self.db)?)
    }

    /// Writes a line into the ledger.
    pub fn record(&self, kind: &str, actor: &str, data: &serde_json::Value) -> anyhow::Result<()> {
        self.ledger.append(kind, actor, data)?;
        Ok(())
    }

    /// The role of a user who may decide.
    pub fn role(&self, name: &str) -> anyhow::Result<Role> {
        use state::Store as _;
        let users = self.db.users()?;
        let user = users.iter().find(|u| u.name == name && !u.disabled);
        let user = user.with_context(|| format!("there is no user `{name}`, or the user is disabled"))?;
        Ok(match user.role.name() {
            "admin" => Role::Admin,
            "approver" => Role::Approver,
            "analyst" => Role::Analyst,
            _ => Role::Viewer,
        })
    }

    fn kill_file(&self) -> PathBuf {
        self.data.join("kill-switch")
    }

    /// The kill switch, which is a file so that it works where nothing else does.
    pub fn is_killed(&self) -> bool {
        self.kill_file().exists()
    }

    /// Who turned the kill switch on; none while it is off.
    pub fn killed_by(&self) -> Option<String> {
        std::fs::read_to_string(self.kill_file()).ok().map(|t| t.trim().to_owned())
    }

    /// Turns the kill switch on or off.
    pub fn set_killed(&self, on: bool, by: &str) -> anyhow::Result<()> {
        if on {
            std::fs::write(self.kill_file(), format!("{by}\n")).context("cannot write the kill switch")?;
        } else {
            std::fs::remove_file(self.kill_file()).context("the kill switch is off")?;
            self.record("kill-switch", by, &json!({ "on": false }))?;
        }
        Ok(())
    }

    fn no_touch(&self) -> anyhow::Result<NoTouch> {
        use state::Store as _;
        if let Some(path) = &self.settings.baseline_devices {
            return Ok(NoTouch::from_devices(&Device::read_all(path)?));
        }
        let (mut devices, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, next) = self.db.devices("", &cursor, 1_000)?;
            devices.extend(page.into_iter().filter_map(|row| serde_json::from_value::<Device>(row.device).ok()));
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let approved = self.db.setting(APPROVED)?.filter(|a| !a.is_null());
        // While observing, every such asset that was seen.
        let Some(approved) = approved else { return Ok(NoTouch::from_devices(&devices)) };
        let approved: BTreeSet<String> =
            serde_json::from_value(approved).context("the devices of the approved baseline")?;
        devices.retain(|d| d.ips.iter().chain(&d.macs).any(|a| approved.contains(&a.to_lowercase())));
        let mut list = NoTouch::from_devices(&devices);
        for address in approved {
            let ips = address.parse().into_iter().collect();
            let macs = BTreeSet::from([address]);
            let reason = "speaks a utility protocol in the approved baseline".to_owned();
            list.add(respond::guard::Entry { asset: String::new(), ips, macs, reason });
        }
        Ok(list)
    }

    /// Takes over which devices a baseline knows to speak utility protocols: the no-touch list begins with them. Without a baseline it
    /// holds every such device that was seen.
    pub fn approved(&self, baseline: Option<&detect::Baseline>) -> anyhow::Result<()> {
        use state::Store as _;
        // Pairs are told of where utility protocols are spoken.
        let pairs = baseline.map(|b| b.known().pairs);
        let all = |pairs: Vec<detect::Pair>| -> BTreeSet<String> {
            pairs.iter().flat_map(|p| [p.client.to_lowercase(), p.server.to_lowercase()]).collect()
        };
        let value = pairs.map_or(serde_json::Value::Null, |pairs| json!(all(pairs)));
        if self.db.setting(APPROVED)?.unwrap_or_default() != value {
            self.db.set(APPROVED, &value, "gridwarden", respond::clock::now().0)?;
        }
        Ok(())
    }

    /// The desk with its guard and what does things.
    pub fn desk(&self) -> anyhow::Result<Desk> {
        let kept = self.store()?.actions()?;
        let in_force: Vec<_> = kept
            .iter()
            .filter(|a| a.kind == ActionKind::Blocklist && matches!(a.state, ActionState::Begun | ActionState::Applied))
            .map(|a| (a.id.clone(), a.address))
            .collect();
        let guard = Guard { no_touch: self.no_touch()?, killed: self.is_killed() };
        let books = Books { db: self.db.clone(), ledger: self.ledger.clone() };
        let mut actions = Actions::new(guard, Box::new(books), kept);
        if let Some(path) = &self.settings.blocklist {
            actions.install(ActionKind::Blocklist, Box::new(Blocklist::new(path.clone(), in_force)));
        }
        if let Some(command) = &self.settings.gateway {
            actions.install(ActionKind::Gateway, Box::new(Gateway::new(command.clone())));
        }
        let outlet = Post { db: self.db.clone(), ledger: self.ledger.clone(), config: self.config.clone() };
        let office: BTreeSet<IpAddr> = self.settings.office.iter().copied().collect();
        Ok(Desk::new(actions, Box::new(outlet), office, Box::new(respond::clock::now)))
    }

    /// Brings every run as far as it goes, ends what is at its time, delivers what waits; a line for each thing that changed.
    pub fn tick(&self, deliver: std::time::Duration) -> anyhow::Result<Vec<String>> {
        let mut said = {
            let _turn = self.turn()?;
            self.step()?
        };
        // Other systems may be slow; nobody waits for them to decide.
        said.extend(self.deliver(deliver)?);
        Ok(said)
    }

    /// Brings every run as far as it goes and ends what is at its time; whoever calls has the turn.
    pub fn step(&self) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        let mut desk = self.desk()?;
        let now = respond::clock::now();
        let before: Vec<_> = desk.actions.all().map(|a| (a.id.clone(), a.state)).collect();
        for failure in desk.actions.expire(now) {
            said.push(format!("could not be undone: {failure}"));
        }
        for action in desk.actions.all() {
            if before.iter().any(|(id, state)| *id == action.id && *state != action.state) {
                said.push(format!("{}: {}", action.id, action.outcome));
            }
        }
        for mut run in self.store()?.open_runs()? {
            let steps = run.log.len();
            if let Err(e) = self.advance(&mut run, &mut desk) {
                said.push(format!("{}: {e:#}", run.id));
            }
            said.extend(run.log.iter().skip(steps).map(|s| format!("{}: {}: {}", run.id, s.name, s.text)));
        }
        Ok(said)
    }

    /// Delivers what waits, where the running platform does not: its workers hold the queues open.
    fn deliver(&self, within: std::time::Duration) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        for settings in &self.config.destinations {
            let dir = self.data.join("queue").join(&settings.name);
            let queue = match queues::open(&dir) {
                Ok(queue) => queue,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    said.push(format!("{}: the running platform delivers", settings.name));
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            post::hand_on(&self.store()?, &settings.name, &queue)?;
            if queue.counts().0 == 0 {
                continue;
            }
            let mut destination = connect::build(settings, &self.config.sender).map_err(anyhow::Error::msg)?;
            let health = connect::drain(&queue, destination.as_mut(), within, std::time::Duration::from_millis(200))?;
            queues::tell(&dir, health.clone());
            let why = health.fault.map(|(kind, text)| format!("; {kind}: {text}")).unwrap_or_default();
            said.push(format!(
                "{}: sent {}, waiting {}, refused {}{why}",
                settings.name, health.sent, health.queued.0, health.queued.1
            ));
        }
        Ok(said)
    }

    /// Goes on with a run; each new step is in the ledger.
    pub fn advance(&self, run: &mut Run, desk: &mut Desk) -> anyhow::Result<()> {
        let playbook = crate::playbook::load(&run.playbook)?;
        if playbook.modified != run.modified {
            bail!("{}: the playbook was changed since it was proposed: propose it anew", run.id);
        }
        let steps = run.log.len();
        Engine::new(&playbook).advance(run, desk);
        self.store()?.keep_run(run)?;
        for step in run.log.iter().skip(steps) {
            let data = json!({ "run": run.id, "case": run.case, "step": step.name, "ok": step.ok, "text": step.text, "mode": run.mode });
            self.record("playbook-step", "gridwarden", &data)?;
        }
        Ok(())
    }

    /// Takes over what was done to our tickets in other systems: notes, and a closing there as a proposal to close here. Never closes by itself.
    pub fn mirror(&self) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        let store = self.store()?;
        for settings in self.config.destinations.iter().filter(|d| d.events.contains(&Kind::Case)) {
            let mut destination = connect::build(settings, &self.config.sender).map_err(anyhow::Error::msg)?;
            let changes = destination.mirror().map_err(|f| anyhow::anyhow!("{}: {f}", settings.name))?;
            let _turn = self.turn()?;
            for m in changes {
                let Some(mut case) = store.case(&m.case)? else { continue };
                let known = case.tickets.get(&settings.name);
                let now_there = format!("{} {}", m.ticket, m.state);
                if known.is_some_and(|k| *k == now_there) {
                    continue;
                }
                case.tickets.insert(settings.name.clone(), now_there.clone());
                let by = Actor {
                    name: format!("{} at {}", if m.by.is_empty() { "somebody" } else { &m.by }, settings.name),
                    is_person: false,
                };
                let text = format!("ticket {} is {}: {} {}", m.ticket, m.state, m.reason, m.notes);
                case.note(respond::clock::now(), &by, "ticket", text.trim());
                store.keep_case(&case)?;
                self.record(
                    "ticket-mirrored",
                    &settings.name,
                    &json!({ "case": m.case, "ticket": m.ticket, "state": m.state, "reason": m.reason }),
                )?;
                said.push(format!("{}: {}: {now_there}", settings.name, m.case));
            }
        }
        Ok(said)
    }
}

/// What leaves through connectors, from a run.
struct Post {
    db: Arc<Db>,
    ledger: Arc<Ledger>,
    config: Config,
}

impl Post {
    fn case(&self, id: &str) -> Result<Case, String> {
        let store = Store::open(&self.db).map_err(|e| e.to_string())?;
        store.case(id).map_err(|e| e.to_string())?.ok_or_else(|| format!("there is no case `{id}`"))
    }

    fn queue(&self, id: &str, wanted: impl Fn(&connect::DestinationKind) -> bool) -> Result<String, String> {
        let case = self.case(id)?;
        let wants = |d: &&connect::Settings| d.events.contains(&Kind::Case) && wanted(&d.kind);
        let names: Vec<&str> = self.config.destinations.iter().filter(wants).map(|d| d.name.as_str()).collect();
        let letters: Result<Vec<Letter>, _> = names.iter().map(|name| post::of_case(name, &case)).collect();
        let store = Store::open(&self.db).map_err(|e| e.to_string())?;
        store.post(&letters.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        Ok(if names.is_empty() {
            "no destination takes it".to_owned()
        } else {
            format!("queued for {}", names.join(", "))
        })
    }

    fn change(&self, id: &str, kind: &str, text: &str) -> Result<(), String> {
        let mut case = self.case(id)?;
        case.note(respond::clock::now(), &Actor::gridwarden(), kind, text);
        let store = Store::open(&self.db).map_err(|e| e.to_string())?;
        store.keep_case(&case).map_err(|e| e.to_string())?;
        let data = json!({ "case": id, "kind": kind, "text": text });
        self.ledger.append("case-note", "gridwarden", &data).map(|_| ()).map_err(|e| e.to_string())
    }
}

fn is_ticket(kind: &connect::DestinationKind) -> bool {
    matches!(kind, connect::DestinationKind::ServiceNow(_) | connect::DestinationKind::Xsoar(_))
}

impl Outlet for Post {
    fn notify(&mut self, case: &str, text: &str) -> Result<String, String> {
        self.change(case, "note", text)?;
        self.queue(case, |k| !is_ticket(k))
    }

    fn ticket(&mut self, case: &str) -> Result<String, String> {
        self.queue(case, is_ticket)
    }

    fn note(&mut self, case: &str, text: &str) -> Result<String, String> {
        self.change(case, "note", text)?;
        Ok(format!("noted: {text}"))
    }

    fn hold(&mut self, case: &str) -> Result<String, String> {
        let now = respond::clock::now();
        let store = Store::open(&self.db).map_err(|e| e.to_string())?;
        store.hold(case, "gridwarden", "a playbook asked for it", now.0).map_err(|e| e.to_string())?;
        self.ledger.append("hold-placed", "gridwarden", &json!({ "case": case })).map_err(|e| e.to_string())?;
        Ok("the evidence is on hold".to_owned())
    }
}

/// What a run waits for, as a sentence.
pub fn waits(run: &Run) -> String {
    match &run.waiting {
        None => String::new(),
        Some(w) => match &w.pending {
            Pending::Person(text) => format!("asks: {text} (until {})", w.until),
            Pending::Approval(text) => format!("waits for an approval: {text} (until {})", w.until),
            Pending::Pause => format!("pauses until {}", w.until),
        },
    }
}
