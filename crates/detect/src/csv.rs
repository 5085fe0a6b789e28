//! Comma-separated fields with quotes, RFC 4180 §2, one line at a time.

/// The fields of a line; a quoted field may hold commas and doubled quotes.
pub(crate) fn fields(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let (mut quoted, mut chars) = (false, line.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut out, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => push(&mut out, c),
        }
    }
    out
}

fn push(out: &mut [String], c: char) {
    if let Some(last) = out.last_mut() {
        last.push(c);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_hold_commas() {
        assert_eq!(super::fields(r#"a,"b,""c""",,d"#), ["a", r#"b,"c""#, "", "d"]);
        assert_eq!(super::fields(""), [""]);
    }
}
