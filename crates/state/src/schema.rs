//! The centre's own tables, version by version. Times are nanoseconds UTC since 1970; documents are JSON as they came.

use crate::Module;

/// The centre's tables.
pub const CENTRE: Module = Module { name: "centre", migrations: &[V1] };

const V1: &str = "
CREATE TABLE finding (
    id TEXT PRIMARY KEY,
    rev INTEGER NOT NULL,
    seq INTEGER NOT NULL,              -- of its last change, for those who follow changes
    ts INTEGER NOT NULL,
    ts_end INTEGER NOT NULL,
    detected INTEGER NOT NULL,         -- when it was first stored
    detector TEXT NOT NULL,
    title TEXT NOT NULL,
    severity INTEGER NOT NULL,         -- 0 info to 4 critical
    src TEXT NOT NULL,                 -- device id, else address, else empty
    dst TEXT NOT NULL,
    source TEXT NOT NULL,              -- 'live', or the name of an import
    ended INTEGER NOT NULL DEFAULT 0,  -- the sensor closed it: it takes in no more repeats
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'closed')),
    verdict TEXT,                      -- of a closed one
    reason TEXT,
    assignee TEXT,
    closed_rev INTEGER,                -- revision that was closed
    suppressed_by TEXT,                -- suppression that keeps it out of the queue
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_seq ON finding (seq);
CREATE INDEX finding_ts ON finding (ts_end DESC, id);
CREATE INDEX finding_severity ON finding (severity DESC, ts_end DESC, id);
CREATE INDEX finding_src ON finding (src);
CREATE INDEX finding_dst ON finding (dst);
CREATE TABLE finding_revision (
    id TEXT NOT NULL, rev INTEGER NOT NULL, stored INTEGER NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (id, rev)
) STRICT, WITHOUT ROWID;
CREATE TABLE triage (
    n INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,            -- one decision about several findings
    finding TEXT NOT NULL REFERENCES finding (id),
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,              -- JSON
    before TEXT NOT NULL,              -- JSON: what undo restores
    undone_by TEXT
) STRICT;
CREATE INDEX triage_finding ON triage (finding);
CREATE INDEX triage_batch ON triage (batch);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('seq', 0);
CREATE TABLE device (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    first_seen TEXT NOT NULL,
    last_seen TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    source TEXT NOT NULL,
    owner TEXT,
    criticality TEXT CHECK (criticality IN ('low', 'medium', 'high', 'critical')),
    notes TEXT,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE user (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER NOT NULL DEFAULT 0,
    disabled INTEGER NOT NULL DEFAULT 0,
    last_login INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    hash TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE token (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE search (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, sql TEXT NOT NULL, owner TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE suppression (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    approved_by TEXT,
    approved INTEGER,
    revoked_by TEXT,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE minute (
    interface TEXT NOT NULL,
    ts INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (interface, ts)
) STRICT, WITHOUT ROWID;
CREATE TABLE gap (
    n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, cause TEXT NOT NULL, doc TEXT NOT NULL, acknowledged_by TEXT
) STRICT;
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL, changed INTEGER NOT NULL, by TEXT NOT NULL) STRICT, WITHOUT ROWID;
";
