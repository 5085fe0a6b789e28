//! Every connector against every fault: nothing lost, nothing twice by id, order per key, and the fault told as what it is.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use connect::{Kind, New, Queue, drain};
use testkit::mock::{Act, KEY, Mock, System};

use crate::{case, destination, finding, raw, secret};

const SYSTEMS: &[(&str, System)] = &[
    ("splunk-hec", System::Splunk),
    ("splunk-hec+ack", System::SplunkAck),
    ("elasticsearch", System::Elastic),
    ("servicenow", System::ServiceNow),
    ("xsoar 6", System::Xsoar6),
    ("xsoar 8", System::Xsoar8),
    ("webhook", System::Webhook),
];

fn toml(system: System, url: &str, key: &str) -> String {
    let common = format!("name = \"x\"\nurl = \"{url}\"\ntimeout_s = 1\n");
    common
        + &match system {
            System::Splunk => format!("kind = \"splunk-hec\"\ntoken = \"{key}\""),
            System::SplunkAck => format!("kind = \"splunk-hec\"\ntoken = \"{key}\"\nacknowledge = true"),
            System::Elastic => format!("kind = \"elasticsearch\"\napi_key = \"{key}\""),
            System::ServiceNow => format!("kind = \"servicenow\"\nuser = \"gridwarden\"\npassword = \"{key}\""),
            System::Xsoar6 => format!("kind = \"xsoar\"\nkey = \"{key}\""),
            System::Xsoar8 => format!("kind = \"xsoar\"\nkey = \"{key}\"\nkey_id = \"7\"\nadvanced = true"),
            System::Webhook => format!("kind = \"webhook\"\nsecret = \"{key}\""),
        }
}

/// Ids in the order in which the mock took them.
fn taken(system: System, mock: &Mock) -> Vec<String> {
    let state = mock.state();
    let id = |r: &serde_json::Value| match system {
        System::Splunk | System::SplunkAck => r["event"]["id"].as_str().map(str::to_owned),
        System::Elastic => r["_id"].as_str().map(str::to_owned),
        System::ServiceNow => r["correlation_id"].as_str().map(str::to_owned),
        System::Xsoar6 | System::Xsoar8 => r["dbotMirrorId"].as_str().map(str::to_owned),
        System::Webhook => r["id"].as_str().map(str::to_owned),
    };
    state.records.iter().filter_map(id).collect()
}

/// Fills a queue with five events; their ids as the receiver shows them.
fn fill(system: System, queue: &Queue) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..5 {
        let (kind, id, body) = match system {
            System::ServiceNow | System::Xsoar6 | System::Xsoar8 => {
                let case = case(n);
                (Kind::Case, case.id.clone(), raw(&case))
            }
            _ => (Kind::Finding, format!("{n:016x}-1"), raw(&finding(n, 1))),
        };
        queue.push(&[New { kind, id: &id, key: &id, body: &body }]).unwrap();
        ids.push(id);
    }
    ids
}

/// What of one combination was as it must be, or the reason why not.
fn one(system: System, act: &Act) -> Result<String, String> {
    let has_batches = matches!(system, System::Splunk | System::SplunkAck | System::Elastic);
    if !has_batches && *act == Act::Partial {
        return Ok("not applicable: one event a request".to_owned());
    }
    if system == System::Webhook && matches!(act, Act::Page | Act::Nonsense) {
        return Ok("not applicable: any 2xx means taken".to_owned());
    }
    let dir = tempfile::tempdir().unwrap();
    let mock = Mock::start(system, 0).unwrap();
    let mut to = destination(&toml(system, &mock.url(), &secret(dir.path(), KEY)));
    let queue = Queue::open(&dir.path().join("q"), 1 << 30).unwrap();
    let ids = fill(system, &queue);
    let is_desk = matches!(system, System::ServiceNow | System::Xsoar6 | System::Xsoar8);
    // A ticket is looked for first: the fault comes with the second request, which makes it. (One that times out and is stored after we looked
    // again stands there twice: no connector can prevent that.)
    let first = if is_desk && !matches!(act, Act::Slow(_)) { vec![Act::Fine] } else { vec![] };
    mock.plan(first.into_iter().chain([act.clone()]));
    let health =
        drain(&queue, to.as_mut(), Duration::from_secs(20), Duration::from_millis(5)).map_err(|e| e.to_string())?;
    let (waiting, dead, _) = health.queued;
    let got = taken(system, &mock);
    let distinct: BTreeSet<&String> = got.iter().collect();
    let fail = |what: &str| Err(format!("{what}: {got:?}, waiting {waiting}, dead {dead}, {:?}", health.fault));
    if waiting > 0 {
        return fail("not delivered");
    }
    // What a receiver refuses for good lies among the dead letters; nothing else does.
    let may_refuse = matches!(act, Act::Status(400 | 409 | 413 | 422));
    let may_refuse = may_refuse || (*act == Act::Partial && system != System::Elastic && dead == 1);
    if dead > 0 && !may_refuse {
        return fail("buried");
    }
    if distinct.len() as u64 + dead != 5 {
        return fail("lost");
    }
    // Where a receiver has no key against doubles, one that took a request without an answer holds it twice, with the same id.
    let doubles = got.len() - distinct.len();
    let has_no_key = matches!(system, System::Splunk | System::SplunkAck | System::Webhook);
    if doubles > 0 && !(has_no_key && matches!(act, Act::TakeAndCut | Act::Slow(_))) {
        return fail("twice");
    }
    let mut first: Vec<&String> = Vec::new();
    for id in &got {
        if !first.contains(&id) {
            first.push(id);
        }
    }
    if dead == 0 && first.iter().map(|s| s.as_str()).ne(ids.iter().map(String::as_str)) && *act != Act::Partial {
        return fail("out of order");
    }
    // Seen again by the receiver's own key.
    queue.push(&[]).unwrap();
    let word = if dead > 0 { format!("{dead} refused") } else { "ok".to_owned() };
    Ok(if doubles > 0 { format!("{word}, {doubles} twice by id") } else { word })
}

#[test]
fn matrix_of_connectors_and_faults() {
    let acts = [
        ("success", Act::Fine),
        ("partial", Act::Partial),
        ("400", Act::Status(400)),
        ("401", Act::Status(401)),
        ("403", Act::Status(403)),
        ("404", Act::Status(404)),
        ("409", Act::Status(409)),
        ("413", Act::Status(413)),
        ("429", Act::Status(429)),
        ("500", Act::Status(500)),
        ("503", Act::Status(503)),
        ("timeout", Act::Slow(1_500)),
        ("slow", Act::Slow(300)),
        ("cut", Act::Cut),
        ("taken, cut", Act::TakeAndCut),
        ("page", Act::Page),
        ("nonsense", Act::Nonsense),
    ];
    let results: Vec<Vec<Result<String, String>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = SYSTEMS
            .iter()
            .map(|(_, system)| scope.spawn(|| acts.iter().map(|(_, act)| one(*system, act)).collect()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let (mut page, mut bad, mut all) = (String::new(), Vec::new(), 0);
    for ((name, _), row) in SYSTEMS.iter().zip(&results) {
        for ((what, _), result) in acts.iter().zip(row) {
            all += 1;
            let shown = result.as_ref().map_or("FAILS", String::as_str);
            writeln!(page, "{name:16} {what:12} {shown}").unwrap();
            if let Err(why) = result {
                bad.push(format!("{name} {what}: {why}"));
            }
        }
    }
    writeln!(page, "passed {} of {all}", all - bad.len()).unwrap();
    if let Ok(to) = std::env::var("GRIDWARDEN_MATRIX") {
        std::fs::write(to, &page).unwrap();
    }
    assert!(bad.is_empty(), "{page}\n{}", bad.join("\n"));
}

#[test]
fn wrong_credentials_lose_nothing_and_are_said() {
    for (name, system) in SYSTEMS {
        let dir = tempfile::tempdir().unwrap();
        let mock = Mock::start(*system, 0).unwrap();
        let reference = secret(dir.path(), "wrong");
        let mut to = destination(&toml(*system, &mock.url(), &reference));
        let queue = Queue::open(&dir.path().join("q"), 1 << 30).unwrap();
        fill(*system, &queue);
        let health = drain(&queue, to.as_mut(), Duration::from_millis(200), Duration::from_millis(50)).unwrap();
        assert_eq!(health.queued.0, 5, "{name}");
        assert_eq!(health.queued.1, 0, "{name}");
        assert_eq!(health.fault.as_ref().map(|f| f.0.as_str()), Some("unauthorized"), "{name}");
        assert!(!health.fault.unwrap().1.contains("wrong"), "{name}: the secret is told");
        secret(dir.path(), KEY);
        let mut to = destination(&toml(*system, &mock.url(), &reference));
        // What was given already is read again from the disk.
        drop(queue);
        let queue = Queue::open(&dir.path().join("q"), 1 << 30).unwrap();
        let health = drain(&queue, to.as_mut(), Duration::from_secs(10), Duration::from_millis(5)).unwrap();
        assert_eq!(health.queued.0, 0, "{name}: {:?}", health.fault);
        assert_eq!(taken(*system, &mock).len(), 5, "{name}");
    }
}

#[test]
fn poison_does_not_stop_the_queue_and_can_be_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let mock = Mock::start(System::Elastic, 0).unwrap();
    let mut to = destination(&toml(System::Elastic, &mock.url(), &secret(dir.path(), KEY)));
    let queue = Queue::open(&dir.path().join("q"), 1 << 30).unwrap();
    for n in 0..100 {
        let mut f = finding(n, 1);
        if n % 10 == 3 {
            f["src"]["ip"] = "not an address".into();
        }
        let id = format!("{n}-1");
        queue.push(&[New { kind: Kind::Finding, id: &id, key: &id, body: &raw(&f) }]).unwrap();
    }
    let health = drain(&queue, to.as_mut(), Duration::from_secs(10), Duration::from_millis(5)).unwrap();
    assert_eq!((health.queued.0, health.queued.1, mock.state().records.len()), (0, 10, 90));
    let dead = queue.dead(100).unwrap();
    assert!(dead[0].reason.contains("failed to parse field [source.ip]"), "{}", dead[0].reason);
    assert_eq!(queue.resend(Some(&[dead[0].id.clone()])).unwrap(), 1);
    assert_eq!(queue.counts(), (1, 9, queue.counts().2));
}

#[test]
fn tickets_are_found_again_and_mirrored_back() {
    for (_, system) in SYSTEMS.iter().filter(|(_, s)| matches!(s, System::ServiceNow | System::Xsoar6 | System::Xsoar8))
    {
        let dir = tempfile::tempdir().unwrap();
        let mock = Mock::start(*system, 0).unwrap();
        let mut to = destination(&toml(*system, &mock.url(), &secret(dir.path(), KEY)));
        let mut one = case(1);
        let send = |to: &mut Box<dyn connect::Destination>, case: &respond::Case| {
            let item = crate::item(1, Kind::Case, &case.id, &case.id, raw(case));
            let verdict = to.send(&[&item]).remove(0);
            assert!(matches!(verdict, connect::Verdict::Done), "{verdict:?}");
        };
        send(&mut to, &one);
        one.note(gwcore::Ts(0), &respond::Actor::person("ada"), "note", "looked at");
        send(&mut to, &one);
        assert_eq!(mock.state().records.len(), 1);
        let back = to.mirror().unwrap();
        assert_eq!((back.len(), back[0].case.as_str()), (1, one.id.as_str()));
        assert_ne!(back[0].state, "closed");
        // Somebody closes it over there.
        {
            let mut state = mock.state();
            let record = &mut state.records[0];
            if *system == System::ServiceNow {
                record["state"] = "6".into();
                record["close_code"] = "Solved".into();
                record["close_notes"] = "was a test".into();
            } else {
                record["status"] = 2.into();
                record["closeReason"] = "False Positive".into();
                record["closeNotes"] = "was a test".into();
            }
        }
        let back = to.mirror().unwrap();
        assert_eq!((back[0].state.as_str(), back[0].notes.as_str()), ("closed", "was a test"));
        // What comes from us does not open it again.
        one.note(gwcore::Ts(0), &respond::Actor::person("ada"), "note", "later");
        send(&mut to, &one);
        assert_eq!(to.mirror().unwrap()[0].state, "closed");
    }
}
