//! Attacks that need no session of the capture: probes, floods, a server on the internet, a second publisher.

use std::net::Ipv4Addr;

use super::Failure;
use super::goose::Spoof;
use super::plot::{MS, Plot, SECOND, Scene, untried};
use super::site::{Host, Nanos, Publisher};
use super::wire::{Conn, Frames, arp, probe};
use crate::rng::Rng;
use crate::tcp::{Port, Side};
use crate::{Role, tls};

/// Devices whose ports are probed.
const PROBED: usize = 5;
/// Ports that are always among the probed.
const USUAL: [u16; 24] = [
    102, 502, 2_404, 4_840, 20_000, 34_980, 44_818, 47_808, 21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 161, 389,
    443, 445, 993,
];
/// Half-open connections that a device holds.
const BACKLOG: u16 = 64;
/// Records of 16 000 octets that go out.
const RECORDS: u32 = 200;
/// The server on the internet; its name belongs to nobody (RFC 2606, RFC 5737).
const NAME: &str = "cdn.telemetry-cache.example";
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 88);
/// A router that the capture does not show.
const GATEWAY: [u8; 6] = [0x00, 0x90, 0xe8, 0x41, 0x10, 0x01];
/// First retransmission of a GOOSE state.
const T1: Nanos = 4 * MS;

fn plot(actor: String, targets: Vec<String>, frames: Frames) -> Plot {
    Plot { actor, targets, frames, sessions: Vec::new() }
}

/// The devices of interest: outstations first, then whoever talks most.
fn devices(scene: &Scene<'_>) -> Vec<Host> {
    let outstations: Vec<Ipv4Addr> = scene.pairs().into_iter().map(|pair| pair.server).collect();
    let router = scene.site.router();
    let mut devices: Vec<Host> = scene.site.hosts.values().filter(|host| Some(host.mac) != router).cloned().collect();
    let place = |host: &Host| outstations.iter().position(|ip| *ip == host.ip).unwrap_or(usize::MAX);
    devices.sort_by_key(|host| (place(host), std::cmp::Reverse(host.frames), host.ip));
    devices
}

pub(super) fn scan(scene: &mut Scene<'_>) -> Result<Plot, Failure> {
    let devices = devices(scene);
    let Some(first) = devices.first() else { return untried("the capture shows no IPv4 host") };
    let master = scene.pairs().first().map(|pair| pair.client);
    let actor = scene.actor(Some(first.ip), master)?;
    let targets: Vec<Host> = devices.into_iter().filter(|host| host.ip != actor.ip).take(PROBED).collect();
    if targets.is_empty() {
        return untried("the capture shows no other device");
    }
    let mut at = scene.moment(33, 60);
    let rng = &mut scene.rng;
    let mut ports: Vec<u16> = USUAL.into_iter().chain((0..96).map(|_| rng.between(1, 1_025) as u16)).collect();
    ports.sort_unstable();
    ports.dedup();
    for i in (1..ports.len()).rev() {
        ports.swap(i, rng.between(0, i as u64 + 1) as usize);
    }
    let (mut frames, mut source) = (Vec::new(), rng.between(33_000, 60_000) as u16);
    for target in &targets {
        if scene.role == Role::New {
            arp(&mut frames, at, &actor, target, rng);
            at += MS;
        }
        for port in &ports {
            source = source.wrapping_add(1).max(1_024);
            let state = if target.serves.contains(port) { Port::Open } else { Port::Closed };
            probe(&mut frames, at, (&actor, source), (target, *port), state, rng);
            at += 10 * MS + rng.between(0, 50_000_000) as Nanos;
        }
        at += SECOND;
    }
    Ok(plot(actor.ip.to_string(), targets.iter().map(|host| host.ip.to_string()).collect(), frames))
}

pub(super) fn flood(scene: &mut Scene<'_>) -> Result<Plot, Failure> {
    let busiest = scene.pairs().first().map(|pair| (pair.server, pair.port));
    let master = scene.pairs().first().map(|pair| pair.client);
    let serves = || scene.site.hosts.values().find_map(|host| Some((host.ip, *host.serves.first()?)));
    let Some((ip, port)) = busiest.or_else(serves) else {
        return untried("nobody in the capture accepts a connection");
    };
    let Some(target) = scene.site.hosts.get(&ip).cloned() else { return untried("the outstation is never heard") };
    let actor = scene.actor(Some(ip), master)?;
    let mut at = scene.moment(50, 70);
    let until = at + (scene.site.span() / 20).clamp(8 * SECOND, 30 * SECOND);
    let mut frames = Vec::new();
    if scene.role == Role::New {
        arp(&mut frames, at, &actor, &target, &mut scene.rng);
        at += MS;
    }
    let mut sent = 0;
    while at < until {
        let state = if sent < BACKLOG { Port::Open } else { Port::Filtered };
        probe(&mut frames, at, (&actor, 10_000 + sent), (&target, port), state, &mut scene.rng);
        sent += 1;
        at += scene.draw(MS, 5 * MS);
    }
    Ok(plot(actor.ip.to_string(), vec![ip.to_string()], frames))
}

/// The server as the site sees it: behind its router.
fn server(scene: &Scene<'_>, actor: &Host) -> Host {
    Host {
        ip: OUTSIDE,
        mac: scene.site.router().unwrap_or(GATEWAY),
        tags: actor.tags.clone(),
        ttl: 49,
        window: 501,
        syn: Some((64_240, vec![2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7])),
        id: 0,
        serves: Default::default(),
        connects: false,
        frames: 0,
    }
}

fn shake_hands(at: Nanos, client: (&Host, u16), server: &Host, rng: &mut Rng) -> Conn {
    let mut conn = Conn::open(at, client, (server, 443), rng);
    let session = rng.bytes::<32>();
    let wait = |conn: &Conn, ms: u64, rng: &mut Rng| conn.last() + rng.between(ms * 1_000_000, ms * 3_000_000) as Nanos;
    let at = wait(&conn, 1, rng);
    conn.send(at, Side::Client, &tls::client_hello(NAME, &session, rng));
    let mut flight = tls::server_hello(&session, rng);
    for len in [10, 2_310, 264, 52] {
        flight.extend(tls::sealed(len, rng));
    }
    let at = wait(&conn, 15, rng);
    conn.send(at, Side::Server, &flight);
    let at = wait(&conn, 1, rng);
    conn.send(at, Side::Client, &[&tls::CHANGE_CIPHER_SPEC[..], &tls::sealed(52, rng)].concat());
    conn
}

pub(super) fn beacon(scene: &mut Scene<'_>) -> Result<Plot, Failure> {
    let actor = scene.actor(None, None)?;
    let server = server(scene, &actor);
    let (mut at, until) = (scene.moment(20, 33), scene.moment(90, 96));
    let period = (scene.site.span() / 40).clamp(5 * SECOND, 60 * SECOND);
    let (mut frames, mut port) = (Vec::new(), scene.rng.between(49_152, 60_000) as u16);
    while at < until {
        port = port.wrapping_add(1).max(49_152);
        let rng = &mut scene.rng;
        let mut conn = shake_hands(at, (&actor, port), &server, rng);
        let size = rng.between(180, 260) as usize;
        let sent = conn.last() + rng.between(1_000_000, 4_000_000) as Nanos;
        conn.send(sent, Side::Client, &tls::sealed(size, rng));
        let answered = conn.last() + rng.between(18_000_000, 40_000_000) as Nanos;
        conn.send(answered, Side::Server, &tls::sealed(96, rng));
        conn.close(conn.last() + 2 * MS);
        frames.append(&mut conn.frames);
        at += period / 10 * 9 + scene.draw(0, period / 5);
    }
    Ok(plot(actor.ip.to_string(), vec![OUTSIDE.to_string()], frames))
}

pub(super) fn exfiltration(scene: &mut Scene<'_>) -> Result<Plot, Failure> {
    let actor = scene.actor(None, None)?;
    let server = server(scene, &actor);
    let (at, port) = (scene.moment(50, 80), scene.rng.port());
    let rng = &mut scene.rng;
    let mut conn = shake_hands(at, (&actor, port), &server, rng);
    for _ in 0..RECORDS {
        let at = conn.last() + rng.between(10_000_000, 250_000_000) as Nanos;
        conn.send(at, Side::Client, &tls::sealed(16_000, rng));
    }
    let at = conn.last() + 20 * MS;
    conn.send(at, Side::Server, &tls::sealed(180, rng));
    conn.close(conn.last() + MS);
    Ok(plot(actor.ip.to_string(), vec![OUTSIDE.to_string()], conn.frames))
}

pub(super) fn goose_spoof(scene: &mut Scene<'_>) -> Result<Plot, Failure> {
    let mut publishers: Vec<&Publisher> = scene.site.publishers.values().collect();
    if publishers.is_empty() {
        return untried("nobody publishes GOOSE in the capture");
    }
    publishers.sort_by_key(|publisher| (std::cmp::Reverse(publisher.frames), publisher.mac));
    let spoofs = |publisher: &&Publisher| Spoof::read(&publisher.frame, body_at(&publisher.frame)).is_some();
    let Some(victim) = publishers.into_iter().find(spoofs).cloned() else {
        return untried("no publisher reports a switch or a signal that could be turned");
    };
    let others = || scene.site.publishers.values().map(|p| p.mac).chain(scene.site.hosts.values().map(|host| host.mac));
    let mac = match scene.role {
        Role::Known => others().find(|mac| *mac != victim.mac),
        _ => None,
    };
    let mac = match (scene.role, mac) {
        (Role::Known, None) => return untried("the capture shows no second device"),
        (_, Some(mac)) => mac,
        (_, None) => [0x00, 0xe0, 0x4c, scene.rng.word() as u8, scene.rng.word() as u8, scene.rng.word() as u8],
    };
    let begin = scene.moment(50, 70);
    let until = begin + (scene.site.span() / 20).clamp(6 * SECOND, 60 * SECOND);
    let steady = victim.period.clamp(SECOND / 2, 10 * SECOND);
    // What the publisher says just before is what the false state follows.
    let latest = latest(scene, &victim, begin)?;
    let Some(mut spoof) = Spoof::read(&latest, body_at(&latest)) else {
        return untried("the publisher is silent by then");
    };
    spoof.change(begin - 2 * MS);
    let (mut frames, mut at, mut wait) = (Vec::new(), begin, T1);
    while at < until {
        let allowed = (wait / MS * 2).clamp(20, 60_000) as u32;
        frames.push((at, spoof.frame(mac, allowed)));
        at += wait + scene.draw(0, MS / 3);
        wait = (wait * 2).min(steady);
    }
    Ok(plot(text(mac), vec![text(victim.mac)], frames))
}

/// Where what follows the EtherType begins.
fn body_at(frame: &[u8]) -> usize {
    super::reader::read(frame).map_or(14, |seen| 14 + seen.tags.len())
}

/// The last frame of a publisher before a time.
fn latest(scene: &Scene<'_>, victim: &Publisher, before: Nanos) -> Result<Vec<u8>, Failure> {
    let name = super::goose::name(victim.frame.get(body_at(&victim.frame)..).unwrap_or_default()).map(<[u8]>::to_vec);
    let mut latest = Vec::new();
    scene.source.each(|frame| {
        let is_his = frame.data.get(6..12) == Some(&victim.mac) && frame.data.len() <= super::goose::LONGEST;
        if is_his && super::goose::name(frame.data.get(body_at(frame.data)..).unwrap_or_default()) == name.as_deref() {
            latest.clear();
            latest.extend_from_slice(frame.data);
        }
        Ok(frame.ts.0 < before)
    })?;
    Ok(latest)
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
