//! The file: opening, versions, migrations with a backup before each, and access by one connection.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{Error, Result, schema};

/// "GRID" as SQLite's application id: tells our files from others'.
const APPLICATION: i64 = 0x4752_4944;
/// How long a write of another process is waited for.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// The tables of one part of the program and how they came to be.
#[derive(Debug)]
pub struct Module {
    /// Its name; its tables begin with it, except for the centre's own.
    pub name: &'static str,
    /// SQL that leads from one version to the next: the first makes version 1. What was released is never changed, only followed.
    pub migrations: &'static [&'static str],
}

/// The store.
pub struct Db {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Db {
    /// Opens or creates the file with the centre's own tables. Only its owner may read it.
    pub fn open(path: &Path) -> Result<Db> {
        let io = |doing, source| Error::Io { doing, path: path.display().to_string(), source };
        let is_new = !path.exists() || path.metadata().map_err(|e| io("read", e))?.len() == 0;
        if is_new {
            let mut options = std::fs::OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path).map_err(|e| io("create", e))?;
        }
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        let application: i64 = connection.query_row("PRAGMA application_id", [], |r| r.get(0))?;
        if application != APPLICATION {
            let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
            if tables > 0 {
                return Err(Error::Foreign(path.display().to_string()));
            }
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS module (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        )?;
        let db = Db { path: path.to_owned(), connection: Mutex::new(connection) };
        db.migrate(&schema::CENTRE)?;
        Ok(db)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings a module's tables to its newest version, all steps or none. Before a module that is there already is changed, the file is copied
    /// to `state.sqlite.before-MODULE-VERSION`. A newer version than ours is refused.
    pub fn migrate(&self, module: &Module) -> Result<()> {
        let known = module.migrations.len() as i64;
        let mut connection = self.connection();
        let found = version(&connection, module.name)?;
        if found > known {
            return Err(Error::Newer {
                path: self.path.display().to_string(),
                module: module.name.to_owned(),
                found,
                known,
            });
        }
        if found == known {
            return Ok(());
        }
        if found > 0 {
            let name = format!("{}.before-{}-{known}", self.path.display(), module.name);
            if !Path::new(&name).exists() {
                connection.execute("VACUUM INTO ?1", [name])?;
            }
        }
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        let from = usize::try_from(version(&tx, module.name)?).unwrap_or(0);
        for step in module.migrations.iter().skip(from) {
            tx.execute_batch(step)?;
        }
        tx.execute(
            "INSERT INTO module (name, version) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET version = ?2",
            params![module.name, known],
        )?;
        tx.commit()?;
        Ok(())
    }

    /// Reads.
    pub fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        f(&self.connection())
    }

    /// Writes in one transaction: on the disk when this returns, undone when `f` fails.
    pub fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = f(&tx)?;
        tx.commit()?;
        Ok(value)
    }

    /// Copies the whole store as it is now into a new file.
    pub fn backup(&self, to: &Path) -> Result<()> {
        self.connection().execute("VACUUM INTO ?1", [to.display().to_string()])?;
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(connection: &Connection, module: &str) -> Result<i64> {
    let found =
        connection.query_row("SELECT version FROM module WHERE name = ?1", [module], |r| r.get(0)).optional()?;
    Ok(found.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Module = Module { name: "pump", migrations: &["CREATE TABLE pump (id INTEGER)"] };
    const TWO: Module = Module {
        name: "pump",
        migrations: &["CREATE TABLE pump (id INTEGER)", "ALTER TABLE pump ADD COLUMN name TEXT"],
    };

    #[test]
    fn modules_grow_with_a_backup_and_newer_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let db = Db::open(&path).unwrap();
        db.migrate(&ONE).unwrap();
        db.write(|tx| Ok(tx.execute("INSERT INTO pump VALUES (1)", [])?)).unwrap();
        db.migrate(&TWO).unwrap();
        db.migrate(&TWO).unwrap();
        let backup = dir.path().join("state.sqlite.before-pump-2");
        let old: i64 = Connection::open(&backup).unwrap().query_row("SELECT id FROM pump", [], |r| r.get(0)).unwrap();
        assert_eq!(old, 1);
        drop(db);
        let db = Db::open(&path).unwrap();
        let refusal = db.migrate(&ONE).unwrap_err().to_string();
        assert!(refusal.contains("format 2") && !refusal.contains('\n'), "{refusal}");
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        const BAD: Module =
            Module { name: "pump", migrations: &["CREATE TABLE pump (id INTEGER)", "CREATE TABLE pump (id INTEGER)"] };
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
        assert!(db.migrate(&BAD).is_err());
        db.migrate(&ONE).unwrap();
    }

    #[test]
    fn the_file_is_private_durable_and_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let db = Db::open(&path).unwrap();
        let pragma = |name: &str| -> String {
            db.read(|c| {
                Ok(c.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, rusqlite::types::Value>(0))
                    .map(|v| format!("{v:?}"))?)
            })
            .unwrap()
        };
        assert_eq!(pragma("synchronous"), "Integer(2)", "FULL");
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);
        let other = dir.path().join("other.sqlite");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
        assert!(matches!(Db::open(&other), Err(Error::Foreign(_))));
    }
}
