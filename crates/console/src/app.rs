//! What the console holds while it runs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gwcore::Ts;
use serde::Serialize;
use serde_json::{Value, json};
use state::{Db, Store};
use tokio::sync::{broadcast, watch};

use crate::api::imports::ANALYSIS;
use crate::{Config, Error};

/// Reads of one thing by one actor within this time are one entry of the ledger (ns).
const FOLD: i64 = 60 * 1_000_000_000;
/// Reads remembered for folding.
const FOLDED: usize = 10_000;

/// An imported capture.
#[derive(Clone, Debug, Serialize)]
pub struct Import {
    /// Its id.
    pub id: String,
    /// File name as it was given.
    pub name: String,
    /// Who brought it.
    pub by: String,
    /// Bytes.
    pub bytes: u64,
    /// `analysing`, `done` or `failed`.
    pub state: &'static str,
    /// What the analysis said, or why it failed.
    pub message: String,
    /// Findings taken in.
    pub findings: usize,
    /// Hundredths of the capture that were read.
    pub percent: u8,
}

/// What is told to browsers besides findings.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub event: &'static str,
    pub data: Arc<str>,
}

/// Counts for `/metrics`.
#[derive(Default)]
pub(crate) struct Counters {
    pub requests: AtomicU64,
    pub refused: AtomicU64,
    pub messages: AtomicU64,
    pub bad_messages: AtomicU64,
    pub searches: AtomicU64,
    pub searches_failed: AtomicU64,
    pub findings_new: AtomicU64,
    /// Sum of seconds from a finding's `raised` to when it was stored, in ns, live ones only.
    pub delay: AtomicU64,
}

pub(crate) struct App {
    pub config: Config,
    pub address: SocketAddr,
    pub db: Arc<Db>,
    pub ledger: ledger::Ledger,
    pub changes: watch::Sender<i64>,
    pub notices: broadcast::Sender<Notice>,
    pub counters: Counters,
    pub started: Ts,
    pub imports: Mutex<Vec<Import>>,
    /// Newest message of each kind that says how the sensor does: `state` by its own kind.
    pub sensor: Mutex<HashMap<String, Value>>,
    engine: tokio::sync::Mutex<Option<(Ts, Vec<PathBuf>, Arc<query::Engine>)>>,
    setup: Mutex<Option<String>>,
    folded: Mutex<HashMap<String, i64>>,
    pub searches: tokio::sync::Semaphore,
    /// One password is hashed at a time: each takes 19 MB.
    pub hashing: Mutex<()>,
    /// What the lists of known-bad values came to.
    pub known: Mutex<Option<crate::api::intelligence::Known>>,
    /// When the sensor last told anything (ns UTC); 0 for never.
    pub heard: std::sync::atomic::AtomicI64,
}

impl App {
    pub fn open(config: Config, address: SocketAddr) -> Result<Arc<App>, Error> {
        make_private(&config.data)?;
        let db = Db::open(&config.data.join("state.sqlite"))?;
        let ledger = ledger::Ledger::open(&config.data.join("ledger"))?;
        crate::windows::migrate(&db)?;
        respond::store::Store::open(&db)?;
        let started = ledger::now();
        let setup = if db.users()?.is_empty() { Some(state::random_hex(16)?) } else { None };
        let seq = db.findings_since(0, 1)?.first().map_or(0, |f| f.seq);
        let app = App {
            address,
            changes: watch::Sender::new(seq),
            notices: broadcast::Sender::new(256),
            counters: Counters::default(),
            started,
            imports: Mutex::default(),
            sensor: Mutex::default(),
            engine: tokio::sync::Mutex::default(),
            setup: Mutex::new(setup),
            folded: Mutex::default(),
            searches: tokio::sync::Semaphore::new(2),
            hashing: Mutex::default(),
            known: Mutex::default(),
            heard: Default::default(),
            db: Arc::new(db),
            ledger,
            config,
        };
        app.record(
            "centre.started",
            "system",
            &json!({ "version": env!("CARGO_PKG_VERSION"), "address": address.to_string() }),
        )?;
        Ok(Arc::new(app))
    }

    /// Makes the first administrator while there is none.
    pub fn setup_token(&self) -> Option<String> {
        lock(&self.setup).clone()
    }

    /// Whether this is the set-up token.
    pub fn is_setup_token(&self, given: &str) -> bool {
        lock(&self.setup).as_ref().is_some_and(|t| state::fingerprint(t) == state::fingerprint(given))
    }

    /// The set-up token is used up.
    pub fn end_setup(&self) {
        *lock(&self.setup) = None;
    }

    /// Writes to the ledger.
    pub fn record(&self, kind: &str, actor: &str, data: &Value) -> Result<(), ledger::Error> {
        self.ledger.append(kind, actor, data).map(|_| ())
    }

    /// Writes a read to the ledger, unless the same was read by the same actor within a minute.
    pub fn record_read(&self, kind: &str, actor: &str, target: &str) -> Result<(), ledger::Error> {
        let now = ledger::now().0;
        let key = format!("{kind}\0{actor}\0{target}");
        {
            let mut folded = lock(&self.folded);
            if folded.get(&key).is_some_and(|t| now - t < FOLD) {
                return Ok(());
            }
            if folded.len() >= FOLDED {
                folded.retain(|_, t| now - *t < FOLD);
            }
            if folded.len() >= FOLDED {
                folded.clear();
            }
            folded.insert(key, now);
        }
        self.record(kind, actor, &json!({ "target": target }))
    }

    /// Tells those who follow that something changed.
    pub fn changed(&self) {
        if let Ok(seq) =
            self.db.read(|c| Ok(c.query_row("SELECT value FROM counter WHERE name = 'seq'", [], |r| r.get(0))?))
        {
            self.changes.send_replace(seq);
        }
    }

    /// Tells browsers something that they do not have to ask for again.
    pub fn notify(&self, event: &'static str, data: &Value) {
        // Nobody listening is no error.
        let _ = self.notices.send(Notice { event, data: data.to_string().into() });
    }

    /// Places that searches look at: the data folder, the configured ones, and what was imported.
    pub fn places(&self) -> Vec<PathBuf> {
        let mut places = self.config.places.clone();
        if self.config.data.join("lake").is_dir() {
            places.insert(0, self.config.data.clone());
        }
        if let Ok(read) = std::fs::read_dir(self.config.data.join("imports")) {
            // Earlier imports were analysed into their own folder.
            let inside = read.filter_map(|e| Some(e.ok()?.path())).flat_map(|p| [p.join(ANALYSIS), p]);
            places.extend(inside.filter(|p| p.join("records").is_dir()));
        }
        places
    }

    /// The search engine over what lies there now; kept for half a minute.
    pub async fn engine(&self) -> Result<Arc<query::Engine>, query::Error> {
        const KEPT: i64 = 30 * 1_000_000_000;
        let places = self.places();
        let mut held = self.engine.lock().await;
        if let Some((at, of, engine)) = &*held
            && ledger::now().0 - at.0 < KEPT
            && *of == places
        {
            return Ok(Arc::clone(engine));
        }
        let memory = if self.config.search_memory == 0 { 512 << 20 } else { self.config.search_memory };
        let mut engine = query::Engine::open(&places, query::Options { memory, threads: 0 }).await?;
        let (findings, devices) =
            tokio::task::block_in_place(|| self.documents()).map_err(|e| query::Error::Data(e.to_string()))?;
        engine.add_documents("finding", &findings)?;
        engine.add_documents("device", &devices)?;
        let engine = Arc::new(engine);
        *held = Some((ledger::now(), places, Arc::clone(&engine)));
        Ok(engine)
    }

    fn documents(&self) -> Result<(Vec<Value>, Vec<Value>), state::Error> {
        /// Newest findings and devices that searches see.
        const MOST: usize = 20_000;
        let filter = state::Filter { with_suppressed: true, ..state::Filter::default() };
        let (mut findings, mut cursor) = (Vec::new(), None::<String>);
        while findings.len() < MOST {
            let page = self.db.findings(&filter, cursor.as_deref(), 500)?;
            findings.extend(page.items.into_iter().map(|f| f.finding));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let (mut devices, mut cursor) = (Vec::new(), String::new());
        while devices.len() < MOST {
            let (rows, next) = self.db.devices("", &cursor, 1_000)?;
            devices.extend(rows.into_iter().map(|d| d.device));
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        Ok((findings, devices))
    }

    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Locks; a panic elsewhere left these maps whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder that this user alone may read.
pub(crate) fn make_private(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| Error::Io { doing: format!("cannot create `{}`", dir.display()), source })
}
