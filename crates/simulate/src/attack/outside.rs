//! A TLS session with a server on the internet: name, handshake, and what the server is called.

use crate::cx::Cx;
use crate::dns;
use crate::network::{DNS, Host, OUTSIDE};
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{MS, Micros};
use crate::tls;

/// The name asked for; `.example` belongs to nobody (RFC 2606).
const NAME: &str = "cdn.telemetry-cache.example";

/// Asks the station's name server for the server's address; returns when it has answered.
pub(crate) fn resolve(cx: &mut Cx<'_>, at: Micros, client: &Host, rng: &mut Rng) -> Micros {
    let (id, port) = (rng.word() as u16, rng.port());
    cx.udp(at, (client, port), (&DNS, 53), &dns::query(id, NAME), rng);
    let answered = at + rng.between(12 * MS, 45 * MS);
    cx.udp(answered, (&DNS, 53), (client, port), &dns::answer(id, NAME, Some(OUTSIDE.ip())), rng);
    answered
}

/// Connects and shakes hands; returns when the client may send.
pub(crate) fn connect(cx: &mut Cx<'_>, at: Micros, client: (&'static Host, u16), rng: &mut Rng) -> (Conn, Micros) {
    let mut conn = Conn::open(cx, at, client, (&OUTSIDE, 443), rng);
    let session = rng.bytes::<32>();
    let at = conn.last() + rng.between(300, 900);
    let at = conn.send(cx, at, Side::Client, &tls::client_hello(NAME, &session, rng)) + rng.between(15 * MS, 30 * MS);
    let mut flight = tls::server_hello(&session, rng);
    for len in [10, 2_310, 264, 52] {
        flight.extend(tls::sealed(len, rng));
    }
    let at = conn.send(cx, at, Side::Server, &flight) + rng.between(MS, 4 * MS);
    let finish = [&tls::CHANGE_CIPHER_SPEC[..], &tls::sealed(52, rng)].concat();
    let at = conn.send(cx, at, Side::Client, &finish) + rng.between(MS, 4 * MS);
    (conn, at)
}
