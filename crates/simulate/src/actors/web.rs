//! Readers of web pages: the historian polls a relay, the operator looks at relays, the HMI talks TLS to the historian.

use super::services::lookup;
use super::{Actor, Periodic};
use crate::cx::Cx;
use crate::network::{HISTORIAN, HMI, Host, RELAYS};
use crate::plant::Signal;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{MINUTE, MS, Micros, SECOND};
use crate::{http, tls};

pub(crate) fn actors(seed: u64) -> Vec<Box<dyn Actor>> {
    vec![
        Box::new(reader(seed, "web poll", MINUTE, 400 * MS, poll)),
        Box::new(reader(seed, "web operator", 6 * MINUTE, 20 * MINUTE, browse)),
        Box::new(reader(seed, "tls", 4 * MINUTE, 5 * MINUTE, sealed)),
    ]
}

type Session = fn(Micros, &mut Cx<'_>, &mut Rng, u16);

/// A client that opens a connection each time, from the next of its ephemeral ports, so that none is used again too soon.
fn reader(seed: u64, name: &str, period: Micros, jitter: Micros, session: Session) -> impl Actor {
    let mut port = Rng::new(seed, &format!("{name} port")).port();
    Periodic::new(seed, name, period, jitter, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        port = if port < 65_000 { port + 1 } else { 49_152 };
        session(now, cx, rng, port);
    })
}

/// The historian reads a relay's measurements as JSON.
fn poll(now: Micros, cx: &mut Cx<'_>, rng: &mut Rng, port: u16) {
    let mut conn = Conn::open(cx, now, (&HISTORIAN, port), (&RELAYS[0], 80), rng);
    let [volts, amps] = [Signal::Voltage, Signal::Current].map(|signal| cx.plant.value(signal, 0, now));
    let body = format!("{{\"u_kv\":{volts:.3},\"i_a\":{amps:.1},\"closed\":{}}}", cx.plant.closed(0, now));
    let at = conn.last() + MS;
    let done = page(cx, &mut conn, at, &RELAYS[0], "/api/measurements", ("application/json", &body), rng);
    conn.close(cx, done + 2 * MS, Side::Client);
}

/// The operator opens a relay's pages one after the other, reading each.
fn browse(now: Micros, cx: &mut Cx<'_>, rng: &mut Rng, port: u16) {
    let relay = &RELAYS[rng.between(0, 3) as usize % 3];
    let at = lookup(cx, now, &HMI, relay.name, Some(relay), rng) + MS;
    let pages = ["/", "/status.html", "/events.html", "/meter.html", "/settings.html"];
    visit(cx, at, (&HMI, port), relay, &pages[..rng.between(2, 6) as usize], rng);
}

/// Somebody reads pages of a relay, one after the other on one connection; what is under `/files` is a file of records.
pub(crate) fn visit(
    cx: &mut Cx<'_>,
    at: Micros,
    (client, port): (&'static Host, u16),
    relay: &'static Host,
    pages: &[&str],
    rng: &mut Rng,
) {
    let mut conn = Conn::open(cx, at, (client, port), (relay, 80), rng);
    let mut at = conn.last() + MS;
    for path in pages {
        let is_file = path.starts_with("/files");
        let rows = if is_file { rng.between(200, 900) } else { rng.between(4, 60) };
        let lines = (0..rows).map(|row| match is_file {
            true => format!("{row},{},{},{}\r\n", rng.between(0, 4_000), rng.between(0, 4_000), rng.between(0, 4_000)),
            false => format!("<tr><td>{row}</td><td>{}</td></tr>\n", rng.between(0, 10_000)),
        });
        let lines: String = lines.collect();
        let page_of = |lines| {
            let name = relay.name;
            format!("<html><head><title>{name}</title></head><body><table>\n{lines}</table></body></html>\n")
        };
        let (media, body) = if is_file { ("application/octet-stream", lines) } else { ("text/html", page_of(lines)) };
        at = page(cx, &mut conn, at, relay, path, (media, &body), rng) + rng.between(SECOND, 14 * SECOND);
        conn.settle(cx, at);
    }
    conn.close(cx, at, Side::Client);
}

fn page(
    cx: &mut Cx<'_>,
    conn: &mut Conn,
    at: Micros,
    host: &Host,
    path: &str,
    (media, body): (&str, &str),
    rng: &mut Rng,
) -> Micros {
    let agent = if media != "application/json" { "Mozilla/5.0 (Windows NT 10.0; Win64; x64)" } else { "historian/3.1" };
    let asked = conn.send(cx, at, Side::Client, &http::get(&host.ip().to_string(), path, agent));
    let answered = asked + rng.between(4 * MS, 30 * MS);
    conn.send(cx, answered, Side::Server, &http::ok(answered, media, body))
}

/// A TLS session with the historian: handshake, some trend queries, alert and close.
fn sealed(now: Micros, cx: &mut Cx<'_>, rng: &mut Rng, port: u16) {
    let at = lookup(cx, now, &HMI, HISTORIAN.name, Some(&HISTORIAN), rng) + MS;
    let mut conn = Conn::open(cx, at, (&HMI, port), (&HISTORIAN, 443), rng);
    let session = rng.bytes::<32>();
    let hello = tls::client_hello("historian.station.example", &session, rng);
    let at = conn.last() + rng.between(200, 900);
    let at = conn.send(cx, at, Side::Client, &hello) + rng.between(MS, 4 * MS);
    // Encrypted extensions, certificate chain, its proof and the finish, each sealed.
    let mut flight = tls::server_hello(&session, rng);
    for len in [10, 1_850, 264, 52] {
        flight.extend(tls::sealed(len, rng));
    }
    let at = conn.send(cx, at, Side::Server, &flight) + rng.between(MS, 3 * MS);
    let finish = [&tls::CHANGE_CIPHER_SPEC[..], &tls::sealed(52, rng)].concat();
    let mut at = conn.send(cx, at, Side::Client, &finish) + MS;
    for _ in 0..rng.between(2, 12) {
        let asked = conn.send(cx, at, Side::Client, &tls::sealed(rng.between(180, 420) as usize, rng));
        let size = rng.between(300, 9_000) as usize;
        let answered = conn.send(cx, asked + rng.between(3 * MS, 40 * MS), Side::Server, &tls::sealed(size, rng));
        conn.settle(cx, Micros::MAX);
        at = answered + rng.between(SECOND, 12 * SECOND);
    }
    let at = conn.send(cx, at, Side::Client, &tls::sealed(2, rng)) + 300;
    conn.close(cx, at, Side::Client);
}
