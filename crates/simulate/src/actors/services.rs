//! What keeps a network running: ARP, LLDP, spanning tree, DHCP renewals and name look-ups.

use testkit::{Arp, Eth, Llc, Stack};

use super::{Actor, Periodic};
use crate::cx::Cx;
use crate::network::{
    BACKUP, BROADCAST, CLOCK, DNS, GATEWAY, HISTORIAN, HMI, Host, JUMP, METER, OUTSTATION, PLC, RELAYS, RTUS, SCADA,
    SITE_SCANNER, SWITCH, WORKSTATION,
};
use crate::rng::Rng;
use crate::time::{MINUTE, MS, Micros, SECOND};
use crate::{dhcp, dns, lldp, stp};

pub(crate) fn actors(seed: u64) -> Vec<Box<dyn Actor>> {
    let mut out: Vec<Box<dyn Actor>> = Vec::new();
    out.push(Box::new(Periodic::new(seed, "stp", 2 * SECOND, MS, |now, cx: &mut Cx<'_>, _: &mut Rng| {
        let llc = Llc { dsap: 0x42, ssap: 0x42, control: 3 };
        let stack = Stack::new().eth(SWITCH.mac, stp::GROUP).add(llc).payload(&stp::hello(SWITCH.mac, 9));
        cx.send(now, stack);
    })));
    let systems = [(&SWITCH, "port 9", "Hirschmann RSP35 HiOS 9.0", 4)];
    let relays = RELAYS.iter().map(|relay| (relay, "1A", "SEL-451-5 R325", 128));
    for (host, port, text, capability) in systems.into_iter().chain(relays) {
        out.push(Box::new(neighbour(seed, host, port, text, capability)));
    }
    for (asker, sought) in ARP_PAIRS {
        let name = format!("arp {} {}", asker.name, sought.name);
        let ask = move |now, cx: &mut Cx<'_>, rng: &mut Rng| arp(cx, now, asker, sought, rng);
        let mut asks = Periodic::new(seed, &name, 4 * SECOND, 66 * SECOND, ask);
        asks.memoryless = true;
        out.push(Box::new(asks));
    }
    for client in [&HMI, &WORKSTATION, &JUMP] {
        out.push(Box::new(renewal(seed, client)));
        let name = format!("dns {}", client.name);
        out.push(Box::new(Periodic::new(
            seed,
            &name,
            MINUTE,
            4 * MINUTE,
            move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
                let names = [
                    ("historian", Some(&HISTORIAN)),
                    ("scada-fe", Some(&SCADA)),
                    ("clock", Some(&CLOCK)),
                    ("wpad", None),
                ];
                let (name, host) = names[rng.between(0, 40) as usize % 13 % 4];
                lookup(cx, now, client, name, host, rng);
            },
        )));
    }
    out
}

static ARP_PAIRS: [(&Host, &Host); 16] = [
    (&SCADA, &RTUS[0]),
    (&SCADA, &RTUS[1]),
    (&SCADA, &METER),
    (&SCADA, &PLC),
    (&SCADA, &OUTSTATION),
    (&HISTORIAN, &RELAYS[0]),
    (&HMI, &HISTORIAN),
    (&HMI, &GATEWAY),
    (&HMI, &DNS),
    (&WORKSTATION, &GATEWAY),
    (&METER, &CLOCK),
    (&RTUS[0], &SCADA),
    (&BACKUP, &SCADA),
    (&BACKUP, &CLOCK),
    (&JUMP, &GATEWAY),
    (&SITE_SCANNER, &CLOCK),
];

/// A broadcast question for a host's hardware address and its answer.
pub(crate) fn arp(cx: &mut Cx<'_>, at: Micros, asker: &Host, sought: &Host, rng: &mut Rng) {
    let (asks, owns) = (asker.ip().octets(), sought.ip().octets());
    let request = Arp { op: 1, sender_mac: asker.mac, sender_ip: asks, target_mac: [0; 6], target_ip: owns };
    cx.send(at, Stack::new().eth(asker.mac, BROADCAST).add(request));
    let reply = Arp { op: 2, sender_mac: sought.mac, sender_ip: owns, target_mac: asker.mac, target_ip: asks };
    cx.send(at + rng.between(80, 600), Stack::new().eth(sought.mac, asker.mac).add(reply));
}

/// A look-up in the station's zone; returns when the answer is there.
pub(crate) fn lookup(
    cx: &mut Cx<'_>,
    at: Micros,
    client: &Host,
    name: &str,
    host: Option<&Host>,
    rng: &mut Rng,
) -> Micros {
    let name = format!("{name}.station.example");
    let (id, port) = (rng.word() as u16, rng.port());
    cx.udp(at, (client, port), (&DNS, 53), &dns::query(id, &name), rng);
    let answered = at + rng.between(200, 1_800);
    cx.udp(answered, (&DNS, 53), (client, port), &dns::answer(id, &name, host.map(Host::ip)), rng);
    answered
}

fn neighbour(seed: u64, host: &'static Host, port: &'static str, text: &'static str, capability: u16) -> impl Actor {
    let name = format!("lldp {}", host.name);
    Periodic::new(seed, &name, 30 * SECOND, 20 * MS, move |now, cx: &mut Cx<'_>, _: &mut Rng| {
        let eth = Eth { src: host.mac, dst: lldp::GROUP, ethertype: Some(lldp::ETHERTYPE) };
        let body = lldp::advertisement(host.mac, port, host.name, text, capability);
        cx.send(now, Stack::new().add(eth).payload(&body));
    })
}

fn renewal(seed: u64, client: &'static Host) -> impl Actor {
    let (name, half) = (format!("dhcp {}", client.name), u64::from(dhcp::LEASE) * SECOND / 2);
    Periodic::new(seed, &name, half, 3 * SECOND, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        let transaction = rng.word() as u32;
        cx.udp(now, (client, 68), (&GATEWAY, 67), &dhcp::request(transaction, client), rng);
        let answer = dhcp::acknowledge(transaction, client, &GATEWAY, &DNS);
        cx.udp(now + rng.between(MS, 6 * MS), (&GATEWAY, 67), (client, 68), &answer, rng);
    })
}
