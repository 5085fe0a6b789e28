//! Cases, runs, actions and holds in the state database, as a module of their own; each change also in the ledger by whoever calls.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use state::sql::{OptionalExtension, params};
use state::{Db, Module};

use crate::action::Action;
use crate::case::Case;
use crate::playbook::Run;

/// Our tables.
pub const MODULE: Module = Module {
    name: "respond",
    migrations: &["
CREATE TABLE respond_case (
    id TEXT PRIMARY KEY, rev INTEGER NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL, owner TEXT,
    occurred INTEGER NOT NULL, ended INTEGER NOT NULL, title TEXT NOT NULL, doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX respond_case_state ON respond_case (state, ended);
CREATE TABLE respond_run (id TEXT PRIMARY KEY, playbook TEXT NOT NULL, case_id TEXT NOT NULL, state TEXT NOT NULL, doc TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE respond_action (id TEXT PRIMARY KEY, state TEXT NOT NULL, expires INTEGER NOT NULL, doc TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE respond_hold (
    case_id TEXT NOT NULL, placed INTEGER NOT NULL, placed_by TEXT NOT NULL, reason TEXT NOT NULL,
    released INTEGER, released_by TEXT, completed TEXT, PRIMARY KEY (case_id, placed)
) STRICT, WITHOUT ROWID;
", "
CREATE TABLE respond_told (
    key TEXT PRIMARY KEY, rev INTEGER NOT NULL, sent INTEGER NOT NULL, severity INTEGER NOT NULL, decade INTEGER NOT NULL,
    state TEXT NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX respond_told_at ON respond_told (at);
CREATE TABLE respond_outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX respond_outbox_destination ON respond_outbox (destination);
CREATE INDEX respond_run_state ON respond_run (state);
"],
};

/// A hold on what belongs to a case: none of it may be deleted before it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The case.
    pub case: String,
    /// When it was placed, ns UTC.
    pub placed: i64,
    /// By whom.
    pub placed_by: String,
    /// Why.
    pub reason: String,
    /// When it was released, ns UTC.
    pub released: Option<i64>,
    /// By whom.
    pub released_by: Option<String>,
    /// Which completed action allowed it.
    pub completed: Option<String>,
}

/// Which cases are wanted; what is none does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Any of these states.
    pub states: Vec<String>,
    /// User name; empty for nobody's.
    pub owner: Option<String>,
    /// Words that stand in the case.
    pub text: Option<String>,
    /// A finding that is part of it.
    pub finding: Option<String>,
}

/// A page of cases, the newest last packet first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The cases.
    pub items: Vec<Case>,
    /// Where the next page begins: time of the last packet (ns UTC) and id; none at the end.
    pub next: Option<(i64, String)>,
    /// How many there are on all pages.
    pub total: i64,
}

fn text(value: &impl Serialize) -> state::Result<String> {
    serde_json::to_string(value).map_err(|e| state::Error::Refused(e.to_string()))
}

fn parsed<T: DeserializeOwned>(docs: Vec<String>) -> state::Result<Vec<T>> {
    docs.iter()
        .map(|d| serde_json::from_str(d).map_err(|e| state::Error::Refused(format!("a kept document: {e}"))))
        .collect()
}

/// Keeps a case within a transaction.
pub(crate) fn keep_case_in(t: &state::sql::Transaction<'_>, case: &Case) -> state::Result<()> {
    let doc = text(case)?;
    let kept: Option<i64> =
        t.query_row("SELECT rev FROM respond_case WHERE id = ?1", [&case.id], |r| r.get(0)).optional()?;
    if kept.is_some_and(|rev| rev >= i64::from(case.rev)) {
        return Err(state::Error::Refused(format!("{} was changed meanwhile: read it again", case.id)));
    }
    t.execute(
        "INSERT OR REPLACE INTO respond_case VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            case.id,
            i64::from(case.rev),
            case.severity.name(),
            case.state.name(),
            case.owner,
            case.occurred.0,
            case.ended.0,
            case.title,
            doc
        ],
    )?;
    Ok(())
}

/// The store of this part.
pub struct Store<'a> {
    db: &'a Db,
}

impl<'a> Store<'a> {
    /// Brings the tables to their newest form.
    pub fn open(db: &'a Db) -> state::Result<Store<'a>> {
        db.migrate(&MODULE)?;
        Ok(Store { db })
    }

    /// Keeps a case; a revision that is not newer than the kept one is refused, so that nobody overwrites what somebody else did meanwhile.
    pub fn keep_case(&self, case: &Case) -> state::Result<()> {
        self.db.write(|t| keep_case_in(t, case))
    }

    /// A case.
    pub fn case(&self, id: &str) -> state::Result<Option<Case>> {
        let docs = self.docs("SELECT doc FROM respond_case WHERE id = ?1", id)?;
        Ok(parsed(docs)?.pop())
    }

    /// All cases, the newest first.
    pub fn cases(&self) -> state::Result<Vec<Case>> {
        parsed(self.docs("SELECT doc FROM respond_case WHERE ?1 = '' ORDER BY ended DESC, id", "")?)
    }

    /// A page of cases after `cursor`, at most `limit`.
    pub fn page(&self, wanted: &Wanted, cursor: Option<&(i64, String)>, limit: usize) -> state::Result<Page> {
        const WHERE: &str = "(?1 = '[]' OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR coalesce(owner, '') = ?2)
            AND (?3 IS NULL OR instr(lower(doc), lower(?3)) > 0)
            AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(doc, '$.findings') AS f WHERE json_extract(f.value, '$.id') = ?4))";
        let states = text(&wanted.states)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (docs, total): (Vec<(i64, String, String)>, i64) = self.db.read(|c| {
            let by = params![states, wanted.owner, wanted.text, wanted.finding];
            let total = c.query_row(&format!("SELECT count(*) FROM respond_case WHERE {WHERE}"), by, |r| r.get(0))?;
            let mut q = c.prepare(&format!(
                "SELECT ended, id, doc FROM respond_case WHERE {WHERE} AND (?5 IS NULL OR (ended, id) < (?5, ?6)) ORDER BY ended DESC, id DESC LIMIT ?7"
            ))?;
            let (at, id) = cursor.map_or((None, None), |(at, id)| (Some(*at), Some(id.as_str())));
            let by = params![states, wanted.owner, wanted.text, wanted.finding, at, id, limit.saturating_add(1)];
            let rows = q.query_map(by, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            Ok((rows.collect::<Result<_, _>>()?, total))
        })?;
        let more = i64::try_from(docs.len()).unwrap_or(i64::MAX) > limit;
        let kept = docs.len() - usize::from(more);
        let next = if more { docs.get(kept.saturating_sub(1)).map(|(at, id, _)| (*at, id.clone())) } else { None };
        let items = parsed(docs.into_iter().take(kept).map(|d| d.2).collect())?;
        Ok(Page { items, next, total })
    }

    /// How many cases there are in each state.
    pub fn counts(&self) -> state::Result<Vec<(String, i64)>> {
        self.db.read(|c| {
            let mut q = c.prepare("SELECT state, count(*) FROM respond_case GROUP BY state ORDER BY state")?;
            let rows = q.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Cases that may still take findings: those that are not over.
    pub fn open_cases(&self) -> state::Result<Vec<Case>> {
        parsed(self.docs(
            "SELECT doc FROM respond_case WHERE state NOT IN ('closed', 'merged') AND ?1 = '' ORDER BY ended, id",
            "",
        )?)
    }

    /// Id and revision of every case.
    pub fn case_revs(&self) -> state::Result<Vec<(String, u32)>> {
        self.db.read(|c| {
            let mut q = c.prepare("SELECT id, rev FROM respond_case ORDER BY id")?;
            let rows = q.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Runs that may go on.
    pub fn open_runs(&self) -> state::Result<Vec<Run>> {
        parsed(self.docs(
            "SELECT doc FROM respond_run WHERE state IN ('running', 'waiting') AND ?1 = '' ORDER BY length(id), id",
            "",
        )?)
    }

    /// Runs for a case.
    pub fn runs_for(&self, case: &str) -> state::Result<Vec<Run>> {
        parsed(self.docs("SELECT doc FROM respond_run WHERE case_id = ?1 ORDER BY length(id), id", case)?)
    }

    /// Actions in force, or begun, whose time is over at `now`.
    pub fn actions_due(&self, now: i64) -> state::Result<u64> {
        self.db.read(|c| {
            let sql = "SELECT count(*) FROM respond_action WHERE state IN ('begun', 'applied') AND expires <= ?1";
            let due: i64 = c.query_row(sql, [now], |r| r.get(0))?;
            Ok(u64::try_from(due).unwrap_or(0))
        })
    }

    /// Keeps a run.
    pub fn keep_run(&self, run: &Run) -> state::Result<()> {
        let (doc, state) = (text(run)?, text(&run.state)?);
        self.db.write(|t| {
            t.execute(
                "INSERT OR REPLACE INTO respond_run VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run.id, run.playbook, run.case, state.trim_matches('"'), doc],
            )?;
            Ok(())
        })
    }

    /// All runs.
    pub fn runs(&self) -> state::Result<Vec<Run>> {
        parsed(self.docs("SELECT doc FROM respond_run WHERE ?1 = '' ORDER BY length(id) DESC, id DESC", "")?)
    }

    /// A run.
    pub fn run(&self, id: &str) -> state::Result<Option<Run>> {
        Ok(parsed(self.docs("SELECT doc FROM respond_run WHERE id = ?1", id)?)?.pop())
    }

    /// Keeps an action.
    pub fn keep_action(&self, action: &Action) -> state::Result<()> {
        let (doc, state) = (text(action)?, text(&action.state)?);
        self.db.write(|t| {
            t.execute(
                "INSERT OR REPLACE INTO respond_action VALUES (?1, ?2, ?3, ?4)",
                params![action.id, state.trim_matches('"'), action.expires.0, doc],
            )?;
            Ok(())
        })
    }

    /// All actions.
    pub fn actions(&self) -> state::Result<Vec<Action>> {
        parsed(self.docs("SELECT doc FROM respond_action WHERE ?1 = '' ORDER BY length(id), id", "")?)
    }

    /// Places a hold, unless the case has one.
    pub fn hold(&self, case: &str, by: &str, reason: &str, now: i64) -> state::Result<()> {
        self.db.write(|t| {
            let there: i64 = t.query_row(
                "SELECT count(*) FROM respond_hold WHERE case_id = ?1 AND released IS NULL",
                [case],
                |r| r.get(0),
            )?;
            if there == 0 {
                t.execute(
                    "INSERT INTO respond_hold (case_id, placed, placed_by, reason) VALUES (?1, ?2, ?3, ?4)",
                    params![case, now, by, reason],
                )?;
            }
            Ok(())
        })
    }

    /// Releases the hold of a case; `completed` says which action is complete.
    pub fn release(&self, case: &str, by: &str, completed: &str, now: i64) -> state::Result<()> {
        if completed.trim().is_empty() {
            return Err(state::Error::Refused(
                "a hold is released for an action that is complete: say which".to_owned(),
            ));
        }
        self.db.write(|t| {
            let n = t.execute(
                "UPDATE respond_hold SET released = ?2, released_by = ?3, completed = ?4 WHERE case_id = ?1 AND released IS NULL",
                params![case, now, by, completed],
            )?;
            if n == 0 { Err(state::Error::Missing(format!("hold on `{case}`"))) } else { Ok(()) }
        })
    }

    /// All holds.
    pub fn holds(&self) -> state::Result<Vec<Hold>> {
        self.db.read(|c| {
            let mut q = c.prepare("SELECT case_id, placed, placed_by, reason, released, released_by, completed FROM respond_hold ORDER BY placed")?;
            let rows = q.query_map([], |r| {
                Ok(Hold {
                    case: r.get(0)?,
                    placed: r.get(1)?,
                    placed_by: r.get(2)?,
                    reason: r.get(3)?,
                    released: r.get(4)?,
                    released_by: r.get(5)?,
                    completed: r.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn db(&self) -> &Db {
        self.db
    }

    fn docs(&self, sql: &str, of: &str) -> state::Result<Vec<String>> {
        self.db.read(|c| {
            let mut q = c.prepare(sql)?;
            let rows = q.query_map([of], |r| r.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Keeps actions in the state database and records them in the ledger.
pub struct Books {
    /// State.
    pub db: std::sync::Arc<Db>,
    /// Ledger.
    pub ledger: std::sync::Arc<ledger::Ledger>,
}

impl crate::action::Journal for Books {
    fn keep(&mut self, action: &Action) -> Result<(), String> {
        Store { db: &self.db }.keep_action(action).map_err(|e| e.to_string())
    }

    fn record(&mut self, kind: &str, actor: &str, data: &Value) -> Result<(), String> {
        self.ledger.append(kind, actor, data).map(|_| ()).map_err(|e| e.to_string())
    }
}
