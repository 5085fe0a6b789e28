//! Patterns: what is read, what is refused with its place, and what satisfies what.

use super::eval::Seen;
use super::*;

fn observed(values: &[(&'static str, &'static str, &'static str)]) -> Observed<'static> {
    let mut o = Observed::default();
    for (object, path, value) in values {
        let value = match value.parse::<i64>() {
            Ok(n) => Seen::Int(n),
            Err(_) => Seen::Text(value),
        };
        o.push(object, 0, path, value);
    }
    o
}

fn conn(dst: &'static str, port: &'static str) -> Observed<'static> {
    observed(&[
        ("ipv4-addr", "value", dst),
        ("network-traffic", "dst_ref.value", dst),
        ("network-traffic", "dst_port", port),
    ])
}

fn met(pattern: &str, seen: &Observed<'_>) -> bool {
    let p = parse(pattern).unwrap();
    State::new(&p).see(&p, Ts(0), seen)
}

/// Feeds observations at seconds and returns those that complete the pattern.
fn run(pattern: &str, feed: &[(i64, &'static str)]) -> Vec<i64> {
    let p = parse(pattern).unwrap();
    let mut state = State::new(&p);
    feed.iter()
        .filter(|(at, dst)| state.see(&p, Ts::from_parts(*at, 0), &conn(dst, "443")))
        .map(|(at, _)| *at)
        .collect()
}

#[test]
fn comparisons() {
    let o = conn("192.0.2.7", "443");
    for (pattern, expect) in [
        ("[ipv4-addr:value = '192.0.2.7']", true),
        ("[ipv4-addr:value != '192.0.2.7']", false),
        ("[ipv4-addr:value NOT = '192.0.2.8']", true),
        ("[ipv4-addr:value NOT IN ('192.0.2.8', '192.0.2.7')]", false),
        ("[ipv4-addr:value IN ('192.0.2.8', '192.0.2.7')]", true),
        ("[ipv4-addr:value LIKE '192.0.%']", true),
        ("[ipv4-addr:value NOT LIKE '192.0.%']", false),
        ("[ipv4-addr:value LIKE '192.0.2._']", true),
        ("[ipv4-addr:value MATCHES '^192\\\\.0\\\\.']", true),
        ("[ipv4-addr:value ISSUBSET '192.0.2.0/24']", true),
        ("[ipv4-addr:value NOT ISSUBSET '192.0.2.0/24']", false),
        ("[ipv4-addr:value ISSUPERSET '192.0.2.7/32']", true),
        ("[network-traffic:dst_port > 442 AND network-traffic:dst_port <= 443]", true),
        ("[network-traffic:dst_port < 443]", false),
        ("[network-traffic:dst_ref.value = '192.0.2.7' AND network-traffic:dst_port = 80]", false),
        ("[network-traffic:dst_port = 80 OR ipv4-addr:value = '192.0.2.7']", true),
        (
            "[(network-traffic:dst_port = 80 OR network-traffic:dst_port = 443) AND network-traffic:dst_ref.value = '192.0.2.7']",
            true,
        ),
        ("[EXISTS network-traffic:dst_port]", true),
        ("[EXISTS network-traffic:src_port]", false),
        ("[network-traffic:src_port NOT = 5]", false),
    ] {
        assert_eq!(met(pattern, &o), expect, "{pattern}");
    }
}

#[test]
fn observations_in_time() {
    let (a, b) = ("192.0.2.1", "192.0.2.2");
    let is = |x: &str| format!("[ipv4-addr:value = '{x}']");
    let (pa, pb) = (is(a), is(b));
    assert_eq!(run(&format!("{pa} AND {pb}"), &[(1, b), (2, a), (3, "192.0.2.3"), (4, b)]), [2, 4]);
    assert_eq!(run(&format!("{pa} FOLLOWEDBY {pb}"), &[(1, b), (2, a), (3, b)]), [3]);
    assert_eq!(run(&format!("({pa} FOLLOWEDBY {pb}) WITHIN 5 SECONDS"), &[(1, a), (9, b), (10, a), (12, b)]), [12]);
    assert_eq!(run(&format!("{pa} REPEATS 3 TIMES"), &[(1, a), (2, a), (3, b), (4, a)]), [4]);
    assert_eq!(run(&format!("{pa} REPEATS 2 TIMES WITHIN 2 SECONDS"), &[(1, a), (9, a), (10, a)]), [10]);
    assert_eq!(run(&format!("{pa} OR {pb}"), &[(1, b), (2, "192.0.2.3")]), [1]);
    let dated = format!("{pa} START t'1970-01-01T00:00:02Z' STOP t'1970-01-01T00:00:04Z'");
    assert_eq!(run(&dated, &[(1, a), (2, a), (4, a)]), [2]);
    // The same observation does not count for both sides.
    assert_eq!(run(&format!("{pa} AND {pa}"), &[(1, a), (2, a)]), [2]);
}

#[test]
fn a_pattern_of_values_becomes_values() {
    let values = |text: &str| {
        let mut reasons = Vec::new();
        match reduce(parse(text).unwrap(), &mut reasons) {
            Use::Values(v) => {
                (v.iter().map(|(k, t)| format!("{} {t}", k.name())).collect::<Vec<_>>().join(","), reasons.len())
            }
            Use::Evaluate(_) => ("evaluate".into(), reasons.len()),
            Use::Nothing => ("nothing".into(), reasons.len()),
        }
    };
    assert_eq!(
        values("[domain-name:value = 'a.b' OR ipv4-addr:value = '1.2.3.4']"),
        ("domain a.b,address 1.2.3.4".into(), 0)
    );
    assert_eq!(
        values("[ipv4-addr:value ISSUBSET '1.2.3.0/24'] OR [url:value IN ('http://a.b/')]"),
        ("network 1.2.3.0/24,url http://a.b/".into(), 0)
    );
    assert_eq!(values("[file:hashes.'SHA-256' = 'ab' AND file:name = 'x']"), ("nothing".into(), 1));
    assert_eq!(values("[file:hashes.md5 = 'ab' OR file:name = 'x']"), ("md5 ab".into(), 1));
    assert_eq!(values("[file:hashes.MD5 = 'ab'] FOLLOWEDBY [process:name = 'x']"), ("nothing".into(), 1));
    assert_eq!(values("[domain-name:value LIKE '%.bad.example']"), ("evaluate".into(), 0));
    assert_eq!(values("[ipv4-addr:value NOT = '1.2.3.4']"), ("evaluate".into(), 0));
}

#[test]
fn what_is_no_pattern_is_refused_with_its_place() {
    for (text, at) in [
        ("ipv4-addr:value = '1.2.3.4'", 1),
        ("[ipv4-addr:value = '1.2.3.4'", 29),
        ("[ipv4-addr:value '1.2.3.4']", 18),
        ("[ipv4-addr:value = '1.2.3.4]", 20),
        ("[ipv4-addr:value MATCHES '(']", 29),
        ("[a:b = 1] WITHIN -1 SECONDS", 21),
        ("[a:b = 1] START t'2020-01-01T00:00:00Z' STOP t'2019-01-01T00:00:00Z'", 69),
        ("", 1),
    ] {
        let e = parse(text).unwrap_err();
        assert_eq!(e.at, at, "{text}: {e}");
    }
    let deep = format!("{}[a:b = 1]{}", "(".repeat(100), ")".repeat(100));
    assert!(parse(&deep).is_err());
}

#[test]
fn nothing_panics_on_broken_patterns() {
    let good = "([network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' LIKE 'a\\'%' AND x:y[*].z[3] NOT IN (1, 2.5, true, h'0f', b'aGk=', t'2020-01-01T00:00:00Z')] FOLLOWEDBY [a:b ISSUBSET '10.0.0.0/8']) REPEATS 3 TIMES WITHIN 2.5 SECONDS";
    parse(good).unwrap();
    for end in 0..good.len() {
        let _ = parse(&good[..end]);
        for c in ["'", "[", ")", "\\", "é", "9"] {
            let _ = parse(&format!("{}{c}{}", &good[..end], &good[end..]));
        }
    }
}
