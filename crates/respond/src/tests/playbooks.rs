//! Playbooks: shipped ones are sound, nobody approves their own, no-touch assets stay untouched whatever a playbook says, everything ends.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE};
use serde_json::{Value, json};

use super::finding;
use crate::action::{Action, ActionKind, ActionState, Actions, Effector, Journal};
use crate::case::Actor;
use crate::desk::{Desk, Outlet};
use crate::guard::{Guard, NoTouch, Role};
use crate::playbook::{Engine, Mode, Pending, Run, RunState, Values, check, shipped, unrunnable};
use crate::{Case, Device};

#[derive(Clone, Default)]
struct World(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: i64,
    blocked: BTreeSet<IpAddr>,
    ever: BTreeSet<IpAddr>,
    ledger: Vec<String>,
    told: Vec<String>,
    fail_undo: bool,
}

struct Fake(World);

impl Effector for Fake {
    fn apply(&mut self, action: &Action, _now: Ts) -> Result<String, String> {
        let mut w = self.0.0.lock().unwrap();
        // The record is there before the deed.
        assert!(w.ledger.iter().any(|l| l == &format!("action-begun {}", action.id)));
        w.blocked.insert(action.address);
        w.ever.insert(action.address);
        Ok("blocked".into())
    }

    fn undo(&mut self, action: &Action) -> Result<String, String> {
        let mut w = self.0.0.lock().unwrap();
        if w.fail_undo {
            return Err("the gateway does not answer".into());
        }
        w.blocked.remove(&action.address);
        Ok("passes".into())
    }
}

impl Journal for World {
    fn keep(&mut self, _action: &Action) -> Result<(), String> {
        Ok(())
    }

    fn record(&mut self, kind: &str, _actor: &str, data: &Value) -> Result<(), String> {
        self.0.lock().unwrap().ledger.push(format!("{kind} {}", data["id"].as_str().unwrap_or("")));
        Ok(())
    }
}

impl Outlet for World {
    fn notify(&mut self, _case: &str, text: &str) -> Result<String, String> {
        self.0.lock().unwrap().told.push(text.to_owned());
        Ok("told".into())
    }

    fn ticket(&mut self, _case: &str) -> Result<String, String> {
        Ok("ticket".into())
    }

    fn note(&mut self, _case: &str, _text: &str) -> Result<String, String> {
        Ok("noted".into())
    }

    fn hold(&mut self, _case: &str) -> Result<String, String> {
        Ok("held".into())
    }
}

fn device(id: &str, ip: &str, protocols: &[&str]) -> Device {
    serde_json::from_value(json!({ "id": id, "ips": [ip], "macs": ["00:11:22:33:44:55"], "protocols": protocols }))
        .unwrap()
}

fn desk(world: &World, no_touch: NoTouch) -> Desk {
    let mut actions = Actions::new(Guard { no_touch, killed: false }, Box::new(world.clone()), []);
    actions.install(ActionKind::Gateway, Box::new(Fake(world.clone())));
    actions.install(ActionKind::Blocklist, Box::new(Fake(world.clone())));
    let clock = world.clone();
    let office = BTreeSet::from(["10.50.0.5".parse().unwrap()]);
    Desk::new(actions, Box::new(world.clone()), office, Box::new(move || Ts(clock.0.lock().unwrap().now)))
}

fn baseline() -> NoTouch {
    NoTouch::from_devices(&[
        device("rtu", "10.0.0.2", &["modbus server"]),
        device("master", "10.0.0.1", &["iec104 client"]),
        device("printer", "10.0.0.77", &["http server"]),
    ])
}

/// Answers and approves whatever is asked until the run ends.
fn play(engine: &Engine<'_>, run: &mut Run, desk: &mut Desk, approvers: &[(&str, Role)]) {
    for _ in 0..200 {
        engine.advance(run, desk);
        let now = Ts(0);
        match run.waiting.clone().map(|w| w.pending) {
            None => return,
            Some(Pending::Person(_)) => run.answer("ada", true, now).unwrap(),
            Some(Pending::Approval(_)) => {
                let before = run.approvals.len();
                for (name, role) in approvers {
                    if run.approve(name, *role, now).is_ok() {
                        break;
                    }
                }
                if run.approvals.len() == before {
                    return;
                }
            }
            Some(Pending::Pause) => return,
        }
    }
    panic!("the run does not end");
}

fn case(src: &str) -> Case {
    Case::open(&finding("f1", 0, "high", "T1692.001", src, "10.0.0.2", "Ca"))
}

#[test]
fn shipped_playbooks_are_sound_and_run_dry_to_their_end() {
    for (name, _) in shipped::ALL {
        let document = shipped::document(name).unwrap();
        let playbook = check(&document).unwrap_or_else(|p| panic!("{name}: {p:#?}"));
        assert_eq!(unrunnable(&playbook), [], "{name}");
        let world = World::default();
        let mut desk = desk(&world, baseline());
        let engine = Engine::new(&playbook);
        let mut run = engine
            .propose("run-1", "case-1", &Actor::gridwarden(), Mode::Dry, &shipped::values_for(&case("10.9.9.9")), Ts(0))
            .unwrap();
        engine.advance(&mut run, &mut desk);
        assert_eq!(run.state, RunState::Done, "{name}: {:#?}", run.log);
        let w = world.0.lock().unwrap();
        assert!(w.ever.is_empty() && w.told.is_empty() && w.ledger.is_empty(), "{name}: a dry run did something");
        if matches!(*name, "rogue-device" | "unusual-control-command" | "engineering-access") {
            assert!(
                run.log.iter().any(|s| s.text == "would do: cut off 10.9.9.9 by gateway for 60 minutes"),
                "{name}: {:#?}",
                run.log
            );
        }
    }
}

/// `show/42-playbooks` holds them to the official schema; here is held what that schema is known to refuse.
#[test]
fn what_the_official_schema_refuses_is_refused() {
    for (name, _) in shipped::ALL {
        let whole = shipped::document(name).unwrap();
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut document = whole.clone();
            change(&mut document);
            assert!(check(&document).is_err(), "{name}: {document}");
        };
        refused(&|d| d["id"] = "playbook--not-a-uuid".into());
        // A UUID of version 7.
        refused(&|d| d["id"] = "playbook--0190a6f0-1b2c-7d3e-8f40-123456789abc".into());
        refused(&|d| d["spec_version"] = "cacao-1.1".into());
        refused(&|d| d["created"] = "yesterday".into());
        refused(&|d| d["workflow_start"] = "action--61a6c41e-6efc-4516-a242-dfbc5c89d562".into());
        refused(&|d| d["severity"] = 101.into());
        refused(&|d| {
            d["workflow"].as_object_mut().unwrap().retain(|id, _| !id.starts_with("end--"));
        });
    }
    // Of the four examples in the corpus three name agents that the standard does not have, and one commands that it does not.
    let shared = std::env::var("GRIDWARDEN_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into());
    let dir = std::path::Path::new(&shared).join("corpus/playbooks/cacao");
    for name in ["fin", "http", "openc2", "ssh"] {
        let path = dir.join(format!("{name}-playbook.json"));
        let document =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
                .unwrap();
        // What is sound must not be run here all the same: none of these is addressed to us.
        if let Ok(playbook) = check(&document) {
            assert!(!unrunnable(&playbook).is_empty(), "{name}");
        }
    }
}

#[test]
fn the_control_network_needs_two_people_and_nobody_approves_their_own() {
    let playbook = check(&shipped::document("rogue-device").unwrap()).unwrap();
    let engine = Engine::new(&playbook);
    let start = |by: &Actor, address: &str| {
        let mut values = shipped::values_for(&case("10.9.9.9"));
        values.insert("__address__".into(), address.into());
        engine.propose("run-1", "case-1", by, Mode::Live, &values, Ts(0)).unwrap()
    };
    let both = [("bob", Role::Approver), ("eve", Role::Admin)];
    for (by, address, approvers, blocked) in [
        (Actor::gridwarden(), "10.9.9.9", &both[..1], false),
        (Actor::gridwarden(), "10.9.9.9", &both[..], true),
        // The proposer's own approval counts for nothing; with one other there are four eyes.
        (Actor::person("bob"), "10.9.9.9", &both[..1], false),
        (Actor::person("bob"), "10.9.9.9", &both[..], true),
        (Actor::person("ada"), "10.9.9.9", &[("ada", Role::Admin), ("cid", Role::Analyst)][..], false),
        // An office device needs one other.
        (Actor::gridwarden(), "10.50.0.5", &both[..1], true),
        // Assets of the baseline that speak a utility protocol: never.
        (Actor::gridwarden(), "10.0.0.2", &both[..], false),
        (Actor::gridwarden(), "::ffff:10.0.0.1", &both[..], false),
        (Actor::gridwarden(), "10.0.0.77", &both[..], true),
    ] {
        let world = World::default();
        let mut desk = desk(&world, baseline());
        let mut run = start(&by, address);
        play(&engine, &mut run, &mut desk, approvers);
        let ip: IpAddr = address.parse().unwrap();
        assert_eq!(
            world.0.lock().unwrap().ever.contains(&ip.to_canonical()),
            blocked,
            "{by:?} {address} {approvers:?} {:#?}",
            run.log
        );
    }
}

#[test]
fn a_block_ends_at_its_time_after_a_crash_too_and_the_kill_switch_ends_all() {
    let playbook = check(&shipped::document("rogue-device").unwrap()).unwrap();
    let engine = Engine::new(&playbook);
    let world = World::default();
    let mut d = desk(&world, baseline());
    let mut run = engine
        .propose("run-1", "case-1", &Actor::gridwarden(), Mode::Live, &shipped::values_for(&case("10.9.9.9")), Ts(0))
        .unwrap();
    play(&engine, &mut run, &mut d, &[("bob", Role::Approver), ("eve", Role::Admin)]);
    assert_eq!(run.state, RunState::Done);
    assert_eq!(world.0.lock().unwrap().blocked.len(), 1);
    assert!(d.actions.expire(Ts(59 * MINUTE)).is_empty());
    assert_eq!(world.0.lock().unwrap().blocked.len(), 1);
    // A crash: what was kept is all there is; undoing fails once and is tried again.
    let kept: Vec<Action> = d.actions.all().cloned().collect();
    let mut again = Actions::new(Guard::default(), Box::new(world.clone()), kept);
    again.install(ActionKind::Gateway, Box::new(Fake(world.clone())));
    world.0.lock().unwrap().fail_undo = true;
    assert_eq!(again.expire(Ts(HOUR)).len(), 1);
    world.0.lock().unwrap().fail_undo = false;
    assert!(again.expire(Ts(HOUR)).is_empty());
    assert!(world.0.lock().unwrap().blocked.is_empty());
    assert!(again.all().all(|a| a.state == ActionState::Undone));

    // The kill switch takes back and refuses.
    let mut run = engine
        .propose("run-2", "case-1", &Actor::gridwarden(), Mode::Live, &shipped::values_for(&case("10.9.9.8")), Ts(0))
        .unwrap();
    play(&engine, &mut run, &mut d, &[("bob", Role::Approver), ("eve", Role::Admin)]);
    assert_eq!(world.0.lock().unwrap().blocked.len(), 1);
    assert!(d.actions.kill("ada", Ts(1)).is_empty());
    assert!(world.0.lock().unwrap().blocked.is_empty());
    let mut run = engine
        .propose("run-3", "case-1", &Actor::gridwarden(), Mode::Live, &shipped::values_for(&case("10.9.9.7")), Ts(0))
        .unwrap();
    play(&engine, &mut run, &mut d, &[("bob", Role::Approver), ("eve", Role::Admin)]);
    assert!(world.0.lock().unwrap().blocked.is_empty());
}

/// A step that does something, chosen by a number.
fn random_playbook(seed: &mut u64) -> Value {
    let mut next = |n: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % n
    };
    let id = |kind: &str, n: u64| format!("{kind}--00000000-0000-4000-8000-{n:012x}");
    let kinds: Vec<&str> = (0..8)
        .map(|_| {
            ["action", "action", "action", "if-condition", "parallel", "while-condition", "switch-condition", "end"]
                [next(8) as usize]
        })
        .collect();
    let name_of = |n: u64| id(kinds[n as usize], n);
    let mut workflow = serde_json::Map::new();
    workflow.insert(id("start", 100), json!({ "type": "start", "on_completion": name_of(0) }));
    for (n, kind) in kinds.iter().enumerate() {
        let mut to = || name_of(next(8));
        let step = match *kind {
            "end" => json!({ "type": "end" }),
            "if-condition" => {
                json!({ "type": kind, "condition": "__address__:value != 'x'", "on_true": to(), "on_false": to(), "on_completion": to() })
            }
            "while-condition" => {
                json!({ "type": kind, "condition": "__address__:value = '10.0.0.2'", "on_true": to(), "on_completion": to() })
            }
            "switch-condition" => {
                json!({ "type": kind, "switch": "__address__", "cases": { "10.0.0.2": to(), "default": to() } })
            }
            "parallel" => json!({ "type": kind, "next_steps": [to(), to()], "on_completion": to() }),
            _ => {
                let (success, failure) = (to(), to());
                let address = [
                    "__address__:value",
                    "10.0.0.2",
                    "::ffff:10.0.0.2",
                    " 10.0.0.1 ",
                    "10.0.0.2/32",
                    "10.0.0.0/24",
                    "0.0.0.0",
                    "\",\"x\":\"10.9.9.9",
                    "10.9.9.9",
                ][next(9) as usize];
                let with = ["gateway", "blocklist"][next(2) as usize];
                let minutes = ["1", "60", "0", "999999"][next(4) as usize];
                json!({ "type": "action", "agent": crate::playbook::OURSELVES, "on_success": success, "on_failure": failure, "commands": [{
                    "type": "http-api", "command": "POST /api/v1/actions/block HTTP/1.1",
                    "content": json!({ "address": address, "with": with, "minutes": minutes }).to_string() }] })
            }
        };
        workflow.insert(name_of(n as u64), step);
    }
    json!({ "type": "playbook", "spec_version": "cacao-2.0", "id": id("playbook", 1), "name": "random", "created_by": id("identity", 2),
        "created": "2026-01-05T10:00:00.000Z", "modified": "2026-01-05T10:00:00.000Z", "workflow_start": id("start", 100), "workflow": workflow,
        "playbook_variables": { "__address__": { "type": "string", "external": true } },
        "agent_definitions": { crate::playbook::OURSELVES: { "type": "http-api", "name": "Gridwarden" } } })
}

#[test]
fn no_playbook_touches_what_must_not_be_touched_and_every_run_ends() {
    let (mut seed, mut acted, mut ran) = (7, 0, 0);
    for n in 0..2_000_u64 {
        let document = random_playbook(&mut seed);
        // Those with steps that nothing leads to are refused, which is as it should be; they are run all the same.
        let playbook = check(&document).unwrap_or_else(|_| serde_json::from_value(document).unwrap());
        let engine = Engine::new(&playbook);
        let world = World::default();
        let mut desk = desk(&world, baseline());
        let address = ["10.0.0.2", "10.0.0.1", "10.9.9.9", "\"}", "10.0.0.77"][n as usize % 5];
        let values = Values::from([("__address__".to_owned(), address.to_owned())]);
        let by = if n % 2 == 0 { Actor::gridwarden() } else { Actor::person("bob") };
        let mut run = engine.propose("run-1", "case-1", &by, Mode::Live, &values, Ts(0)).unwrap();
        let approvers: &[(&str, Role)] = match n % 3 {
            0 => &[],
            1 => &[("bob", Role::Admin)],
            _ => &[("bob", Role::Admin), ("eve", Role::Approver)],
        };
        play(&engine, &mut run, &mut desk, approvers);
        assert!(!matches!(run.state, RunState::Running), "{:?}", run.state);
        ran += 1;
        let w = world.0.lock().unwrap();
        for ip in &w.ever {
            acted += 1;
            assert!(!["10.0.0.1", "10.0.0.2"].contains(&ip.to_string().as_str()), "{ip} was touched");
            assert!(
                !(approvers.is_empty() || by.name == "bob" && approvers.len() == 1),
                "approved by whoever proposed it"
            );
            assert!(by.is_person || approvers.len() == 2, "one pair of eyes");
        }
    }
    assert!(ran == 2_000 && acted > 30, "{acted} actions in {ran} runs: the test tries nothing");
}

#[test]
fn conditions_and_values_cannot_be_broken_out_of() {
    use crate::playbook::{Context, evaluate, insert};
    let values = Values::from([
        ("__a__".to_owned(), "x' OR '1' = '1".to_owned()),
        ("__n__".to_owned(), "10".to_owned()),
        ("__h__".to_owned(), "\",\"admin\":true,\"x\":\"\r\n".to_owned()),
    ]);
    let check = |text: &str| evaluate(text, &values);
    assert_eq!(check("__a__:value = 'x'"), Ok(false));
    assert_eq!(check("__n__:value > 9 AND NOT (__n__:value IN (1, 2, '3'))"), Ok(true));
    assert_eq!(check("__n__:value >= 10 OR __missing__:value = 1"), Err("variable `__missing__` has no value".into()));
    for bad in ["", "(", "__a__:value", "__a__:value = ", "'x", "= 1", "a b c", "NOT", &"(".repeat(500)] {
        assert!(check(bad).is_err(), "{bad}");
    }
    let json = insert(r#"{"t":"__h__:value"}"#, &values, Context::Json).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), json!({ "t": values["__h__"] }));
    assert!(!insert("/x?q=__h__:value", &values, Context::Path).unwrap().contains(['"', '\n', ',']));
    assert_eq!(insert("a __ b __n__:value __", &values, Context::Text).unwrap(), "a __ b 10 __");
}
