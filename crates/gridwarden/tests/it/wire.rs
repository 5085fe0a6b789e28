//! Decoded findings from the bytes on: small captures made with our own builder, each with what must be found in it, and near misses.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::flag::{ACK, PSH};
use testkit::{Arp, Eth, Pcap, Session, Stack};

use crate::program::analyze;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const START: i64 = 1_700_000_000 * SECOND;

/// A MAC address that a maker gave.
const NIC: [u8; 6] = [0, 0, 0, 0, 0, 7];

/// Frames with their times.
type Frames = Vec<(i64, Vec<u8>)>;

/// Modbus/TCP: transaction, unit, PDU.
fn modbus(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let [a, b] = transaction.to_be_bytes();
    [&[a, b, 0, 0, 0, pdu.len() as u8 + 1, unit], pdu].concat()
}

/// A DNP3 link frame of one fragment, with CRCs by long division.
fn dnp3(control: u8, dst: u16, src: u16, seq: u8, fragment: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        let mut crc = 0u16;
        for bit in bytes.iter().flat_map(|b| (0..8).map(move |i| u16::from(b >> i & 1))) {
            crc = crc >> 1 ^ if (crc ^ bit) & 1 == 1 { 0xa6bc } else { 0 };
        }
        (!crc).to_le_bytes()
    };
    let data = [&[0xc0 | seq & 0x3f], fragment].concat();
    let mut out = vec![0x05, 0x64, 5 + data.len() as u8, control];
    out.extend([dst.to_le_bytes(), src.to_le_bytes()].concat());
    out.extend(sum(&out));
    for block in data.chunks(16) {
        out.extend(block);
        out.extend(sum(block));
    }
    out
}

/// Master 3 to an outstation.
fn ask(outstation: u16, seq: u8, fragment: &[u8]) -> Vec<u8> {
    dnp3(0xc4, outstation, 3, seq, &[&[0xc0 | seq & 15], fragment].concat())
}

/// Outstation 4 to master 3.
fn tell(seq: u8, fragment: &[u8]) -> Vec<u8> {
    dnp3(0x44, 3, 4, seq, &[&[0xc0 | seq & 15], fragment].concat())
}

/// IEC 104, I format: one object at address 5 of common address 1.
fn i104(send: u16, recv: u16, type_id: u8, cause: u8, element: &[u8]) -> Vec<u8> {
    let ([a, b], [c, d]) = ((send << 1).to_le_bytes(), (recv << 1).to_le_bytes());
    [&[0x68, 13 + element.len() as u8, a, b, c, d, type_id, 1, cause, 0, 1, 0, 5, 0, 0], element].concat()
}

/// A session to `port` at `at` from 10.0.0.`client`.
fn session(at: i64, client: u8, port: u16) -> Session {
    let mut s = Session::new(START + at, port);
    (s.client.mac, s.client.ip) = ([2, 0, 0, 0, 0, client], std::net::Ipv4Addr::new(10, 0, 0, client).into());
    (s.client.port, s.client.seq) = (49_152 + (at / SECOND % 10_000) as u16, 5_000);
    s.open();
    s
}

/// One client asks, the server answers each time.
fn talk(port: u16, exchanges: &[(Vec<u8>, Vec<u8>)]) -> Frames {
    let mut s = session(0, 1, port);
    for (question, answer) in exchanges {
        s.client(question);
        if !answer.is_empty() {
            s.server(answer);
        }
    }
    s.close();
    s.frames
}

fn one_modbus(pdu: &[u8], answer: &[u8]) -> Frames {
    let read = (modbus(1, 1, &[3, 0, 0, 0, 1]), modbus(1, 1, &[3, 2, 0, 7]));
    talk(502, &[read, (modbus(2, 1, pdu), modbus(2, 1, answer))])
}

fn one_dnp3(outstation: u16, fragment: &[u8]) -> Frames {
    let read = (ask(4, 1, &[1, 60, 2, 6]), tell(1, &[0x81, 0, 0]));
    talk(20_000, &[read, (ask(outstation, 2, fragment), Vec::new())])
}

fn one_104(type_id: u8, cause: u8, element: &[u8]) -> Frames {
    let start = (vec![0x68, 4, 7, 0, 0, 0], vec![0x68, 4, 11, 0, 0, 0]);
    talk(2_404, &[start, (i104(0, 0, type_id, cause, element), i104(0, 1, type_id, 7, element))])
}

fn http(user: &str, status: &str, n: i64) -> Frames {
    let mut all = Frames::new();
    for i in 0..n {
        let mut s = session(i * SECOND, 1, 80);
        s.client(format!("GET / HTTP/1.1\r\nHost: rtu\r\nAuthorization: Basic {user}\r\n\r\n").as_bytes());
        s.server(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).close();
        all.extend(s.frames);
    }
    all
}

/// Short sessions with a service, a step apart.
fn logins(port: u16, n: i64, step: i64) -> Frames {
    let mut all = Frames::new();
    for i in 0..n {
        let mut s = session(i * step, 1, port);
        s.server(b"SSH-2.0-rtu\r\n").client(b"SSH-2.0-guess\r\n").server(&[7; 900]).client(&[8; 900]).close();
        all.extend(s.frames);
    }
    all
}

/// Echo requests to so many hosts, with or without their answers (RFC 792).
fn echoes(n: u8, answered: bool) -> Frames {
    let echo = |from: [u8; 4], to: [u8; 4], kind: u8| {
        let stack = Stack::new().eth([2, 0, 0, 0, 0, from[3]], [2, 0, 0, 0, 0, to[3]]).ipv4(from, to);
        stack.icmp(kind, 0).payload(&[0, 1, 0, 0]).bytes()
    };
    let mut all = Frames::new();
    for i in 0..n {
        let (at, host) = (START + i64::from(i) * SECOND, [10, 0, 0, 100 + i]);
        all.push((at, echo([10, 0, 0, 1], host, 8)));
        if answered {
            all.push((at + 1_000_000, echo(host, [10, 0, 0, 1], 0)));
        }
    }
    all
}

fn arp(at: i64, mac: u8, ip: u8, asks: u8) -> (i64, Vec<u8>) {
    let sender_mac = [2, 0, 0, 0, 0, mac];
    let arp = Arp { op: 1, sender_mac, sender_ip: [10, 0, 0, ip], target_mac: [0; 6], target_ip: [10, 0, 0, asks] };
    (START + at, Stack::new().eth(sender_mac, [255; 6]).add(arp).bytes())
}

/// A reply of a DHCP server: an acknowledgement (RFC 2131).
fn dhcp(at: i64, server: u8) -> (i64, Vec<u8>) {
    let mut m = vec![2, 1, 6, 0, 1, 2, 3, server];
    m.resize(28, 0);
    m.extend([2, 0, 0, 0, 0, 9]);
    m.resize(236, 0);
    m[16..20].copy_from_slice(&[10, 0, 0, 9]);
    m.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 5, 54, 4, 10, 0, 0, server, 255]);
    let stack = Stack::new().eth([2, 0, 0, 0, 0, server], [255; 6]).ipv4([10, 0, 0, server], [255, 255, 255, 255]);
    (START + at, stack.udp(67, 68).payload(&m).bytes())
}

/// A multicast answer of a host for its own address (RFC 6762).
fn mdns(at: i64, mac: [u8; 6], ip: [u8; 4], name: &str) -> (i64, Vec<u8>) {
    let host = [&[name.len() as u8], name.as_bytes(), b"\x05local\0"].concat();
    let message =
        [&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..], &host, &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4], &ip].concat();
    let stack = Stack::new().eth(mac, [1, 0, 0x5e, 0, 0, 0xfb]).ipv4(ip, [224, 0, 0, 251]);
    (START + at, stack.udp(5353, 5353).payload(&message).bytes())
}

/// A configuration BPDU that names a root (IEEE 802.1D §9.3.1).
fn bpdu(at: i64, root: u8) -> (i64, Vec<u8>) {
    let id = [0x80, 0, 2, 0, 0, 0, 0, root];
    let body = [&[0, 0, 0, 0, 0][..], &id, &[0; 4], &id, &[0x80, 1, 0, 0, 20, 0, 2, 0, 15, 0]].concat();
    let llc = [&[0x42, 0x42, 3], &body[..]].concat();
    let eth = Eth { src: [2, 0, 0, 0, 0, root], dst: [1, 0x80, 0xc2, 0, 0, 0], ethertype: Some(llc.len() as u16) };
    (START + at, Stack::new().add(eth).payload(&llc).bytes())
}

fn redirect() -> (i64, Vec<u8>) {
    let inner = Stack::new().eth([0; 6], [0; 6]).ipv4([10, 0, 0, 1], [10, 9, 9, 9]).udp(5, 6).payload(&[0; 8]).bytes();
    let body = [&[10, 0, 0, 66], &inner[14..]].concat();
    let stack = Stack::new().eth([2, 0, 0, 0, 0, 66], [2, 0, 0, 0, 0, 1]).ipv4([10, 0, 0, 66], [10, 0, 0, 1]);
    (START, stack.icmp(5, 1).payload(&body).bytes())
}

/// Connections that are refused: to ports of one host, or to one port of hosts.
fn refused(n: u8, hosts: bool) -> Frames {
    let mut all = Frames::new();
    for i in 0..n {
        let mut s = Session::new(START + i64::from(i) * SECOND, if hosts { 502 } else { 1_000 + u16::from(i) });
        if hosts {
            s.server.ip = std::net::Ipv4Addr::new(10, 0, 1, i).into();
        }
        s.segment(true, testkit::flag::SYN, &[]).reset(false);
        all.extend(s.frames);
    }
    all
}

/// Short connections to an internet address, `jitter` apart from a steady minute.
fn beat(n: i64, jitter: i64) -> Frames {
    let mut all = Frames::new();
    for i in 0..n {
        let mut s = session(i * MINUTE + i % 2 * jitter, 1, 4_433);
        s.frames.clear();
        s.server.ip = std::net::Ipv4Addr::new(198, 51, 100, 7).into();
        s.open().client(b"x").close();
        all.extend(s.frames);
    }
    all
}

/// IEC 104 from two masters; the first goes on to get data.
fn two_masters() -> Frames {
    let start = [0x68, 4, 7, 0, 0, 0];
    let confirm = [0x68, 4, 11, 0, 0, 0];
    let mut first = session(0, 1, 2_404);
    first.client(&start).server(&confirm);
    for n in 0..12 {
        first.wait(10 * SECOND).server(&i104(n, 0, 1, 3, &[1]));
    }
    let mut second = session(30 * SECOND, 9, 2_404);
    second.client(&start).server(&confirm);
    [first.frames, second.frames].concat()
}

/// Spontaneous reports every 10 s, then link tests alone.
fn reports(n: u16, tests: bool) -> Frames {
    let mut s = session(0, 1, 2_404);
    s.client(&[0x68, 4, 7, 0, 0, 0]).server(&[0x68, 4, 11, 0, 0, 0]);
    for send in 0..n {
        s.wait(10 * SECOND).server(&i104(send, 0, 1, 3, &[1]));
    }
    for _ in 0..20 {
        s.wait(20 * SECOND);
        if tests {
            s.client(&[0x68, 4, 0x43, 0, 0, 0]).server(&[0x68, 4, 0x83, 0, 0, 0]);
        }
    }
    // The segment goes on.
    s.frames.extend((0..u32::from(n) * 10 + 400).map(|t| arp(i64::from(t) * SECOND, 50, 50, 51)));
    s.frames
}

/// DNP3 time sets, off packet time by so many seconds each.
fn clocks(off: &[i64]) -> Frames {
    let mut s = session(0, 1, 20_000);
    for (n, off) in off.iter().enumerate() {
        s.wait(MINUTE);
        let ms = (s.at + off * SECOND) / 1_000_000;
        let objects = [&[2, 50, 1, 7, 1], &ms.to_le_bytes()[..6]].concat();
        s.client(&ask(4, n as u8 & 15, &objects)).server(&tell(n as u8 & 15, &[0x81, 0, 0]));
    }
    s.frames
}

const CROB: [u8; 16] = [12, 1, 0x17, 1, 5, 0x41, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0];

fn crob(function: u8) -> Vec<u8> {
    [&[function], &CROB[..]].concat()
}

/// Capture, and detector with severity and first technique; no finding above `info` where there is none.
type Case = (&'static str, Frames, Option<(&'static str, &'static str, &'static str)>);

fn configuration() -> Vec<Case> {
    let fact = |technique| Some(("configuration-change", "info", technique));
    let file = |mode: u8| {
        let name = b"a.cfg";
        let head = [26, 0, name.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, mode, 0, 0, 4, 1, 0];
        let content = [&head[..], name].concat();
        [&[25, 70, 3, 0x5b, 1, content.len() as u8, 0], &content[..]].concat()
    };
    vec![
        ("modbus restart", one_modbus(&[8, 0, 1, 0, 0], &[8, 0, 1, 0, 0]), fact("T0816")),
        ("modbus listen only", one_modbus(&[8, 0, 4, 0, 0], &[]), fact("T0858")),
        ("modbus clear counters", one_modbus(&[8, 0, 10, 0, 0], &[8, 0, 10, 0, 0]), fact("T0872")),
        ("modbus read file", one_modbus(&[20, 7, 6, 0, 4, 0, 1, 0, 1], &[20, 5, 4, 6, 0, 7, 0]), fact("T0845")),
        (
            "modbus write file",
            one_modbus(&[21, 9, 6, 0, 4, 0, 7, 0, 1, 6, 175], &[21, 9, 6, 0, 4, 0, 7, 0, 1, 6, 175]),
            fact("T0843"),
        ),
        ("dnp3 cold restart", one_dnp3(4, &[13]), fact("T0816")),
        ("dnp3 stop application", one_dnp3(4, &[18, 90, 1, 6]), fact("T0858")),
        ("dnp3 file to master", one_dnp3(4, &file(1)), fact("T0845")),
        ("dnp3 file to outstation", one_dnp3(4, &file(2)), fact("T0843")),
        ("dnp3 reports off", one_dnp3(4, &[21, 60, 2, 6]), fact("T0878")),
        ("104 reset process", one_104(105, 6, &[1]), fact("T0816")),
        ("104 parameter", one_104(112, 6, &[0, 0, 0x80, 0x3f, 1]), fact("T0836")),
    ]
}

fn conversations() -> Vec<Case> {
    let same = |second: u8| {
        let answer = |value| tell(2, &[0x81, 0, 0, 1, 2, 0, 0, 0, value]);
        talk(
            20_000,
            &[
                (ask(4, 2, &[1, 60, 1, 6]), answer(0x81)),
                (ask(4, 3, &[1, 60, 2, 6]), tell(3, &[0x81, 0, 0])),
                (ask(4, 2, &[1, 60, 1, 6]), [answer(0x81), answer(second)].concat()),
            ],
        )
    };
    let unasked = |n: u8| {
        let read = (ask(4, 1, &[1, 60, 2, 6]), tell(1, &[0x81, 0, 0]));
        let mut s = session(0, 1, 20_000);
        s.client(&read.0).server(&read.1);
        (0..n).for_each(|i| {
            s.wait(SECOND).server(&tell(5 + i, &[0x81, 0, 0]));
        });
        // The capture begins before it.
        let mut frames = vec![arp(-10 * MINUTE, 7, 7, 8)];
        frames.extend(s.frames);
        frames
    };
    let functions = |n: u8| {
        talk(
            502,
            &(1..=n)
                .map(|f| (modbus(f.into(), 1, &[f + 64, 0]), modbus(f.into(), 1, &[f + 192, 1])))
                .collect::<Vec<_>>(),
        )
    };
    let units = |n: u8| {
        talk(
            502,
            &(1..=n)
                .map(|u| (modbus(u.into(), u, &[3, 0, 0, 0, 1]), modbus(u.into(), u, &[3, 2, 0, 7])))
                .collect::<Vec<_>>(),
        )
    };
    let outstation_commands = || {
        let mut s = session(0, 1, 20_000);
        s.client(&ask(4, 1, &[1, 60, 2, 6])).server(&tell(1, &[0x81, 0, 0]));
        s.server(&dnp3(0x44, 3, 4, 2, &[&[0xc2], &crob(5)[..]].concat()));
        s.frames
    };
    let master_reports = || {
        let mut s = session(0, 1, 2_404);
        s.client(&i104(0, 0, 45, 6, &[1])).server(&i104(0, 1, 45, 7, &[1])).client(&i104(1, 1, 1, 3, &[1]));
        s.frames
    };
    vec![
        ("two answers", same(0x01), Some(("answer-contradiction", "high", "T1692.002"))),
        ("one answer twice", same(0x81), None),
        ("unasked three times", unasked(3), Some(("answer-contradiction", "medium", "T1692.002"))),
        ("unasked twice", unasked(2), None),
        ("twelve functions", functions(12), Some(("function-scan", "medium", "T0888"))),
        ("32 units", units(32), Some(("function-scan", "medium", "T0861"))),
        ("31 units", units(31), None),
        ("commanding outstation", outstation_commands(), Some(("role-contradiction", "high", "T1692.001"))),
        ("reporting master", master_reports(), Some(("role-contradiction", "high", "T1692.001"))),
        ("second master", two_masters(), Some(("second-start", "medium", "T0848"))),
        ("restart of all", one_dnp3(0xfffd, &[13]), Some(("unacknowledged-command", "medium", "T1692.001"))),
        ("freeze of all", one_dnp3(0xffff, &[8, 20, 0, 6]), None),
        ("command to all", one_dnp3(0xffff, &crob(5)), Some(("unacknowledged-command", "medium", "T1692.001"))),
        ("no acknowledgement", one_dnp3(4, &crob(6)), Some(("unacknowledged-command", "low", "T1692.001"))),
        ("with acknowledgement", one_dnp3(4, &crob(5)), None),
        ("bad length", one_modbus(&[3, 0, 0, 0, 1, 9, 9], &[3, 2, 0, 7]), Some(("malformed-ot", "low", ""))),
        (
            "another port",
            talk(5_020, &[(modbus(1, 1, &[3, 0, 0, 0, 1]), modbus(1, 1, &[3, 2, 0, 7]))]),
            Some(("unexpected-port", "low", "T0885")),
        ),
        ("reports stop", reports(90, true), Some(("reports-stop", "medium", "T1691.002"))),
        ("link dead too", reports(90, false), None),
        ("clock set wrong", clocks(&[0, 0, 40]), Some(("clock-set", "medium", "T0836"))),
        ("capture's clock", clocks(&[-7_000, -7_000, -7_001]), None),
    ]
}

fn network() -> Vec<Case> {
    let claims = |macs: &[u8]| macs.iter().enumerate().map(|(i, m)| arp(i as i64 * SECOND, *m, 9, 1)).collect();
    let asks = |n: u8| (0..n).map(|i| arp(i64::from(i) * SECOND, 1, 1, 100 + i)).collect();
    let utility = |client: [u8; 4], port: u16| {
        let mut s = Session::new(START, 502);
        s.open().client(&modbus(1, 1, &[3, 0, 0, 0, 1])).server(&modbus(1, 1, &[3, 2, 0, 7]));
        let mut other = Session::new(START + SECOND, port);
        (other.client.ip, other.client.port) = (std::net::Ipv4Addr::from(client).into(), 50_000);
        other.open().client(&modbus(1, 1, &[3, 0, 0, 0, 1])).server(&modbus(1, 1, &[3, 2, 0, 7])).close();
        [s.frames, other.frames].concat()
    };
    // Two devices that introduce themselves, the first of which may have served Modbus before.
    let bearers = |mac: [u8; 6], serves: bool, ip: [u8; 4], name: &str| -> Frames {
        let (mut s, server) = (Session::new(START, 502), [0, 0, 0, 0, 0, 2]);
        s.server.mac = server;
        s.open().client(&modbus(1, 1, &[3, 0, 0, 0, 1])).server(&modbus(1, 1, &[3, 2, 0, 7])).close();
        let std::net::IpAddr::V4(at) = s.server.ip else { panic!("IPv4") };
        let frames = if serves { s.frames } else { Vec::new() };
        [frames, vec![mdns(MINUTE, server, at.octets(), "hmi"), mdns(2 * MINUTE, mac, ip, name)]].concat()
    };
    // An answer through somebody who was captured on both his sides: as the device sent it, then as it arrived.
    let between = |arrived: u8| {
        let mut s = Session::new(START, 502);
        s.open().client(&modbus(1, 1, &[3, 0, 0, 0, 1]));
        let (client, seq) = (s.client.mac, s.server.seq);
        s.client.mac = [2, 0, 0, 0, 0, 9];
        s.segment(false, ACK | PSH, &modbus(1, 1, &[3, 2, 0, 7]));
        (s.client.mac, s.server.mac, s.server.seq) = (client, [2, 0, 0, 0, 0, 9], seq);
        s.segment(false, ACK | PSH, &modbus(1, 1, &[3, 2, 0, arrived]));
        s.frames
    };
    vec![
        ("altered", between(9), Some(("altered-in-transit", "high", "T0830"))),
        ("passed on", between(7), None),
        ("two macs", claims(&[1, 2, 1]), Some(("contested-address", "medium", "T0830"))),
        ("borrowed name", bearers(NIC, true, [10, 0, 0, 1], "hmi"), Some(("borrowed-name", "medium", "T0849"))),
        ("borrowed, nobody serves", bearers(NIC, false, [10, 0, 0, 1], "hmi"), Some(("borrowed-name", "low", "T0849"))),
        ("telephones", bearers([2, 0, 0, 0, 0, 7], false, [10, 0, 0, 1], "hmi"), None),
        ("two networks", bearers(NIC, true, [10, 0, 1, 1], "hmi"), None),
        ("names of their own", bearers(NIC, true, [10, 0, 0, 1], "hmi2"), None),
        ("another mac", claims(&[1, 1, 2, 2]), None),
        ("late dhcp server", vec![dhcp(0, 1), dhcp(11 * MINUTE, 2)], Some(("network-takeover", "medium", "T0830"))),
        ("one dhcp server", vec![dhcp(0, 1), dhcp(11 * MINUTE, 1)], None),
        ("redirect", vec![redirect()], Some(("network-takeover", "low", "T0830"))),
        (
            "another root",
            vec![bpdu(0, 1), bpdu(SECOND, 1), bpdu(2 * SECOND, 2)],
            Some(("network-takeover", "low", "T0830")),
        ),
        ("one root", vec![bpdu(0, 1), bpdu(SECOND, 1)], None),
        ("ports", refused(20, false), Some(("scan", "medium", "T0846.001"))),
        ("nineteen ports", refused(19, false), None),
        ("hosts", refused(20, true), Some(("scan", "medium", "T0846.001"))),
        ("addresses", asks(20), Some(("scan", "medium", "T0846"))),
        ("nineteen addresses", asks(19), None),
        ("default password", http("YWRtaW46YWRtaW4=", "200 OK", 1), Some(("failed-logins", "medium", "T1694.001"))),
        ("own password", http("YWRtaW46WHE3IXBsMg==", "200 OK", 1), None),
        ("ten refusals", http("YTpi", "401 Unauthorized", 10), Some(("failed-logins", "medium", "T0859"))),
        ("nine refusals", http("YTpi", "401 Unauthorized", 9), None),
        ("guesses", logins(22, 20, 10 * SECOND), Some(("failed-logins", "medium", "T0859"))),
        ("too few guesses", logins(22, 19, 10 * SECOND), None),
        ("logs in each minute", logins(22, 40, MINUTE), None),
        ("no log-in service", logins(8_022, 40, SECOND), None),
        ("echo requests", echoes(20, false), Some(("scan", "medium", "T0846.001"))),
        ("echo answers", echoes(20, true), None),
        ("steady beat", beat(13, 0), Some(("beacon", "medium", "T0869"))),
        ("restless", beat(30, 10 * SECOND), None),
        ("from the internet", utility([198, 51, 100, 7], 502), Some(("exposure", "medium", "T0883"))),
        ("from inside", utility([10, 0, 0, 7], 502), None),
    ]
}

#[test]
fn what_is_on_the_wire_is_found_and_what_nearly_is_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let cases: Vec<Case> = [configuration(), conversations(), network()].concat();
    let mut files = Vec::new();
    for (name, frames, _) in &cases {
        let mut frames = frames.clone();
        frames.sort_by_key(|f| f.0);
        let mut pcap = Pcap::nanos(1);
        frames.iter().for_each(|(at, bytes)| {
            pcap.frame(*at, bytes);
        });
        files.push(dir.path().join(format!("{name}.pcap")));
        std::fs::write(files.last().unwrap(), pcap.bytes()).unwrap();
    }
    let run = analyze(&files, &["--separate", "--quiet"]);
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for alert in run.lines("alerts.ndjson") {
        let file = std::path::Path::new(alert["packets"][0]["file"].as_str().unwrap()).file_stem().unwrap();
        found.entry(file.to_string_lossy().into_owned()).or_default().push(alert);
    }
    let mut wrong = Vec::new();
    for (name, _, expect) in &cases {
        let of = found.get(*name).map(Vec::as_slice).unwrap_or_default();
        let said: Vec<String> =
            of.iter().map(|a| format!("{} {} {}", a["detector"], a["severity"], a["attack"][0])).collect();
        let holds = match expect {
            None => of.iter().all(|a| a["severity"] == "info"),
            Some((detector, severity, technique)) => of.iter().any(|a| {
                let first = a["attack"][0].as_str().unwrap_or_default();
                (a["detector"].as_str(), a["severity"].as_str(), first) == (Some(detector), Some(severity), *technique)
            }),
        };
        if !holds {
            wrong.push(format!("{name}: expected {expect:?}, found {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Who stands between is the source, by the one address that is known of him; the last frame is the altered one.
    let last = cases.iter().find(|c| c.0 == "altered").unwrap().1.len();
    let altered = found["altered"].iter().find(|a| a["detector"] == "altered-in-transit").unwrap();
    assert_eq!((&altered["src"]["mac"], &altered["packets"][0]["frame"]), (&"02:00:00:00:00:09".into(), &last.into()));
}
