//! Devices: which MACs and addresses are one, what they do, and where they stand.

use detect::{Device, Devices, Inventory};
use gwcore::time::SECOND;
use gwcore::{Body, Limit, Limits, Mac, OpClass};

use crate::{Story, ip, mac, op};

fn inventory(story: &Story) -> Inventory {
    let mut devices = Devices::new(&Limits::default());
    devices.batch(&story.facts, &story.flows);
    devices.finish()
}

fn claim(addr: u8, by: Mac) -> Body {
    Body::Claim { addr: ip(addr), mac: by, source: "arp" }
}

/// The device with an address; the test fails when there is not exactly one.
fn at(inventory: &Inventory, addr: u8) -> &Device {
    let mut of = inventory.devices.iter().filter(|d| d.ips.contains(&ip(addr).to_string()));
    let first = of.next().expect("a device");
    assert!(of.next().is_none(), "{addr} belongs to two devices");
    first
}

#[test]
fn an_address_behind_a_router_that_is_then_claimed_joins_and_the_older_id_stays() {
    let mut s = Story::default();
    s.tell(0, (7, 1), 502, Body::FlowStart).tell(0, (8, 1), 502, Body::FlowStart);
    s.flows.iter_mut().for_each(|f| f.src_mac = mac(200));
    let before = at(&inventory(&s), 7).id.clone();
    s.tell(SECOND, (7, 1), 0, claim(7, mac(7)));
    let after = inventory(&s);
    let joined = at(&after, 7);
    assert_eq!((&joined.id, &joined.macs[..]), (&before, &[mac(7).to_string()][..]));
    let change = after.changes.iter().find(|c| c.kind == "merged").expect("a merge");
    assert_eq!((&change.kept, &change.other), (&before, &joined.formerly[0]));
    assert_eq!(after.id(mac(200), ip(7)), after.id(mac(7), ip(7)), "the device from both sides");
}

#[test]
fn a_contested_address_is_told_of_both_and_joins_nothing() {
    let mut s = Story::default();
    s.tell(0, (7, 1), 0, claim(9, mac(7))).tell(1, (8, 1), 0, claim(9, mac(8)));
    s.tell(2, (9, 1), 502, Body::FlowStart).tell(2, (10, 1), 502, Body::FlowStart);
    s.flows[2].src_mac = mac(200);
    s.flows[3].src_mac = mac(200);
    let found = inventory(&s);
    let contested: Vec<&Device> = found.devices.iter().filter(|d| !d.contested.is_empty()).collect();
    assert!(contested.len() >= 2 && contested.iter().all(|d| d.contested == [ip(9).to_string()]));
    assert!(found.changes.iter().all(|c| c.kind != "merged"), "{:?}", found.changes);
    assert_ne!(found.id(mac(7), ip(9)), found.id(mac(8), ip(9)));
}

#[test]
fn a_second_unproven_address_splits_off() {
    let mut s = Story::default();
    s.tell(0, (7, 1), 502, Body::FlowStart);
    let alone = inventory(&s);
    assert_eq!(at(&alone, 7).macs.len(), 1);
    s.tell(1, (8, 1), 502, Body::FlowStart);
    s.flows[1].src_mac = mac(7);
    let split = inventory(&s);
    assert!(at(&split, 7).macs.is_empty() && at(&split, 8).macs.is_empty());
    let change = split.changes.iter().find(|c| c.kind == "split").expect("a split");
    assert_eq!((&change.kept, &change.other), (&at(&alone, 7).id, &at(&split, 7).id));
    s.tell(2, (7, 1), 0, claim(7, mac(7))).tell(2, (8, 1), 0, claim(8, mac(7)));
    s.flows[3].src_mac = mac(7);
    let proven = inventory(&s);
    assert_eq!(at(&proven, 7).id, at(&proven, 8).id);
}

#[test]
fn virtual_macs_are_marked() {
    let mut s = Story::default();
    s.tell(0, (7, 1), 0, claim(1, Mac([0, 0, 0x5e, 0, 1, 5]))).tell(0, (7, 1), 0, claim(1, mac(7)));
    let found = inventory(&s);
    let virtual_one = found.devices.iter().find(|d| d.virtual_mac.is_some()).expect("a virtual router");
    assert_eq!((virtual_one.virtual_mac, &virtual_one.roles[..]), (Some("vrrp"), &["router"][..]));
    assert!(found.devices.iter().all(|d| d.contested.is_empty()), "shared by design");
}

#[test]
fn levels_follow_from_what_a_device_does() {
    let level = |addr: u8, s: &Story| at(&inventory(s), addr).level.clone().map(|l| l.level);
    let mut s = Story::default();
    s.tell(0, (1, 2), 502, Body::Role("master")).tell(0, (2, 1), 502, Body::Role("outstation"));
    assert_eq!((level(1, &s), level(2, &s)), (Some(2), Some(1)));
    s.tell(1, (2, 3), 502, Body::Role("master"));
    assert_eq!(level(2, &s), Some(2), "a gateway");
    s.tell(1, (4, 2), 502, op(OpClass::Upload, 1, None));
    assert_eq!(level(4, &s), Some(3));
    assert!(at(&inventory(&s), 4).roles.contains(&"engineering_station"));
    s.tell(1, (5, 2), 502, Body::FlowStart).tell(1, (5, 2), 502, op(OpClass::Control, 1, None));
    assert_eq!(level(5, &s), None, "operating is not engineering");
}

#[test]
fn services_are_told_with_their_port() {
    let mut s = Story::default();
    s.tell(0, (1, 2), 502, Body::Service { proto: "modbus", server_is_responder: true });
    let found = inventory(&s);
    assert_eq!(
        (&at(&found, 2).services[..], &at(&found, 2).roles[..]),
        (&["modbus/502".to_owned()][..], &["server"][..])
    );
    assert_eq!((at(&found, 1).services.len(), &at(&found, 1).roles[..]), (0, &["client"][..]));
}

#[test]
fn a_public_address_that_speaks_with_a_private_one_stands_behind_a_router() {
    let mut s = Story::default();
    s.tell(0, (1, 2), 502, Body::FlowStart);
    let alone = inventory(&s);
    assert!(alone.devices.iter().all(|d| !d.roles.contains(&"router")));
    s.tell(1, (7, 2), 443, Body::FlowStart);
    let outside = gwcore::Addr::v4([198, 51, 100, 7]);
    s.flows[1].src = outside;
    let found = inventory(&s);
    let router = found.devices.iter().find(|d| d.macs == [mac(7).to_string()]).expect("the MAC is a device");
    assert!(router.roles.contains(&"router") && router.ips.is_empty(), "{router:?}");
    let far = found.devices.iter().find(|d| d.ips == [outside.to_string()]).expect("a device behind it");
    assert!(far.macs.is_empty() && far.level.as_ref().is_some_and(|l| l.level == 5), "{far:?}");
    // Two public ones may share a segment, and so may who claims its address there.
    s.flows[1].dst = gwcore::Addr::v4([198, 51, 100, 8]);
    assert!(inventory(&s).devices.iter().all(|d| !d.roles.contains(&"router")));
    s.flows[1].dst = ip(2);
    s.tell(2, (7, 2), 0, Body::Claim { addr: outside, mac: mac(7), source: "arp" });
    assert!(inventory(&s).devices.iter().all(|d| !d.roles.contains(&"router")));
}

#[test]
fn who_speaks_to_itself_is_no_gateway() {
    let mut s = Story::default();
    s.tell(0, (1, 1), 20_000, Body::FlowStart).tell(1, (1, 1), 20_000, Body::Role("master"));
    s.tell(2, (1, 1), 20_000, Body::Role("outstation"));
    assert_eq!(at(&inventory(&s), 1).level, None);
    s.tell(3, (1, 2), 20_000, Body::Role("master"));
    let reason = at(&inventory(&s), 1).level.clone().map(|l| l.reason);
    assert_eq!(reason.as_deref(), Some("is a gateway: answers 0 masters and polls one device"));
}

fn name(addr: u8, name: &str, source: &'static str) -> Body {
    Body::Name { addr: ip(addr), mac: Mac::NONE, name: name.into(), source }
}

fn names(d: &Device) -> Vec<&str> {
    d.names.iter().map(|n| n.name.as_str()).collect()
}

#[test]
fn a_name_told_before_or_after_its_bearer_speaks_is_his() {
    let mut s = Story::default();
    s.tell(0, (3, 1), 53, name(7, "RTU7.Example.", "dns")).tell(1, (3, 1), 53, name(9, "silent.example", "dns"));
    s.tell(2, (1, 7), 502, Body::FlowStart).tell(2, (7, 1), 502, Body::FlowStart);
    s.tell(3, (1, 7), 443, name(7, "a.example", "tls")).tell(3, (1, 7), 443, name(7, "rtu7.example", "tls"));
    s.flows.iter_mut().for_each(|f| (f.src_mac, f.dst_mac) = (Mac::NONE, Mac::NONE));
    let found = inventory(&s);
    // By what says it best, then by name; told twice is told twice.
    assert_eq!(names(at(&found, 7)), ["rtu7.example", "a.example", "rtu7.example"]);
    assert!(found.devices.iter().all(|d| !names(d).contains(&"silent.example")));
}

#[test]
fn who_takes_an_address_and_names_himself_names_nobody_else() {
    let mut s = Story::default();
    s.tell(0, (9, 1), 0, claim(9, mac(9))).tell(0, (9, 1), 502, Body::FlowStart);
    s.tell(1, (9, 1), 0, claim(9, mac(66))).tell(1, (9, 1), 5353, Body::FlowStart).tell(
        1,
        (9, 1),
        5353,
        name(9, "intruder", "mdns"),
    );
    s.flows.iter_mut().skip(2).for_each(|f| f.src_mac = mac(66));
    let found = inventory(&s);
    let named = |m: Mac| names(found.devices.iter().find(|d| d.macs == [m.to_string()]).unwrap());
    assert_eq!((named(mac(9)), named(mac(66))), (vec![], vec!["intruder"]));
}

#[test]
fn spoofed_sources_displace_each_other_and_no_device_of_the_plant() {
    let mut limits = Limits::default();
    limits.set(Limit::Devices, 500);
    let (mut devices, mut first) = (Devices::new(&limits), Story::default());
    let end = |packets| Body::FlowEnd { state: "SF", packets, bytes: [1, 1], start: crate::START, service: "" };
    first.tell(0, (7, 8), 502, Body::Service { proto: "modbus", server_is_responder: true });
    first.tell(0, (9, 10), 443, end([3, 3]));
    first.tell(0, (11, 12), 502, Body::FlowStart);
    devices.batch(&first.facts, &first.flows);
    for n in 0..30u32 {
        let mut s = Story::default();
        for m in 0..1_000u32 {
            s.tell(i64::from(n * 1_000 + m) * SECOND, (1, 2), 502, Body::FlowStart);
            let [_, a, b, c] = (n * 1_000 + m).to_be_bytes();
            if let Some(flow) = s.flows.last_mut() {
                (flow.src, flow.src_mac) = (gwcore::Addr::v4([172, 16 + a, b, c]), mac(200));
            }
        }
        devices.batch(&s.facts, &s.flows);
    }
    let mut late = Story::default();
    late.tell(31_000 * SECOND, (20, 21), 502, Body::Service { proto: "modbus", server_is_responder: true });
    devices.batch(&late.facts, &late.flows);
    let found = devices.finish();
    assert!(found.devices.len() <= 1_001, "{}", found.devices.len());
    for n in [7, 8, 9, 10, 20, 21] {
        at(&found, n);
    }
    assert!(!found.devices.iter().any(|d| d.ips.contains(&ip(11).to_string())), "never answered, and the oldest");
    assert!(devices.hits.count(Limit::Devices) > 28_000);
}
