//! Text in the page: everything that may come from the wire is escaped, times and counts are written for people.

/// Text made safe for HTML: markup is escaped, control and direction characters stand as escapes.
pub(super) fn e(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The first `most` characters, with an ellipsis where something is left out.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

pub(super) fn time(text: Option<&str>) -> String {
    text.map_or_else(|| "–".to_owned(), |t| t.get(..19).unwrap_or(t).replace('T', " "))
}

pub(super) fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{} times", crate::terminal::number(n)) }
}

pub(super) fn episodes(n: u64) -> String {
    if n == 1 { "one episode".to_owned() } else { format!("{} episodes", crate::terminal::number(n)) }
}

/// A value with at most three decimals.
pub(super) fn value(v: f64) -> String {
    let text = format!("{v:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
