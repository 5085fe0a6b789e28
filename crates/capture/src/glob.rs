//! Patterns in paths, for shells that leave them alone: `*`, `?` and `[a-z]` within one component.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Whether a path holds a pattern.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// The paths that match, in the order of their bytes. A name that begins with a dot is matched only by a dot.
pub(crate) fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        found = match component {
            Component::Normal(name) if is_pattern(Path::new(name)) => {
                found.iter().flat_map(|folder| matching(folder, name.as_encoded_bytes())).collect()
            }
            _ => found.into_iter().map(|path| path.join(component)).collect(),
        };
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort_unstable_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    found
}

fn matching(folder: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names
        .filter(|name| {
            let bytes = name.as_encoded_bytes();
            (!bytes.starts_with(b".") || pattern.starts_with(b".")) && matches(pattern, bytes)
        })
        .map(|name| folder.join(name))
        .collect()
}

/// Matches one component. Only the last star is ever gone back to, so the cost is at most the product of the two lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match one(pattern.get(p..).unwrap_or_default(), name.get(n).copied()) {
            One::Star => {
                star = Some((p + 1, n));
                p += 1;
            }
            One::Yes(len) => {
                p += len;
                n += 1;
            }
            One::No => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                p = after;
                n = from + 1;
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
}

enum One {
    Star,
    /// The byte matches an element of the pattern of this length.
    Yes(usize),
    No,
}

fn one(pattern: &[u8], byte: Option<u8>) -> One {
    let Some(byte) = byte else { return One::No };
    match pattern {
        [b'*', ..] => One::Star,
        [b'?', ..] => One::Yes(1),
        [b'[', rest @ ..] => set(rest, byte).unwrap_or(if byte == b'[' { One::Yes(1) } else { One::No }),
        [literal, ..] if *literal == byte => One::Yes(1),
        _ => One::No,
    }
}

/// A set without its opening bracket; none if it is never closed (it is a plain bracket then).
fn set(rest: &[u8], byte: u8) -> Option<One> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let members = rest.get(usize::from(negated)..)?;
    // A closing bracket in the first place is a member.
    let end = members.iter().skip(1).position(|b| *b == b']')? + 1;
    let mut left = members.get(..end)?;
    let mut hit = false;
    while let [first, ..] = left {
        let (range, after) = match left {
            [low, b'-', high, after @ ..] => (*low..=*high, after),
            [_, after @ ..] => (*first..=*first, after),
            [] => break,
        };
        hit |= range.contains(&byte);
        left = after;
    }
    let len = 1 + usize::from(negated) + end + 1;
    Some(if hit != negated { One::Yes(len) } else { One::No })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expect: bool) {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
    }

    #[test]
    fn components() {
        check("*", "", true);
        check("*.pcap", "a.pcap", true);
        check("*.pcap", "a.pcapng", false);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
        check("?.pcap", "a.pcap", true);
        check("?.pcap", ".pcap", false);
        check("day[0-3].pcap", "day2.pcap", true);
        check("day[0-3].pcap", "day4.pcap", false);
        check("day[!0-3]", "day4", true);
        check("day[!0-3]", "day3", false);
        check("[]]", "]", true);
        check("[-a]", "-", true);
        check("a[", "a[", true);
        check("a[", "ab", false);
        check("", "", true);
        check("", "a", false);
    }

    #[test]
    fn many_stars_are_not_exponential() {
        check(&"a*".repeat(60), &("a".repeat(200) + "b"), true);
        check(&("a*".repeat(60) + "c"), &"a".repeat(250), false);
    }
}
