//! Text in the page: everything that may come from the wire is escaped, times and counts are written for people.

/// Text made safe for HTML: markup is escaped, control and direction characters stand as escapes.
pub(crate) fn e(text: &str) -> String {
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
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

pub(super) fn time(text: Option<&str>) -> String {
    text.map_or_else(|| "–".to_owned(), |t| t.get(..19).unwrap_or(t).replace('T', " "))
}

/// A moment in a narrow cell: day over time.
pub(super) fn moment(text: &str) -> String {
    time(Some(text)).replacen(' ', "\n", 1)
}

/// A stretch of time in a narrow cell; the day stands once where it is one.
pub(super) fn stretch(from: &str, to: &str) -> String {
    let (a, b) = (time(Some(from)), time(Some(to)));
    match (a.get(..10), b.strip_prefix(a.get(..10).unwrap_or("-"))) {
        (Some(_), Some(clock)) => format!("{}\nto{clock}", moment(from)),
        _ => format!("{}\nto {}", moment(from), moment(to)),
    }
}

pub(super) fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{} times", crate::terminal::number(n)) }
}

/// A device in a table: an IPv4 address stands in one line.
pub(super) fn party_cell(text: &str) -> String {
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    if is_address { format!("<span class=\"m\">{}</span>", e(text)) } else { e(text) }
}

pub(super) fn episodes(n: u64) -> String {
    if n == 1 { "one episode".to_owned() } else { format!("{} episodes", crate::terminal::number(n)) }
}

/// A value with at most three decimals.
pub(crate) fn value(v: f64) -> String {
    let text = format!("{v:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
