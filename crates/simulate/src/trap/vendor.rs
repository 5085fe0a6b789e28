//! A vendor logs in at the jump host from far away, and from there looks at the PLC and at a relay.

use crate::Trap;
use crate::actors::{modbus, web};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, JUMP, PLC, RELAYS, VENDOR};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{MINUTE, MS, Micros, SECOND};
use crate::tls;

/// Connection request and confirm of RDP with TLS asked for and granted (MS-RDPBCGR 2.2.1.1 and 2.2.1.2).
const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 1, 0, 0, 0];

pub(crate) struct Vendor {
    rng: Rng,
    begin: Micros,
    until: Micros,
    conn: Option<Conn>,
    steps: u32,
}

impl Vendor {
    /// For up to half an hour.
    pub(crate) fn new(mut rng: Rng, plant: &Plant) -> Vendor {
        let length = ((plant.end - plant.start) / 6).min(30 * MINUTE);
        let begin = crate::attack::moment(&mut rng, plant, 10, 75);
        Vendor { rng, begin, until: begin + length, conn: None, steps: 0 }
    }

    fn log_in(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let rng = &mut self.rng;
        let port = rng.port();
        let mut conn = Conn::open(cx, now, (&VENDOR, port), (&JUMP, 3_389), rng);
        let at = conn.last() + 12 * MS;
        let at = conn.send(cx, at, Side::Client, &REQUEST) + rng.between(MS, 6 * MS);
        let at = conn.send(cx, at, Side::Server, &CONFIRM) + rng.between(20 * MS, 40 * MS);
        let session = rng.bytes::<32>();
        let at = conn.send(cx, at, Side::Client, &tls::client_hello("jump-01.station.example", &session, rng));
        let mut flight = tls::server_hello(&session, rng);
        for len in [10, 1_410, 264, 52] {
            flight.extend(tls::sealed(len, rng));
        }
        let at = conn.send(cx, at + rng.between(MS, 8 * MS), Side::Server, &flight) + rng.between(20 * MS, 40 * MS);
        conn.send(cx, at, Side::Client, &[&tls::CHANGE_CIPHER_SPEC[..], &tls::sealed(52, rng)].concat());
        conn.settle(cx, Micros::MAX);
        self.conn = Some(conn);
    }
}

impl Episode for Vendor {
    fn label(&self) -> Label {
        Label::Trap(Trap::Vendor)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (&VENDOR, vec![&JUMP, &PLC, &RELAYS[1]])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let Some(mut conn) = self.conn.take() else {
            self.log_in(cx, now);
            return Some(now + 2 * SECOND);
        };
        if now >= self.until {
            conn.close(cx, now, Side::Client);
            return None;
        }
        let rng = &mut self.rng;
        let at = conn.send(cx, now, Side::Client, &tls::sealed(rng.between(40, 180) as usize, rng));
        let screen = rng.between(300, 12_000) as usize;
        conn.send(cx, at + rng.between(4 * MS, 30 * MS), Side::Server, &tls::sealed(screen, rng));
        let pause = rng.between(300 * MS, 9 * SECOND);
        conn.settle(cx, now + pause);
        self.steps += 1;
        let at = conn.last() + 50 * MS;
        match self.steps {
            4 => modbus::identify(cx, at, &JUMP, &PLC, rng),
            8 => modbus::read_set_points(cx, at, &JUMP, rng),
            14 => web::visit(cx, at, (&JUMP, rng.port()), &RELAYS[1], &["/", "/status.html", "/events.html"], rng),
            _ => {}
        }
        self.conn = Some(conn);
        Some(now + pause)
    }
}
