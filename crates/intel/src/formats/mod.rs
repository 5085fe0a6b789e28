//! The formats indicators come in, one file each.

pub(crate) mod csv;
pub(crate) mod json;
mod misp;
mod stix;
pub(crate) mod zeek;

use gwcore::Ts;

/// A moment as feeds write it: RFC 3339, `2025-07-05 17:05:46` (UTC), `2025-07-05`, or seconds since 1970.
pub(crate) fn moment(text: &str) -> Option<Ts> {
    let text = text.trim().trim_end_matches(" UTC");
    if let Some(ts) = gwcore::time::parse_rfc3339(text) {
        return Some(ts);
    }
    if text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') {
        return gwcore::time::parse_rfc3339(&format!("{text}T00:00:00Z"));
    }
    if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(|s| Ts::from_parts(s, 0));
    }
    gwcore::time::parse_rfc3339(&format!("{text}Z"))
}

/// What a word or number says of how sure a source is, 0–100.
pub(crate) fn confidence(text: &str) -> Option<u8> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "info" | "informational" | "none" => Some(10),
        "low" => Some(30),
        "medium" | "moderate" => Some(50),
        "high" => Some(75),
        "critical" | "very high" => Some(90),
        n => n.parse::<f64>().ok().filter(|c| (0.0..=100.0).contains(c)).map(|c| c as u8),
    }
}
