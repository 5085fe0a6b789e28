//! The station clock: PTP grandmaster for the relays, NTP server for everything else.

use testkit::{Eth, Stack};

use super::{Actor, Periodic};
use crate::cx::Cx;
use crate::network::{BACKUP, CLOCK, HISTORIAN, HMI, Host, JUMP, METER, RELAYS, SCADA, SITE_SCANNER, WORKSTATION};
use crate::ptp::{GROUP, Kind, grandmaster, message, port_identity};
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND};
use crate::{ntp, ptp};

pub(crate) fn actors(seed: u64) -> Vec<Box<dyn Actor>> {
    let mut out: Vec<Box<dyn Actor>> = vec![Box::new(grandmaster_actor(seed))];
    for (i, relay) in RELAYS.iter().enumerate() {
        out.push(Box::new(slave(seed, i, relay)));
    }
    for client in [&SCADA, &BACKUP, &HMI, &WORKSTATION, &JUMP, &HISTORIAN, &SITE_SCANNER, &METER] {
        out.push(Box::new(ntp_client(seed, client)));
    }
    out
}

/// Announce, Sync and its follow-up each second.
fn grandmaster_actor(seed: u64) -> impl Actor {
    let mut sequence = Rng::new(seed, "ptp sequence").word() as u16;
    Periodic::new(seed, "ptp master", SECOND, 900, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        sequence = sequence.wrapping_add(1);
        let sent = now + rng.between(120, 400);
        let announce = message(Kind::Announce, CLOCK.mac, sequence, None, &grandmaster(CLOCK.mac));
        ptp_frame(cx, now, &CLOCK, &announce);
        ptp_frame(cx, sent, &CLOCK, &message(Kind::Sync, CLOCK.mac, sequence, None, &[]));
        let followed = sent + rng.between(300, 900);
        ptp_frame(cx, followed, &CLOCK, &message(Kind::FollowUp, CLOCK.mac, sequence, Some(sent), &[]));
    })
}

/// Delay request of a relay and the clock's response.
fn slave(seed: u64, relay: usize, host: &'static Host) -> impl Actor {
    let mut sequence = 0u16;
    let name = ["ptp a", "ptp b", "ptp c"][relay % 3];
    Periodic::new(seed, name, 8 * SECOND, 50 * MS, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        sequence = sequence.wrapping_add(1);
        ptp_frame(cx, now, host, &message(Kind::DelayRequest, host.mac, sequence, None, &[]));
        let answered = now + rng.between(200, 600);
        let to = port_identity(host.mac);
        ptp_frame(cx, answered, &CLOCK, &message(Kind::DelayResponse, CLOCK.mac, sequence, Some(now + 3), &to));
    })
}

fn ptp_frame(cx: &mut Cx<'_>, at: Micros, from: &Host, message: &[u8]) {
    let eth = Eth { src: from.mac, dst: GROUP, ethertype: Some(ptp::ETHERTYPE) };
    cx.send(at, Stack::new().add(eth).payload(message));
}

/// A client that asks each 64 seconds.
fn ntp_client(seed: u64, host: &'static Host) -> impl Actor {
    let name = format!("ntp {}", host.name);
    Periodic::new(seed, &name, 64 * SECOND, SECOND, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        let port = if host.ttl == 128 { 123 } else { rng.port() };
        let (arrived, left) = (now + rng.between(90, 300), now + rng.between(320, 600));
        // The client's clock is not quite the clock's.
        let origin = now - rng.between(0, 900);
        cx.udp(now, (host, port), (&CLOCK, 123), &ntp::request(6, origin), rng);
        cx.udp(left + 60, (&CLOCK, 123), (host, port), &ntp::answer(6, origin, arrived, left), rng);
    })
}
