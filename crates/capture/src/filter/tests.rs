//! What expressions mean, frame by frame, and that no text makes the compiler fall over.

use gwcore::Ts;
use testkit::Stack;

use super::*;
use crate::LinkType;

fn frame(data: &[u8]) -> Frame<'_> {
    let (link, wire_len) = (LinkType::ETHERNET, data.len() as u32);
    Frame { seq: 0, ts: Ts(0), file: 0, number: 1, interface: 0, link, wire_len, data }
}

fn modbus() -> Stack {
    Stack::new().eth([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
}

/// A TCP packet with SYN, the same with a VLAN tag, an ARP request, a UDP packet of IPv6.
fn frames() -> [Vec<u8>; 4] {
    let tcp = |s: Stack| s.ipv4([10, 0, 0, 1], [10, 0, 0, 2]).tcp(1025, 502).payload(b"hello").bytes();
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
    arp.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
    let mut v6 = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 255];
    v6.extend([
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ]);
    v6.extend([0x14, 0xe9, 0x14, 0xe9, 0, 8, 0, 0]);
    [tcp(modbus()), tcp(modbus().vlan(7)), arp, v6]
}

#[test]
fn the_ethertype_decides_and_a_fragment_header_is_looked_behind() {
    let mut odd = frames()[0].clone();
    // The header says version 15.
    odd[14] = 0xf5;
    let mut fragment = vec![0; 12];
    fragment.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 44, 64]);
    fragment.extend([0; 32]);
    fragment.extend([6, 0, 0, 1, 0, 0, 0, 9]);
    for (text, expect) in [("tcp", true), ("ip proto 6", true), ("port 502", true), ("ip6", false)] {
        assert_eq!(Filter::parse(text).unwrap().passes(&frame(&odd)), expect, "{text}");
    }
    for (text, expect) in [("tcp", true), ("ip6 proto 44", true), ("udp", false), ("tcp port 0", false)] {
        assert_eq!(Filter::parse(text).unwrap().passes(&frame(&fragment)), expect, "{text}");
    }
}

/// Which of the frames pass.
#[track_caller]
fn check(text: &str, expect: [bool; 4]) {
    let filter = Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(frames().map(|f| filter.passes(&frame(&f))), expect, "{text}");
}

#[test]
fn expressions_mean_what_the_manual_says() {
    const ALL: [bool; 4] = [true; 4];
    const NONE: [bool; 4] = [false; 4];
    const TCP: [bool; 4] = [true, true, false, false];
    const IP4: [bool; 4] = [true, true, true, false];
    check("", ALL);
    check("tcp", TCP);
    check("port 502", TCP);
    check("tcp port 502 and not vlan", [true, false, false, false]);
    check("vlan", [false, true, false, false]);
    check("vlan 7 && port 502", [false, true, false, false]);
    check("vlan 8", NONE);
    check("arp", [false, false, true, false]);
    check("ip6 or arp", [false, false, true, true]);
    check("host 10.0.0.1", IP4);
    check("10.0.0.1", IP4);
    check("ip host 10.0.0.1", TCP);
    check("src host 10.0.0.1", IP4);
    check("dst host 10.0.0.1", NONE);
    check("host 10.0.0.2 or 10.0.0.9", IP4);
    check("src or dst host 10.0.0.2", TCP);
    check("net 10.0.0.0/24", IP4);
    check("net 10", IP4);
    check("net 10.0.0.0 mask 255.255.255.0", IP4);
    check("net 10.0.1.0/24", NONE);
    check("net fe80::/10", [false, false, false, true]);
    check("udp dst portrange 5000-6000", [false, false, false, true]);
    check("src port 502", NONE);
    check("ether host 02:00:00:00:00:01", ALL);
    check("ether src 2:0:0:0:0:2", NONE);
    check("ether dst 02:00:00:00:00:02 or broadcast", IP4);
    check("multicast", [false, false, true, true]);
    check("ip6 multicast", [false, false, false, true]);
    check("ether proto 0x0806", [false, false, true, false]);
    check("ether proto \\arp", [false, false, true, false]);
    check("ip proto 6", TCP);
    check("proto \\udp", [false, false, false, true]);
    check("ip[9] = 6", TCP);
    check("tcp[2:2] = 502", TCP);
    check("tcp[13] & 0xff == 0", NONE);
    check("tcp[tcpflags] & (tcp-syn|tcp-ack) != 0", TCP);
    check("(ip[2:2] - ((ip[0] & 0xf) << 2)) - ((tcp[12] & 0xf0) >> 2) = 5", TCP);
    check("len > 60", [false, true, false, true]);
    check("less 42", [false, false, true, false]);
    check("greater 62 and not (vlan or arp)", [false, false, false, true]);
    check("not not tcp", TCP);
}

#[test]
fn and_and_or_bind_alike_as_in_libpcap() {
    // (arp or tcp) and vlan, not arp or (tcp and vlan).
    check("arp or tcp and vlan", [false, true, false, false]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let wrong = |text: &str| Filter::parse(text).unwrap_err().to_string();
    assert_eq!(wrong("host"), "something is missing at character 5");
    assert_eq!(wrong("port 70000"), "`70000` is no port at character 6");
    assert_eq!(wrong("host plc-7"), "`plc-7` is no address (names are not looked up) at character 6");
    assert_eq!(wrong("tcp and (udp"), "`)` is missing at character 13");
    assert_eq!(wrong("net 10.0.0.1/24"), "the address has bits outside of its network at character 14");
    assert_eq!(wrong("tcp udp"), "`udp` does not belong here at character 5");
    assert!(wrong(&"not ".repeat(70)).starts_with("nested too deep"));
    assert!(wrong(&"(".repeat(70_000)).starts_with("more than"));
}

#[test]
fn no_text_makes_it_fall_over() {
    let words = [
        "tcp",
        "host",
        "10.0.0.1",
        "(",
        ")",
        "[",
        "]",
        "and",
        "or",
        "not",
        "port",
        "502",
        "=",
        "&",
        ":",
        "len",
        "-",
        "vlan",
        "net",
        "/",
        "24",
        "ether",
        "src",
        "dst",
        "proto",
        "\\tcp",
        "é",
        "!=",
        "ip[",
        "mask",
        "fe80::1",
        "00:11:22:33:44:55",
    ];
    let (mut state, frames) = (7u64, frames());
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[(state >> 33) as usize % words.len()]);
            text.push_str(if state & 1 << 40 == 0 { " " } else { "" });
        }
        if let Ok(filter) = Filter::parse(&text) {
            for f in &frames {
                for cut in [0, 13, 20, 40, f.len()] {
                    filter.passes(&frame(&f[..cut.min(f.len())]));
                }
            }
        }
    }
}
