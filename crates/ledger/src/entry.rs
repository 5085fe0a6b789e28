//! One entry and its line.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::FORMAT;

/// The hash before the first entry.
pub(crate) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const HASH_KEY: &str = ",\"hash\":\"";

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place in the chain, from 1.
    pub n: u64,
    /// When it was written (RFC 3339, µs, UTC).
    pub at: String,
    /// What kind of thing happened, in dotted lower case (`finding.closed`).
    pub kind: String,
    /// Who did it: a user, `token:NAME`, or `system`.
    pub actor: String,
    /// The rest, as a JSON object.
    pub data: Value,
    /// Hash of the entry before.
    pub prev: String,
    /// Hash of this entry: 64 hexadecimal characters.
    pub hash: String,
}

impl Entry {
    /// Makes an entry and its line (with the line end).
    pub(crate) fn make(n: u64, at: String, kind: &str, actor: &str, data: &Value, prev: &str) -> (Entry, String) {
        let body = json!({ "v": FORMAT, "n": n, "at": at, "kind": kind, "actor": actor, "data": data, "prev": prev });
        let mut line = body.to_string();
        line.pop(); // the closing brace comes back after the hash
        let hash = hex(&Sha256::digest(line.as_bytes()));
        line.push_str(HASH_KEY);
        line.push_str(&hash);
        line.push_str("\"}\n");
        let entry = Entry {
            n,
            at,
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            data: data.clone(),
            prev: prev.to_owned(),
            hash,
        };
        (entry, line)
    }

    /// Reads a line without its line end; the error says what is wrong with it.
    pub(crate) fn read(line: &[u8]) -> Result<Entry, String> {
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        let (body, tail) = text.rsplit_once(HASH_KEY).ok_or("the line has no hash")?;
        let hash = tail.strip_suffix("\"}").filter(|h| h.len() == 64).ok_or("the line does not end with its hash")?;
        let computed = hex(&Sha256::digest(body.as_bytes()));
        if computed != hash {
            return Err(format!("its content does not match its hash (computed {computed})"));
        }
        let value: Value = serde_json::from_str(text).map_err(|e| format!("the line is not JSON: {e}"))?;
        let version = value["v"].as_u64().unwrap_or(0);
        if version > FORMAT {
            return Err(format!("it has format {version}, this version of gridwarden knows {FORMAT}"));
        }
        let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is missing"));
        Ok(Entry {
            n: value["n"].as_u64().ok_or("`n` is missing")?,
            at: text("at")?,
            kind: text("kind")?,
            actor: text("actor")?,
            data: value["data"].clone(),
            prev: text("prev")?,
            hash: hash.to_owned(),
        })
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}
