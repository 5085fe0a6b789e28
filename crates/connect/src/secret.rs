//! Secrets by reference only: `env:NAME` or `file:/path`. A configuration that holds a secret itself is refused.

use std::fmt;
use std::os::unix::fs::PermissionsExt;

use serde::{Deserialize, Deserializer};

/// Bytes of the longest secret.
const BYTES: u64 = 64 << 10;

/// Where a secret stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Secret, D::Error> {
        let text = String::deserialize(d)?;
        if text.starts_with("env:") || text.starts_with("file:/") {
            Ok(Secret(text))
        } else {
            // The text may be the secret itself: it is not repeated.
            Err(serde::de::Error::custom("a secret stands here as `env:NAME` or `file:/path`, never itself"))
        }
    }
}

impl Secret {
    /// A reference as it stands in a configuration.
    pub fn reference(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    /// Reads it. A file that others than its owner and group may read is refused.
    pub fn read(&self) -> Result<String, String> {
        if let Some(name) = self.0.strip_prefix("env:") {
            return std::env::var(name).map_err(|_| format!("the environment has no `{name}`"));
        }
        let path = self.0.strip_prefix("file:").unwrap_or(&self.0);
        let data = std::fs::metadata(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
        if data.permissions().mode() & 0o007 != 0 {
            return Err(format!("`{path}` can be read by everybody: chmod 600 it"));
        }
        if data.len() > BYTES {
            return Err(format!("`{path}` is no secret: {} bytes", data.len()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read `{path}`: {e}"))?;
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}
