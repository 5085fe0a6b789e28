//! Variables: typed values, and their insertion into text with the escaping that its context needs. Never by plain substitution.

use std::collections::BTreeMap;

/// Values by name.
pub type Values = BTreeMap<String, String>;

/// Characters of the longest value.
const LENGTH: usize = 4_096;

/// Where a value is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Text for people: control characters are shown as such.
    Text,
    /// Inside a JSON string.
    Json,
    /// In the path or query of a request line.
    Path,
}

/// Puts the values of variables in the place of `__name__:value`. An unknown name is an error.
pub fn insert(text: &str, values: &Values, context: Context) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("__") {
        out.push_str(&rest[..at]);
        match reference(&rest[at..]) {
            Some((name, length)) => {
                let value = values.get(name).ok_or_else(|| format!("variable `{name}` has no value"))?;
                out.push_str(&escaped(value, context));
                rest = &rest[at + length..];
            }
            None => {
                out.push_str("__");
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Names that a text refers to.
pub fn names(text: &str) -> Vec<&str> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find("__") {
        match reference(&rest[at..]) {
            Some((name, length)) => {
                out.push(name);
                rest = &rest[at + length..];
            }
            None => rest = &rest[at + 2..],
        }
    }
    out
}

/// `__name__:value` at the start of a text: the name and the length of the whole.
fn reference(text: &str) -> Option<(&str, usize)> {
    let at = text.find("__:value")?;
    let name = &text[..at + 2];
    is_name(name).then_some((name, at + "__:value".len()))
}

/// Whether it is a name as the standard has them: `__`, a letter, then letters, digits, `_` and `-`, `__`.
pub fn is_name(name: &str) -> bool {
    let inner = name.strip_prefix("__").and_then(|n| n.strip_suffix("__"));
    inner.is_some_and(|n| {
        n.len() <= 200
            && n.starts_with(|c: char| c.is_ascii_alphabetic())
            && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

fn escaped(value: &str, context: Context) -> String {
    use std::fmt::Write;
    match context {
        Context::Text => value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Context::Json => {
            let quoted = serde_json::Value::String(value.to_owned()).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Context::Path => value.bytes().fold(String::new(), |mut out, b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                out.push(char::from(b));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{b:02X}");
            }
            out
        }),
    }
}

/// Whether a value is one of its type.
pub fn fits(kind: &str, value: &str) -> bool {
    if value.len() > LENGTH {
        return false;
    }
    let hex = |n: usize| value.len() == n && value.bytes().all(|b| b.is_ascii_hexdigit());
    match kind {
        "bool" => matches!(value, "true" | "false"),
        "integer" | "long" => value.parse::<i64>().is_ok(),
        "float" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "ipv4-addr" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6-addr" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        "mac-addr" => {
            let parts: Vec<&str> = value.split(':').collect();
            parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
        }
        "md5-hash" => hex(32),
        "sha256-hash" => hex(64),
        "hexstring" | "hash" => value.bytes().all(|b| b.is_ascii_hexdigit()),
        "uuid" => value.len() == 36 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
        "dictionary" => serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(value).is_ok(),
        _ => true,
    }
}
