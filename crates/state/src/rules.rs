//! Suppressions: what is expected here and stays out of the queue, for how long, by whose word; reversible, acting on stored findings too.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Db, Error, Result, Stored, findings, random_hex};

/// Which findings a suppression covers: those that agree in everything that is given. Something besides the detector must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Detector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// What makes two observations the same finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// Device id, IP or MAC address of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
    /// Device id, IP or MAC address of the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<String>,
    /// Protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
}

impl Scope {
    /// Whether a finding's document is covered.
    pub fn covers(&self, finding: &Value) -> bool {
        let is =
            |wanted: &Option<String>, field: &str| wanted.as_deref().is_none_or(|w| finding[field].as_str() == Some(w));
        let end = |wanted: &Option<String>, side: &str| {
            wanted
                .as_deref()
                .is_none_or(|w| ["asset", "ip", "mac"].iter().any(|k| finding[side][*k].as_str() == Some(w)))
        };
        is(&self.detector, "detector")
            && is(&self.dedup_key, "dedup_key")
            && is(&self.proto, "proto")
            && end(&self.src, "src")
            && end(&self.dst, "dst")
    }

    fn is_narrow(&self) -> bool {
        self.dedup_key.is_some() || self.src.is_some() || self.dst.is_some()
    }
}

/// A suppression.
#[derive(Clone, Debug, Serialize)]
pub struct Suppression {
    /// Its id.
    pub id: String,
    /// What it covers.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When (ns UTC).
    pub proposed: i64,
    /// When it ends (ns UTC).
    pub expires: i64,
    /// Who approved it; it acts from then on.
    pub approved_by: Option<String>,
    /// When (ns UTC).
    pub approved: Option<i64>,
    /// Who took it back.
    pub revoked_by: Option<String>,
    /// Findings that it keeps out of the queue now.
    pub count: i64,
}

const COLUMNS: &str = "id, scope, reason, owner, proposed_by, proposed, expires, approved_by, approved, revoked_by,
    (SELECT count(*) FROM finding WHERE suppressed_by = suppression.id)";

fn row(r: &Row<'_>) -> rusqlite::Result<Suppression> {
    let scope: String = r.get(1)?;
    Ok(Suppression {
        id: r.get(0)?,
        // A scope that cannot be read covers nothing.
        scope: serde_json::from_str(&scope).unwrap_or(Scope { dedup_key: Some("\0".to_owned()), ..Scope::default() }),
        reason: r.get(2)?,
        owner: r.get(3)?,
        proposed_by: r.get(4)?,
        proposed: r.get(5)?,
        expires: r.get(6)?,
        approved_by: r.get(7)?,
        approved: r.get(8)?,
        revoked_by: r.get(9)?,
        count: r.get(10)?,
    })
}

fn active(c: &Connection, now: i64) -> Result<Vec<Suppression>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM suppression WHERE approved IS NOT NULL AND revoked IS NULL AND expires > ?1 ORDER BY approved, id"
    );
    let mut statement = c.prepare(&sql)?;
    let rows = statement.query_map([now], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The first active suppression that covers a finding.
pub(crate) fn matching(c: &Connection, finding: &Value, now: i64) -> Result<Option<Suppression>> {
    Ok(active(c, now)?.into_iter().find(|s| s.scope.covers(finding)))
}

/// Stored findings since `since` (ns UTC, last packet) that a scope covers, newest first: what a suppression would have silenced.
pub(crate) fn preview(db: &Db, scope: &Scope, since: i64) -> Result<Vec<Stored>> {
    let mut all = Vec::new();
    let filter = findings::Filter {
        detector: scope.detector.clone(),
        from: Some(since),
        with_suppressed: true,
        ..findings::Filter::default()
    };
    let mut cursor: Option<String> = None;
    loop {
        let page = findings::list(db, &filter, cursor.as_deref(), findings::PAGE)?;
        all.extend(page.items.into_iter().filter(|f| scope.covers(&f.finding)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

pub(crate) fn propose(
    db: &Db,
    scope: &Scope,
    reason: &str,
    owner: &str,
    expires: i64,
    by: &str,
    now: i64,
) -> Result<String> {
    if !scope.is_narrow() {
        return Err(Error::Refused("a suppression names a source, a destination or one finding's key".to_owned()));
    }
    if reason.trim().is_empty() || owner.trim().is_empty() {
        return Err(Error::Refused("a suppression needs a reason and an owner".to_owned()));
    }
    if expires <= now {
        return Err(Error::Refused("a suppression ends in the future".to_owned()));
    }
    let id = random_hex(6)?;
    let scope = serde_json::to_string(scope).map_err(|e| Error::Refused(e.to_string()))?;
    db.write(|tx| {
        tx.execute(
            "INSERT INTO suppression (id, scope, reason, owner, proposed_by, proposed, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![id, scope, reason, owner, by, now, expires],
        )?;
        Ok(())
    })?;
    Ok(id)
}

/// Approves or revokes; stored findings follow. Nobody approves what he proposed. Returns how many findings it covers.
pub(crate) fn decide(db: &Db, id: &str, approve: bool, by: &str, now: i64) -> Result<usize> {
    db.write(|tx| {
        let sql = format!("SELECT {COLUMNS} FROM suppression WHERE id = ?1 AND revoked IS NULL");
        let found = tx.query_row(&sql, [id], row).optional()?;
        let found = found.ok_or_else(|| Error::Missing(format!("suppression `{id}` in force or proposed")))?;
        if !approve {
            tx.execute("UPDATE suppression SET revoked = ?2, revoked_by = ?3 WHERE id = ?1", params![id, now, by])?;
            return release(tx, id);
        }
        if found.proposed_by == by {
            return Err(Error::Refused("nobody approves what they proposed: ask another approver".to_owned()));
        }
        if found.approved.is_some() {
            return Err(Error::Refused("it is approved already".to_owned()));
        }
        tx.execute("UPDATE suppression SET approved = ?2, approved_by = ?3 WHERE id = ?1", params![id, now, by])?;
        let mut statement = tx.prepare("SELECT id, doc FROM finding WHERE suppressed_by IS NULL")?;
        let rows = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
        let mut covered = Vec::new();
        for row in rows {
            let (finding, doc) = row?;
            if serde_json::from_str(&doc).is_ok_and(|d: Value| found.scope.covers(&d)) {
                covered.push(finding);
            }
        }
        for finding in &covered {
            let seq = findings::next_seq(tx)?;
            tx.execute("UPDATE finding SET suppressed_by = ?2, seq = ?3 WHERE id = ?1", params![finding, id, seq])?;
        }
        Ok(covered.len())
    })
}

fn release(tx: &rusqlite::Transaction<'_>, id: &str) -> Result<usize> {
    let mut statement = tx.prepare("SELECT id FROM finding WHERE suppressed_by = ?1")?;
    let ids: Vec<String> = statement.query_map([id], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    for finding in &ids {
        let seq = findings::next_seq(tx)?;
        tx.execute("UPDATE finding SET suppressed_by = NULL, seq = ?2 WHERE id = ?1", params![finding, seq])?;
    }
    Ok(ids.len())
}

/// Lets go of what ended suppressions held back; how many findings came back.
pub(crate) fn expire(db: &Db, now: i64) -> Result<usize> {
    db.write(|tx| {
        let mut statement = tx.prepare(
            "SELECT DISTINCT suppressed_by FROM finding JOIN suppression ON suppression.id = suppressed_by WHERE suppression.expires <= ?1",
        )?;
        let ids: Vec<String> = statement.query_map([now], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
        ids.iter().try_fold(0, |n, id| Ok(n + release(tx, id)?))
    })
}

pub(crate) fn list(db: &Db) -> Result<Vec<Suppression>> {
    db.read(|c| {
        let mut statement = c.prepare(&format!("SELECT {COLUMNS} FROM suppression ORDER BY proposed DESC, id"))?;
        let rows = statement.query_map([], row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
