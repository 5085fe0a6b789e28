//! Times and severities as text in the files of this crate: RFC 3339 with microseconds; the words of findings.

use gwcore::time::parse_rfc3339;
use gwcore::{Severity, Ts};
use serde::{Deserialize, Deserializer, Serializer};

/// A time as RFC 3339 text; for `#[serde(with = "…")]`.
pub mod rfc3339 {
    use super::*;

    /// Writes it with microseconds.
    pub fn serialize<S: Serializer>(ts: &Ts, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(ts)
    }

    /// Reads any RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Ts, D::Error> {
        let text = String::deserialize(d)?;
        parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no RFC 3339 time")))
    }
}

/// The same for a time that may be missing.
pub mod rfc3339_option {
    use super::*;

    /// Writes it with microseconds, or null.
    pub fn serialize<S: Serializer>(ts: &Option<Ts>, s: S) -> Result<S::Ok, S::Error> {
        match ts {
            Some(ts) => s.collect_str(ts),
            None => s.serialize_none(),
        }
    }

    /// Reads any RFC 3339 text, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Ts>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        parse_rfc3339(&text).map(Some).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no RFC 3339 time")))
    }
}

/// A severity by its word.
pub mod severity {
    use super::*;

    /// Writes the word.
    pub fn serialize<S: Serializer>(severity: &Severity, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(severity.name())
    }

    /// Reads the word.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Severity, D::Error> {
        let text = String::deserialize(d)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no severity")))
    }

    /// The severity of a word, none for another word.
    pub fn parse(word: &str) -> Option<Severity> {
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
            .into_iter()
            .find(|s| s.name() == word)
    }
}
