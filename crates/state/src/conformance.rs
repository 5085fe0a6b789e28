//! What every backend of [`Store`] must do. A backend's tests call [`run`] with a function that makes an empty store.

use serde_json::{Value, json};

use crate::{Filter, Login, Role, Scope, Store, Triage, Upserted, Verdict};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Runs the suite; panics at the first promise that is not kept.
pub fn run<S: Store>(make: impl Fn() -> S) {
    findings_are_upserted_by_revision(&make());
    lists_go_on_where_they_ended(&make());
    decisions_are_kept_and_undone(&make());
    users_are_locked_out(&make());
    sessions_and_tokens_end(&make());
    suppressions_need_two_people(&make());
    devices_and_minutes_stay(&make());
}

fn finding(id: &str, rev: i64, severity: &str, second: i64) -> Value {
    let ts = |s: i64| gwcore::Ts(1_700_000_000 * SECOND + s * SECOND).to_string();
    json!({ "id": id, "rev": rev, "ts": ts(second), "ts_end": ts(second + rev), "detector": "scan", "title": "100 % of_it\\",
        "severity": severity, "proto": "tcp", "dedup_key": format!("key {id}"), "src": { "ip": "10.0.0.1", "asset": "a1" },
        "dst": { "ip": "10.0.0.2" } })
}

fn ids(page: &crate::Page) -> Vec<&str> {
    page.items.iter().map(|s| s.id.as_str()).collect()
}

fn findings_are_upserted_by_revision(s: &impl Store) {
    let put = |doc: &Value, ended| s.upsert_finding(doc, ended, "live", 5).unwrap();
    assert!(matches!(put(&finding("f", 1, "low", 0), false), Upserted::New(_)));
    assert!(matches!(put(&finding("f", 3, "high", 0), false), Upserted::Changed(_)));
    assert_eq!(put(&finding("f", 2, "low", 0), false), Upserted::Known);
    assert_eq!(put(&finding("f", 3, "high", 0), false), Upserted::Known);
    assert!(matches!(put(&finding("f", 3, "high", 0), true), Upserted::Changed(_)), "the same revision may end it");
    assert_eq!(put(&finding("f", 3, "high", 0), true), Upserted::Known);
    let stored = s.finding("f").unwrap().unwrap();
    assert_eq!((stored.finding["rev"].as_i64(), stored.ended, stored.detected), (Some(3), true, 5));
    assert_eq!(s.revisions("f").unwrap().iter().map(|r| r.0).collect::<Vec<_>>(), [1, 3]);
    assert!(s.finding("g").unwrap().is_none());
    for bad in [json!({}), json!({ "id": "x", "detector": "scan", "severity": "grim" }), json!(7)] {
        assert!(s.upsert_finding(&bad, false, "live", 5).is_err(), "{bad}");
    }
    let seen = s.findings_since(0, 10).unwrap();
    assert_eq!(seen.len(), 1);
    assert!(s.findings_since(seen[0].seq, 10).unwrap().is_empty());
}

fn lists_go_on_where_they_ended(s: &impl Store) {
    for n in 0..25 {
        let severity = ["info", "low", "medium", "high", "critical"][n % 5];
        s.upsert_finding(&finding(&format!("f{n:02}"), 1, severity, (n / 4) as i64), false, "live", 0).unwrap();
    }
    for gravest in [false, true] {
        let filter = Filter { gravest, ..Filter::default() };
        let whole = s.findings(&filter, None, 500).unwrap();
        assert_eq!((whole.total, whole.items.len(), whole.next.is_none()), (25, 25, true));
        let (mut got, mut cursor) = (Vec::new(), None);
        loop {
            let page = s.findings(&filter, cursor.as_deref(), 4).unwrap();
            got.extend(page.items.iter().map(|i| i.id.clone()));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(got, ids(&whole));
    }
    let check = |filter: Filter, expect: usize| {
        assert_eq!(s.findings(&filter, None, 500).unwrap().items.len(), expect, "{filter:?}")
    };
    check(Filter { severity: Some(3), ..Filter::default() }, 10);
    check(Filter { device: Some("a1".to_owned()), ..Filter::default() }, 25);
    check(Filter { device: Some("10.0.0.1".to_owned()), ..Filter::default() }, 0);
    check(Filter { text: Some("f03".to_owned()), ..Filter::default() }, 1);
    check(Filter { text: Some("100 % of_it\\".to_owned()), ..Filter::default() }, 25);
    check(Filter { text: Some("of%it".to_owned()), ..Filter::default() }, 0);
    check(Filter { text: Some("'; DROP TABLE finding; --".to_owned()), ..Filter::default() }, 0);
    check(Filter { status: vec!["closed".to_owned()], ..Filter::default() }, 0);
    assert!(s.findings(&Filter::default(), Some("rubbish"), 5).is_err());
}

fn decisions_are_kept_and_undone(s: &impl Store) {
    for id in ["f", "g"] {
        s.upsert_finding(&finding(id, 1, "low", 0), false, "live", 0).unwrap();
    }
    let both = ["f".to_owned(), "g".to_owned()];
    let close = Triage::Close { verdict: Verdict::Expected, reason: "test of the relay".to_owned() };
    let batch = s.triage(&both, &close, "anna", 7).unwrap();
    let get = |id: &str| s.finding(id).unwrap().unwrap();
    assert_eq!((get("g").status.as_str(), get("g").verdict.as_deref()), ("closed", Some("expected")));
    s.upsert_finding(&finding("g", 2, "low", 0), false, "live", 8).unwrap();
    assert_eq!((get("g").status.as_str(), get("g").grew_since_closed), ("closed", true));
    s.upsert_finding(&finding("g", 3, "high", 0), false, "live", 8).unwrap();
    assert_eq!(get("g").status, "open", "graver than what was judged");
    assert_eq!(s.undo(batch, "anna", 9).unwrap().len(), 2);
    assert_eq!((get("f").status.as_str(), get("f").verdict), ("open", None));
    assert!(s.undo(batch, "anna", 9).is_err(), "once");
    let first = s.triage(&both, &Triage::Acknowledge, "anna", 10).unwrap();
    s.triage(&both[..1], &close, "anna", 11).unwrap();
    assert!(s.undo(first, "anna", 12).is_err(), "a later decision stands on it");
    let note = s.triage(&both[..1], &Triage::Note { text: "seen".to_owned() }, "anna", 13).unwrap();
    s.undo(note, "anna", 14).unwrap();
    assert_eq!(get("f").status, "closed");
    let history = s.history("f").unwrap();
    assert_eq!(history.first().map(|c| (c.action.as_str(), c.undone_by.as_deref())), Some(("close", Some("anna"))));
    assert!(s.triage(&["h".to_owned()], &Triage::Acknowledge, "anna", 0).is_err());
    assert!(s.triage(&both, &Triage::Close { verdict: Verdict::True, reason: " ".to_owned() }, "anna", 0).is_err());
    assert!(s.triage(&both, &Triage::Assign { to: Some("nobody".to_owned()) }, "anna", 0).is_err());
}

fn users_are_locked_out(s: &impl Store) {
    let password = "correct horse battery";
    s.add_user("anna", Role::Admin, password, "setup", 0).unwrap();
    assert!(s.add_user("anna", Role::Viewer, password, "setup", 0).is_err());
    assert!(s.add_user("a b", Role::Viewer, password, "setup", 0).is_err());
    assert!(s.add_user("ben", Role::Viewer, "short", "setup", 0).is_err());
    assert!(s.change_user("anna", Some(Role::Viewer), None, None).is_err(), "the last admin");
    assert!(s.change_user("anna", None, None, Some(true)).is_err(), "the last admin");
    for _ in 0..4 {
        assert_eq!(s.login("anna", "wrong password", 10).unwrap(), Login::Wrong);
    }
    let Login::Locked(until) = s.login("anna", "wrong password", 10).unwrap() else { panic!("not locked out") };
    assert_eq!(s.login("anna", password, until - 1).unwrap(), Login::Locked(until));
    assert!(matches!(s.login("anna", password, until + 1).unwrap(), Login::Ok(_)));
    assert_eq!(s.login("nobody", password, 0).unwrap(), Login::Wrong);
}

fn sessions_and_tokens_end(s: &impl Store) {
    let password = "correct horse battery";
    s.add_user("anna", Role::Admin, password, "setup", 0).unwrap();
    s.add_user("ben", Role::Analyst, password, "anna", 0).unwrap();
    let login = |now| match s.login("ben", password, now).unwrap() {
        Login::Ok(secret) => secret,
        other => panic!("{other:?}"),
    };
    let secret = login(0);
    assert_eq!(s.session(&secret, SECOND).unwrap().map(|s| (s.actor, s.role)), Some(("ben".to_owned(), Role::Analyst)));
    assert!(s.session(&secret, DAY).unwrap().is_none(), "unused for a day");
    assert!(s.session("0", 0).unwrap().is_none());
    let secret = login(DAY);
    s.change_user("ben", Some(Role::Viewer), None, None).unwrap();
    assert!(s.session(&secret, DAY).unwrap().is_none(), "a changed role ends sessions");
    let secret = login(DAY);
    s.logout(&secret).unwrap();
    assert!(s.session(&secret, DAY).unwrap().is_none());
    let (id, token) = s.add_token("siem", Role::Viewer, 2 * DAY, "anna", 0).unwrap();
    assert_eq!(s.token(&token, DAY).unwrap().map(|t| t.actor), Some("token:siem".to_owned()));
    assert!(s.token(&token, 3 * DAY).unwrap().is_none());
    s.revoke_token(&id, DAY).unwrap();
    assert!(s.token(&token, DAY).unwrap().is_none() && s.revoke_token(&id, DAY).is_err());
    assert!(!format!("{:?}", s.tokens().unwrap()).contains(&token));
}

fn suppressions_need_two_people(s: &impl Store) {
    s.upsert_finding(&finding("f", 1, "low", 0), false, "live", 0).unwrap();
    let scope = Scope { detector: Some("scan".to_owned()), src: Some("10.0.0.1".to_owned()), ..Scope::default() };
    let wide = Scope { detector: Some("scan".to_owned()), ..Scope::default() };
    assert!(s.propose_suppression(&wide, "r", "o", DAY, "anna", 0).is_err());
    assert!(s.propose_suppression(&scope, " ", "o", DAY, "anna", 0).is_err());
    assert_eq!(s.covered(&scope, 0).unwrap().len(), 1);
    let id = s.propose_suppression(&scope, "the site's own scanner", "anna", DAY, "anna", 0).unwrap();
    let shown = || s.findings(&Filter::default(), None, 10).unwrap().items.len();
    assert_eq!(shown(), 1, "a proposal does nothing");
    assert!(s.decide_suppression(&id, true, "anna", 1).is_err(), "nobody approves what they proposed");
    assert_eq!(s.decide_suppression(&id, true, "ben", 1).unwrap(), 1);
    s.upsert_finding(&finding("g", 1, "low", 0), false, "live", 2).unwrap();
    assert_eq!((shown(), s.suppressions().unwrap()[0].count), (0, 2), "stored and coming ones");
    assert_eq!(s.expire_suppressions(DAY + 1).unwrap(), 2);
    assert_eq!(shown(), 2);
    let id = s.propose_suppression(&scope, "again", "anna", 3 * DAY, "anna", DAY).unwrap();
    s.decide_suppression(&id, true, "ben", DAY).unwrap();
    assert_eq!((shown(), s.decide_suppression(&id, false, "cleo", DAY).unwrap(), shown()), (0, 2, 2));
}

fn devices_and_minutes_stay(s: &impl Store) {
    let device = json!({ "id": "a1", "names": [{ "name": "relay-7", "source": "dhcp" }], "roles": ["relay"], "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-01-02T00:00:00Z" });
    s.upsert_device(&device, "live").unwrap();
    s.describe_device("a1", Some("Protection"), Some("critical"), None).unwrap();
    s.upsert_device(&device, "live").unwrap();
    let row = s.device("a1").unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.role.as_str(), row.owner.as_deref()), ("relay-7", "relay", Some("Protection")));
    s.describe_device("a1", Some(""), None, Some("bay 4")).unwrap();
    let row = s.device("a1").unwrap().unwrap();
    assert_eq!((row.owner, row.criticality.as_deref(), row.notes.as_deref()), (None, Some("critical"), Some("bay 4")));
    assert!(
        s.describe_device("a1", None, Some("grim"), None).is_err()
            && s.describe_device("a2", None, None, None).is_err()
    );
    assert_eq!(s.devices("relay", "", 10).unwrap().0.len(), 1);
    assert_eq!(s.devices("pump", "", 10).unwrap().0.len(), 0);
    s.add_minute(
        &json!({ "ts": "2026-01-01T00:00:00Z", "interface": "eth0", "packets": 7, "bytes": 700, "dropped": 1 }),
    )
    .unwrap();
    let minutes = s.minutes(0, i64::MAX).unwrap();
    assert_eq!((minutes.len(), minutes[0].packets, minutes[0].dropped), (1, 7, 1));
    s.drop_device("a1").unwrap();
    assert!(s.device("a1").unwrap().is_none());
    s.add_gap(&json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:02Z", "cause": "restart" })).unwrap();
    assert_eq!(s.gaps(10).unwrap()[0].cause, "restart");
    let id = s.save_search("scans", "SELECT 1", "anna", 0).unwrap();
    assert_eq!(s.searches().unwrap().len(), 1);
    s.drop_search(&id).unwrap();
    assert!(s.drop_search(&id).is_err());
    s.set("site", &json!("North"), "anna", 0).unwrap();
    assert_eq!(s.setting("site").unwrap(), Some(json!("North")));
}

#[cfg(test)]
mod tests {
    use crate::Db;

    #[test]
    fn sqlite_keeps_the_promises() {
        let dir = tempfile::tempdir().unwrap();
        let n = std::sync::atomic::AtomicU32::new(0);
        super::run(|| {
            let n = n.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Db::open(&dir.path().join(format!("{n}.sqlite"))).unwrap()
        });
    }
}
