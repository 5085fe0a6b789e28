//! What a running platform noted of findings and cases, and what waits to be handed to the queues of destinations: one transaction for
//! both, so that a stop at any moment neither forgets a finding nor tells it under two ids.

use gwcore::Severity;
use state::sql::{OptionalExtension, params};

use crate::case::Case;
use crate::store::{Store, keep_case_in};

/// Findings and cases that are remembered; of more, those that changed longest ago are forgotten.
const REMEMBERED: i64 = 200_000;
/// Letters that may wait for queues that take none.
const WAITING: i64 = 500_000;

/// What was taken and told of a finding or case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Revision that was taken in.
    pub rev: u32,
    /// Revision that was told last.
    pub sent: u32,
    /// The gravest severity that was told.
    pub severity: Severity,
    /// Decimal digits of the count that was told, less one.
    pub decade: u32,
    /// State and owner of a case; of a finding the case that holds it, empty for none.
    pub state: String,
}

/// Something that goes to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Place in the order, given by the store.
    pub n: i64,
    /// Name of the destination.
    pub destination: String,
    /// Kind of event.
    pub kind: String,
    /// Our id of this event.
    pub id: String,
    /// What keeps its order: the finding or case.
    pub key: String,
    /// JSON.
    pub body: String,
}

/// What is kept in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Findings and cases by key.
    pub told: Vec<(String, Told)>,
    /// Cases that changed.
    pub cases: Vec<Case>,
    /// What goes out.
    pub letters: Vec<Letter>,
    /// When, ns UTC.
    pub now: i64,
}

impl Store<'_> {
    /// What was taken and told of a finding or case.
    pub fn told(&self, key: &str) -> state::Result<Option<Told>> {
        self.db().read(|c| {
            let row = |r: &state::sql::Row<'_>| {
                Ok(Told {
                    rev: r.get(0)?,
                    sent: r.get(1)?,
                    severity: severity(r.get(2)?),
                    decade: r.get(3)?,
                    state: r.get(4)?,
                })
            };
            let sql = "SELECT rev, sent, severity, decade, state FROM respond_told WHERE key = ?1";
            Ok(c.query_row(sql, [key], row).optional()?)
        })
    }

    /// Keeps a batch, all of it or nothing; refused where somebody changed one of its cases meanwhile, or too much waits.
    pub fn enter(&self, batch: &Batch) -> state::Result<()> {
        self.db().write(|t| {
            for case in &batch.cases {
                keep_case_in(t, case)?;
            }
            for (key, told) in &batch.told {
                t.execute(
                    "INSERT OR REPLACE INTO respond_told VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![key, told.rev, told.sent, told.severity as u8, told.decade, told.state, batch.now],
                )?;
            }
            post_in(t, &batch.letters)
        })
    }

    /// Puts letters out without anything else.
    pub fn post(&self, letters: &[Letter]) -> state::Result<()> {
        self.db().write(|t| post_in(t, letters))
    }

    /// The letters that wait for a destination, oldest first, at most `most`.
    pub fn letters_to(&self, destination: &str, most: usize) -> state::Result<Vec<Letter>> {
        self.db().read(|c| {
            let mut q = c.prepare(
                "SELECT n, destination, kind, id, key, body FROM respond_outbox WHERE destination = ?1 ORDER BY n LIMIT ?2",
            )?;
            let rows = q.query_map(params![destination, i64::try_from(most).unwrap_or(i64::MAX)], |r| {
                Ok(Letter {
                    n: r.get(0)?,
                    destination: r.get(1)?,
                    kind: r.get(2)?,
                    id: r.get(3)?,
                    key: r.get(4)?,
                    body: r.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Letters of a destination that wait.
    pub fn letters_of(&self, destination: &str) -> state::Result<u64> {
        self.db().read(|c| {
            let sql = "SELECT count(*) FROM respond_outbox WHERE destination = ?1";
            let waiting: i64 = c.query_row(sql, [destination], |r| r.get(0))?;
            Ok(u64::try_from(waiting).unwrap_or(0))
        })
    }

    /// The queues have these: they are taken out.
    pub fn handed_on(&self, letters: &[i64]) -> state::Result<()> {
        self.db().write(|t| {
            for n in letters {
                t.execute("DELETE FROM respond_outbox WHERE n = ?1", [n])?;
            }
            Ok(())
        })
    }

    /// Forgets what changed longest ago beyond what is remembered.
    pub fn forget_oldest(&self) -> state::Result<usize> {
        self.db().write(|t| {
            let n: i64 = t.query_row("SELECT count(*) FROM respond_told", [], |r| r.get(0))?;
            let sql = "DELETE FROM respond_told WHERE key IN (SELECT key FROM respond_told ORDER BY at, key LIMIT ?1)";
            Ok(t.execute(sql, [(n - REMEMBERED).max(0)])?)
        })
    }
}

fn post_in(t: &state::sql::Transaction<'_>, letters: &[Letter]) -> state::Result<()> {
    if letters.is_empty() {
        return Ok(());
    }
    let waiting: i64 = t.query_row("SELECT count(*) FROM respond_outbox", [], |r| r.get(0))?;
    if waiting >= WAITING {
        return Err(state::Error::Refused(format!("{waiting} events wait for queues that take none")));
    }
    for l in letters {
        t.execute(
            "INSERT INTO respond_outbox (destination, kind, id, key, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![l.destination, l.kind, l.id, l.key, l.body],
        )?;
    }
    Ok(())
}

fn severity(n: u8) -> Severity {
    [Severity::Info, Severity::Low, Severity::Medium, Severity::High]
        .get(usize::from(n))
        .copied()
        .unwrap_or(Severity::Critical)
}
