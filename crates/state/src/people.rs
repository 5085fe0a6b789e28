//! Users with their roles, sessions, tokens; log-in with lock-out.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::secret::{fingerprint, hash_password, is_password, random_hex};
use crate::{Db, Error, Result};

/// Failed log-ins in a row after which a user is locked out.
const TRIES: i64 = 5;
/// For how long (ns), doubled with each further failure up to a day.
const LOCKED: i64 = 60 * 1_000_000_000;
const LONGEST_LOCK: i64 = 86_400 * 1_000_000_000;
/// A session ends after this long without use (ns), and after `SESSION_AT_MOST` in any case.
const SESSION_IDLE: i64 = 12 * 3_600 * 1_000_000_000;
const SESSION_AT_MOST: i64 = 7 * 86_400 * 1_000_000_000;

/// What somebody may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Decides about findings, proposes.
    Analyst,
    /// Approves what others proposed.
    Approver,
    /// Manages users, tokens and settings.
    Admin,
}

impl Role {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }

    /// From its word.
    pub fn of(word: &str) -> Option<Role> {
        [Role::Viewer, Role::Analyst, Role::Approver, Role::Admin].into_iter().find(|r| r.name() == word)
    }
}

/// A user as others may see him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Log-in name.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// When he was made (ns UTC).
    pub created: i64,
    /// By whom.
    pub created_by: String,
    /// Whether he may log in.
    pub disabled: bool,
    /// Locked out until then (ns UTC), 0 for not.
    pub locked_until: i64,
    /// Last log-in (ns UTC).
    pub last_login: Option<i64>,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Who: a user's name, or `token:NAME`.
    pub actor: String,
    /// What he may do now.
    pub role: Role,
    /// When it ends (ns UTC).
    pub expires: i64,
}

/// A token as others may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id, for revoking; not secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made (ns UTC).
    pub created: i64,
    /// By whom.
    pub created_by: String,
    /// When it ends (ns UTC).
    pub expires: i64,
    /// Last use (ns UTC).
    pub used: Option<i64>,
    /// When it was revoked (ns UTC).
    pub revoked: Option<i64>,
}

/// What came of a log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The secret of the new session.
    Ok(String),
    /// Name or password is wrong, or the user is disabled: which is not told.
    Wrong,
    /// Locked out until then (ns UTC).
    Locked(i64),
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b))
}

pub(crate) fn add(db: &Db, name: &str, role: Role, password: &str, by: &str, now: i64) -> Result<()> {
    if !is_name(name) {
        return Err(Error::Refused("a user name has 1 to 64 letters, digits, `.`, `_`, `-` or `@`".to_owned()));
    }
    let hash = hash_password(password)?;
    db.write(|tx| {
        let n = tx.execute(
            "INSERT INTO user (name, role, password, created, created_by) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            params![name, role.name(), hash, now, by],
        )?;
        if n == 0 { Err(Error::Refused(format!("there is a user `{name}` already"))) } else { Ok(()) }
    })
}

fn role_at(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Role> {
    let word: String = r.get(at)?;
    Ok(Role::of(&word).unwrap_or(Role::Viewer))
}

pub(crate) fn list(db: &Db) -> Result<Vec<User>> {
    db.read(|c| {
        let mut statement = c.prepare(
            "SELECT name, role, created, created_by, disabled, locked_until, last_login FROM user ORDER BY name",
        )?;
        let rows = statement.query_map([], |r| {
            Ok(User {
                name: r.get(0)?,
                role: role_at(r, 1)?,
                created: r.get(2)?,
                created_by: r.get(3)?,
                disabled: r.get(4)?,
                locked_until: r.get(5)?,
                last_login: r.get(6)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// Changes what is given; a changed password, role or state ends the user's sessions. The last admin stays one.
pub(crate) fn change(
    db: &Db,
    name: &str,
    role: Option<Role>,
    password: Option<&str>,
    disabled: Option<bool>,
) -> Result<()> {
    let hash = password.map(hash_password).transpose()?;
    db.write(|tx| {
        let n = tx.execute(
            "UPDATE user SET role = coalesce(?2, role), password = coalesce(?3, password), disabled = coalesce(?4, disabled),
                 failed = 0, locked_until = 0 WHERE name = ?1",
            params![name, role.map(Role::name), hash, disabled],
        )?;
        if n == 0 {
            return Err(Error::Missing(format!("user `{name}`")));
        }
        let admins: i64 =
            tx.query_row("SELECT count(*) FROM user WHERE role = 'admin' AND disabled = 0", [], |r| r.get(0))?;
        if admins == 0 {
            return Err(Error::Refused("one admin must stay".to_owned()));
        }
        tx.execute("DELETE FROM session WHERE user = ?1", [name])?;
        Ok(())
    })
}

pub(crate) fn login(db: &Db, name: &str, password: &str, now: i64) -> Result<Login> {
    let found: Option<(String, i64, i64, bool)> = db.read(|c| {
        let row =
            c.query_row("SELECT password, failed, locked_until, disabled FROM user WHERE name = ?1", [name], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            });
        Ok(row.optional()?)
    })?;
    let Some((hash, failed, locked_until, disabled)) = found else {
        // As slow as for a user that exists, so that names cannot be told by the time it takes.
        let _ = hash_password("a password that nobody has");
        return Ok(Login::Wrong);
    };
    if locked_until > now {
        return Ok(Login::Locked(locked_until));
    }
    if disabled || !is_password(password, &hash) {
        let failed = failed + 1;
        let lock = if failed < TRIES {
            0
        } else {
            now + LOCKED.saturating_mul(1 << (failed - TRIES).min(12)).min(LONGEST_LOCK)
        };
        db.write(|tx| {
            tx.execute("UPDATE user SET failed = ?2, locked_until = ?3 WHERE name = ?1", params![name, failed, lock])?;
            Ok(())
        })?;
        return Ok(if lock > 0 { Login::Locked(lock) } else { Login::Wrong });
    }
    let secret = random_hex(32)?;
    db.write(|tx| {
        tx.execute(
            "UPDATE user SET failed = 0, locked_until = 0, last_login = ?2 WHERE name = ?1",
            params![name, now],
        )?;
        tx.execute("DELETE FROM session WHERE expires < ?1 OR seen < ?2", [now, now - SESSION_IDLE])?;
        tx.execute(
            "INSERT INTO session VALUES (?1, ?2, ?3, ?3, ?4)",
            params![fingerprint(&secret), name, now, now + SESSION_AT_MOST],
        )?;
        Ok(())
    })?;
    Ok(Login::Ok(secret))
}

pub(crate) fn session(db: &Db, secret: &str, now: i64) -> Result<Option<Session>> {
    let hash = fingerprint(secret);
    let found: Option<(Session, i64)> = db.read(|c| {
        let row = c.query_row(
            "SELECT user.name, user.role, session.expires, session.seen FROM session JOIN user ON user.name = session.user
             WHERE session.hash = ?1 AND session.expires > ?2 AND session.seen > ?3 AND user.disabled = 0",
            params![hash, now, now - SESSION_IDLE],
            |r| Ok((Session { actor: r.get(0)?, role: role_at(r, 1)?, expires: r.get(2)? }, r.get(3)?)),
        );
        Ok(row.optional()?)
    })?;
    let Some((session, seen)) = found else { return Ok(None) };
    if now - seen > LOCKED {
        db.write(|tx| Ok(tx.execute("UPDATE session SET seen = ?2 WHERE hash = ?1", params![hash, now])?))?;
    }
    Ok(Some(session))
}

pub(crate) fn logout(db: &Db, secret: &str) -> Result<()> {
    db.write(|tx| Ok(tx.execute("DELETE FROM session WHERE hash = ?1", [fingerprint(secret)]).map(|_| ())?))
}

/// Makes a token; the secret is returned once and kept only as a hash.
pub(crate) fn add_token(db: &Db, name: &str, role: Role, expires: i64, by: &str, now: i64) -> Result<(String, String)> {
    if !is_name(name) {
        return Err(Error::Refused("a token's name has 1 to 64 letters, digits, `.`, `_`, `-` or `@`".to_owned()));
    }
    let (id, secret) = (random_hex(6)?, format!("gw_{}", random_hex(24)?));
    db.write(|tx| {
        tx.execute(
            "INSERT INTO token (id, hash, name, role, created, created_by, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![id, fingerprint(&secret), name, role.name(), now, by, expires],
        )?;
        Ok(())
    })?;
    Ok((id, secret))
}

pub(crate) fn tokens(db: &Db) -> Result<Vec<Token>> {
    db.read(|c| {
        let mut statement = c.prepare(
            "SELECT id, name, role, created, created_by, expires, used, revoked FROM token ORDER BY created DESC, id",
        )?;
        let rows = statement.query_map([], |r| {
            Ok(Token {
                id: r.get(0)?,
                name: r.get(1)?,
                role: role_at(r, 2)?,
                created: r.get(3)?,
                created_by: r.get(4)?,
                expires: r.get(5)?,
                used: r.get(6)?,
                revoked: r.get(7)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

pub(crate) fn token(db: &Db, secret: &str, now: i64) -> Result<Option<Session>> {
    let hash = fingerprint(secret);
    let found: Option<(Session, Option<i64>)> = db.read(|c| {
        let row = c.query_row(
            "SELECT name, role, expires, used FROM token WHERE hash = ?1 AND expires > ?2 AND revoked IS NULL",
            params![hash, now],
            |r| {
                let name: String = r.get(0)?;
                Ok((Session { actor: format!("token:{name}"), role: role_at(r, 1)?, expires: r.get(2)? }, r.get(3)?))
            },
        );
        Ok(row.optional()?)
    })?;
    let Some((session, used)) = found else { return Ok(None) };
    if used.is_none_or(|u| now - u > LOCKED) {
        db.write(|tx| Ok(tx.execute("UPDATE token SET used = ?2 WHERE hash = ?1", params![hash, now])?))?;
    }
    Ok(Some(session))
}

pub(crate) fn revoke_token(db: &Db, id: &str, now: i64) -> Result<()> {
    let n = db.write(|tx| {
        Ok(tx.execute("UPDATE token SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL", params![id, now])?)
    })?;
    if n == 0 { Err(Error::Missing(format!("token `{id}`"))) } else { Ok(()) }
}
