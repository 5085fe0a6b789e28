//! Findings name their value as it stands in the packets, what is expected there, and the packet that carries it first.

use std::sync::Arc;

use detect::Setup;
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Body, OpClass, Published};
use serde_json::{Value, json};

use crate::baseline::{MASTER, PLC, RTU, op, sample, usual};
use crate::{Story, ip, mac};

/// What a detector's first finding names, and the frames of its packets; after the usual baseline.
fn check(detector: &str, story: &Story, expect: Value, frames: &[u64]) {
    let setup = Setup { baseline: Some(Arc::new(usual())), ..Setup::default() };
    let found = story.findings_under(&setup);
    let f = found.iter().find(|f| f.detector == detector).expect(detector);
    assert_eq!(json!(f.evidence.in_packet), expect);
    assert_eq!(f.packets.iter().map(|p| p.frame).collect::<Vec<_>>(), frames);
}

/// A minute as learned, then something else; gives the story and the frame that comes next.
fn after(tell: impl FnOnce(&mut Story, i64)) -> (Story, u64) {
    let mut s = Story::default();
    s.service(0, (MASTER, RTU), 20_000, "dnp3").service(0, (MASTER, PLC), 502, "modbus").minute(0);
    let frame = s.facts.len() as u64 + 1;
    tell(&mut s, 20 * MINUTE);
    (s, frame)
}

#[test]
fn a_function_beside_those_of_the_pair() {
    let (s, frame) = after(|s, at| {
        s.tell(at, (MASTER, RTU), 20_000, op("dnp3", OpClass::ReportsOff, 21, 0));
    });
    check("new-function", &s, json!({"field": "dnp3.function_code", "observed": 21, "expected": [1]}), &[frame]);
}

#[test]
fn a_source_beside_those_of_the_device() {
    let (s, frame) = after(|s, at| {
        s.tell(at, (RTU, PLC), 502, op("modbus", OpClass::SetPoint, 6, 40));
    });
    let value = json!({"field": "src_ip", "observed": ip(RTU).to_string(), "expected": [ip(MASTER).to_string()]});
    check("control-from-unusual-source", &s, value, &[frame]);
}

#[test]
fn a_first_command_of_a_device_that_nobody_commanded_names_the_function() {
    let (s, frame) = after(|s, at| {
        s.tell(at, (MASTER, RTU), 20_000, op("dnp3", OpClass::Control, 5, 1));
    });
    let value = json!({"field": "dnp3.function_code", "observed": 5, "expected": [1]});
    check("control-from-unusual-source", &s, value, &[frame]);
}

#[test]
fn a_point_beside_those_that_the_source_commands() {
    let (s, frame) = after(|s, at| {
        s.tell(at, (MASTER, PLC), 502, sample("modbus", 43, 100.0, true));
    });
    let of = json!({"table": "holding_register", "unit": 1});
    let value = json!({"field": "modbus.address", "of": of, "observed": 43, "expected": [40]});
    check("new-point", &s, value, &[frame]);
}

#[test]
fn a_set_point_beside_its_range() {
    let (s, frame) = after(|s, at| {
        s.tell(at, (MASTER, PLC), 502, sample("modbus", 40, 300.0, true));
    });
    let of = json!({"table": "holding_register", "unit": 1, "address": 40});
    let range = json!([100.0, 107.0]);
    let value = json!({"field": "modbus.values", "of": of, "observed": 300.0, "expected": [], "range": range});
    check("value-range", &s, value, &[frame]);
}

#[test]
fn the_claim_between_two_of_the_owner_is_the_one_named() {
    let (s, frame) = after(|s, at| {
        for (i, m) in [(0, 1), (1, 2), (2, 1)] {
            s.tell(at + i * SECOND, (1, 2), 0, Body::Claim { addr: ip(9), mac: mac(m), source: "arp" });
        }
    });
    let (observed, expected) = (mac(2).to_string(), mac(1).to_string());
    let of = ip(9).to_string();
    let value = json!({"field": "arp.sender_mac", "of": of, "observed": observed, "expected": [expected]});
    check("contested-address", &s, value, &[frame + 1, frame + 2]);
}

#[test]
fn the_publisher_that_came_second_is_the_one_named() {
    let message = |state: u64, sequence: u64| {
        Body::Published(Box::new(Published {
            proto: "goose",
            stream: "IED/LLN0$GO$gcb".into(),
            state,
            sequence,
            changed: None,
            ttl: 2 * SECOND,
            values: state,
            data_set: 1,
            revision: 1,
            simulated: false,
        }))
    };
    let (s, frame) = after(|s, at| {
        s.tell(at, (1, 2), 0, message(19, 4));
        s.tell(at + SECOND, (3, 2), 0, message(20, 0));
        s.tell(at + 2 * SECOND, (1, 2), 0, message(19, 5));
    });
    let value = json!({"field": "goose.st_num", "of": "IED/LLN0$GO$gcb", "observed": 20, "expected": [19]});
    let found = s.findings();
    let named = |kind: &str| {
        let f = found.iter().find(|f| f.dedup_key.ends_with(kind)).expect("a finding of the kind");
        (json!(f.evidence.in_packet), f.packets.iter().map(|p| p.frame).collect::<Vec<_>>())
    };
    assert_eq!(named("joined"), (value.clone(), vec![frame + 1]));
    assert_eq!(named("two senders"), (value, vec![frame + 1, frame + 2]));
}

#[test]
fn reports_switched_off_name_what_switches_on() {
    let (mut s, _) = after(|_, _| ());
    let (off, read) = (20 * MINUTE, 26 * MINUTE);
    let ticks = |s: &mut Story, from: i64, to: i64| (from / SECOND..to / SECOND).for_each(|t| _ = s.tick(t * SECOND));
    ticks(&mut s, MINUTE, off);
    let frame = s.facts.len() as u64 + 1;
    s.tell(off, (MASTER, RTU), 20_000, op("dnp3", OpClass::ReportsOff, 21, 0));
    ticks(&mut s, off, read);
    s.tell(read, (MASTER, RTU), 20_000, op("dnp3", OpClass::Read, 1, 0));
    let value = json!({"field": "dnp3.function_code", "observed": 21, "expected": [20]});
    check("reports-stay-off", &s, value, &[frame]);
}
