//! Sigma rules against rows: what each part of the language means, what is refused and where, and that nothing panics.

use std::path::PathBuf;

use gwcore::{Addr, Columns, FlowConst, FlowRef, Key, Kind, List, Out, Severity, Span, Stamp, Text, Ts};
use rules::{Engine, Rules, load};

gwcore::record! {
    /// A row to judge.
    pub struct Http, HttpColumns = "http", Transaction {
        /// Method.
        method: Option<Text>,
        /// Host.
        host: Option<Text>,
        /// Target.
        uri: Option<Text>,
        /// Agent.
        user_agent: Option<Text>,
        /// Status.
        status_code: Option<u16>,
        /// Time.
        response_time: Option<Span> ["s"],
        /// Names.
        client_header_names: Option<List<Text>>,
    }
}

gwcore::record! {
    /// A conversation.
    pub struct Conn, ConnColumns = "conn", Flow {
        /// Transport.
        proto: gwcore::Sym,
    }
}

fn kinds() -> Vec<&'static Kind> {
    vec![HttpColumns::kind(), ConnColumns::kind()]
}

fn loaded(text: &str) -> Rules {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yml");
    std::fs::write(&path, text).unwrap();
    load(&[path], &kinds()).unwrap()
}

fn rule(detection: &str) -> String {
    let body: String = detection.lines().map(|l| format!("    {l}\n")).collect();
    format!("title: T\nlogsource:\n    category: proxy\ndetection:\n{body}level: high\n")
}

fn out(hosts: &[(&str, &str, &str, u16)]) -> Out {
    let mut out = Out::default();
    for (i, (host, uri, agent, status)) in hosts.iter().enumerate() {
        out.flows.push(FlowConst {
            src: Addr::v4([10, 0, 0, i as u8 + 1]),
            dst: Addr::v4([192, 0, 2, 1]),
            src_port: 1_025,
            dst_port: 80,
            ip_proto: 6,
            ..FlowConst::default()
        });
        let stamp = Stamp {
            key: Key { step: 2 * i as u64 + 1, shard: 0, sub: 0 },
            ts: Ts::from_parts(1_700_000_000 + i as i64, 0),
            frame: i as u64 + 1,
            flow: FlowRef(2 * i as u32),
            repeat: false,
        };
        let names: [&[u8]; 2] = [b"Host", b"X-Test"];
        out.append(
            stamp,
            Http {
                method: Some(b"GET"),
                host: Some(host.as_bytes()),
                uri: Some(uri.as_bytes()),
                user_agent: (!agent.is_empty()).then_some(agent.as_bytes()),
                status_code: Some(*status),
                response_time: Some(Span(1_500_000_000)),
                client_header_names: Some(&names[..]),
            },
        );
    }
    out
}

fn met(detection: &str) -> bool {
    let rules = loaded(&rule(detection));
    assert!(rules.problems.is_empty(), "{detection}: {:?}", rules.problems);
    let out = out(&[("Bad.Example", "/a/Login.PHP?x=cG93ZXI", "curl/8.0", 404)]);
    Engine::new(rules.into()).batch(&out).len() == 1
}

#[test]
fn fields_values_and_modifiers() {
    for (detection, expect) in [
        ("s:\n    cs-host: bad.example\ncondition: s", true),
        ("s:\n    cs-host|cased: bad.example\ncondition: s", false),
        ("s:\n    cs-host: bad\ncondition: s", false),
        ("s:\n    cs-host|startswith: BAD\ncondition: s", true),
        ("s:\n    cs-host|endswith: '.example'\ncondition: s", true),
        ("s:\n    c-uri|contains: '/login.'\ncondition: s", true),
        ("s:\n    c-uri: 'http://bad.example/*'\ncondition: s", true),
        ("s:\n    c-uri|contains|all:\n        - a\n        - zzz\ncondition: s", false),
        ("s:\n    c-uri-extension: php\ncondition: s", true),
        ("s:\n    c-uri-query: 'x=*'\ncondition: s", true),
        ("s:\n    c-uri-query|base64offset|contains: power\ncondition: s", true),
        ("s:\n    c-uri-query|base64offset|contains: powe\ncondition: s", true),
        ("s:\n    sc-status: 404\ncondition: s", true),
        ("s:\n    sc-status: '404'\ncondition: s", true),
        ("s:\n    sc-status|gte: 404\n    sc-status|lt: 500\ncondition: s", true),
        ("s:\n    sc-status:\n        - 200\n        - 404\ncondition: s", true),
        ("s:\n    sc-status|neq: 404\ncondition: s", false),
        ("s:\n    c-useragent|re: '^curl/[0-9]'\ncondition: s", true),
        ("s:\n    c-useragent|re: '^CURL'\ncondition: s", false),
        ("s:\n    c-useragent|re|i: '^CURL'\ncondition: s", true),
        ("s:\n    c-useragent|exists: true\ncondition: s", true),
        ("s:\n    c-useragent: null\ncondition: s", false),
        ("s:\n    src_ip|cidr: 10.0.0.0/8\ncondition: s", true),
        ("s:\n    src_ip|cidr: 10.1.0.0/16\ncondition: s", false),
        ("s:\n    dst_ip:\n        - 192.0.2.1\n        - 192.0.2.2\ncondition: s", true),
        ("s:\n    cs-host|fieldref: c-uri\ncondition: s", false),
        ("s:\n    c-uri|fieldref|contains: cs-host\ncondition: s", true),
        ("s:\n    - curl\n    - nothing\ncondition: s", true),
        ("s:\n    '|all':\n        - curl\n        - nothing\ncondition: s", false),
        ("s:\n    - cs-host: other\n    - cs-method: GET\ncondition: s", true),
        ("s:\n    cs-host: bad.example\nfilter_a:\n    sc-status: 404\ncondition: s and not 1 of filter_*", false),
        ("a:\n    cs-host: other\nb:\n    sc-status: 404\ncondition: 1 of them", true),
        ("a:\n    cs-host: other\nb:\n    sc-status: 404\ncondition: all of them", false),
    ] {
        assert_eq!(met(detection), expect, "{detection}");
    }
}

#[test]
fn what_is_not_read_is_named_with_its_line() {
    for (text, line, words) in [
        (rule("s:\n    cs-cookie: x\ncondition: s"), 6, "in no record"),
        (rule("s:\n    cs-host|expand: '%x%'\ncondition: s"), 6, "expand"),
        (rule("s:\n    cs-host|nonsense: x\ncondition: s"), 6, "nonsense"),
        (rule("s:\n    cs-host|re: '('\ncondition: s"), 6, "expression"),
        (rule("s:\n    cs-host: x\ncondition: s | count() > 5"), 7, "correlation"),
        (rule("s:\n    cs-host: x\ncondition: t"), 7, "no search"),
        (rule("s:\n    cs-host: x"), 5, "no condition"),
        ("title: T\nlogsource:\n    product: cisco\n    service: aaa\ndetection:\n    s:\n        - x\n    condition: s\n".into(), 3, "no record"),
        ("title: T\nx: &a 1\ny: *a\n".into(), 3, "aliases"),
        ("title: [\n".into(), 0, ""),
        ("a: 1\na: 2\n".into(), 2, "twice"),
    ] {
        let rules = loaded(&text);
        assert!(rules.rules.is_empty(), "{text}");
        let p = &rules.problems[0];
        assert!((p.line == line || line == 0) && p.reason.contains(words), "{text}: {p:?}");
    }
}

#[test]
fn a_finding_shows_what_matched() {
    let rules = loaded(
        "title: Old curl\nid: 7\ntags: [attack.t0855, attack.t1071.001, attack.execution]\nfalsepositives: [Scripts]\nlogsource: {category: proxy}\ndetection:\n  s:\n    c-useragent|startswith: curl\n    sc-status: 404\n  condition: s\nlevel: medium\n",
    );
    let mut engine = Engine::new(rules.into());
    let hits = engine.batch(&out(&[("a.example", "/", "curl/8", 404), ("b.example", "/", "x", 404)]));
    assert_eq!(hits.len(), 1);
    let hit = &hits[0];
    assert_eq!((hit.frame, hit.severity, hit.attack), (1, Severity::Medium, &["T1692.001"][..]));
    assert_eq!(hit.fields, [("c-useragent".into(), "curl/8".into()), ("sc-status".into(), "404".to_owned())]);
    assert!(hit.place.ends_with("rules.yml:1") && hit.innocent == "Scripts");
}

#[test]
fn correlations_count_by_group() {
    let base =
        "title: B\nname: base\nlogsource: {category: proxy}\ndetection:\n  s:\n    sc-status: 404\n  condition: s\n";
    let two = "---\ntitle: B2\nname: base2\nlogsource: {category: proxy}\ndetection:\n  s:\n    sc-status: 500\n  condition: s\n";
    let check = |correlation: &str, feed: &[(&str, &str, &str, u16)], expect: &[u64]| {
        let rules = loaded(&format!("{base}{two}---\ntitle: C\ncorrelation:\n{correlation}\nlevel: high\n"));
        assert!(rules.problems.is_empty(), "{:?}", rules.problems);
        let mut engine = Engine::new(rules.into());
        let hits = engine.batch(&out(feed));
        assert!(hits.iter().all(|h| h.title == "C" && h.severity == Severity::High), "{correlation}");
        assert_eq!(hits.iter().map(|h| h.frame).collect::<Vec<_>>(), expect, "{correlation}");
    };
    let a = ("a", "/", "", 404);
    let b = ("b", "/", "", 404);
    let c = ("a", "/", "", 500);
    let count = "  type: event_count\n  rules: [base]\n  group-by: [cs-host]\n  timespan: 10s\n  condition: {gte: 2}";
    check(count, &[a, b, a, a, b], &[3, 5]);
    let values = "  type: value_count\n  rules: [base]\n  group-by: [dst_ip]\n  timespan: 10s\n  condition: {gte: 2, field: cs-host}";
    check(values, &[a, a, b], &[3]);
    let late = "  type: event_count\n  rules: [base]\n  group-by: [cs-host]\n  timespan: 1s\n  condition: {gte: 2}";
    check(late, &[a, b, a], &[]);
    let together = "  type: temporal\n  rules: [base, base2]\n  group-by: [cs-host]\n  timespan: 1m";
    check(together, &[c, b, a], &[3]);
    let ordered = "  type: temporal_ordered\n  rules: [base, base2]\n  group-by: [cs-host]\n  timespan: 1m";
    check(ordered, &[c, a], &[]);
    check(ordered, &[a, c], &[2]);
}

#[test]
fn a_filter_takes_away() {
    let text = "title: B\nname: base\nlogsource: {category: proxy}\ndetection:\n  s:\n    sc-status: 404\n  condition: s\n---\ntitle: F\nfilter:\n  rules: [base]\n  s:\n    cs-host: a\n  condition: not s\n";
    let mut engine = Engine::new(loaded(text).into());
    let hits = engine.batch(&out(&[("a", "/", "", 404), ("b", "/", "", 404)]));
    assert_eq!(hits.iter().map(|h| h.frame).collect::<Vec<_>>(), [2]);
}

#[test]
fn broken_rules_never_panic() {
    let good = rule(
        "s:\n    cs-host|contains|all:\n        - a*\n        - '?b'\n    sc-status|gte: 4\n    c-uri|re|i: '[a-z]+'\n    src_ip|cidr: 10.0.0.0/8\ncondition: not (s and 1 of s*)",
    );
    for end in (0..good.len()).filter(|i| good.is_char_boundary(*i)) {
        loaded(&good[..end]);
        let mut mutated = good.clone().into_bytes();
        mutated[end] = mutated[end].wrapping_mul(31).wrapping_add(7);
        loaded(&String::from_utf8_lossy(&mutated));
    }
    let deep = format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000));
    assert_eq!(loaded(&deep).problems.len(), 1);
    assert_eq!(loaded(&"- ".repeat(100_000)).problems.len(), 1);
}

/// The rules that are shipped compile against the real kinds; the binary's tests load them. Here only that the folder is there.
#[test]
fn shipped_rules_are_there() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../rules/sigma/ot");
    assert!(std::fs::read_dir(dir).unwrap().count() >= 30);
}
