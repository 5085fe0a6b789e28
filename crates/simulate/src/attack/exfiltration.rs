//! Megabytes go to a server on the internet over TLS.

use super::{Cast, moment, outside};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, OUTSIDE};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{MS, Micros};
use crate::tls;

/// Records of 16 000 octets that are sent.
const RECORDS: u32 = 200;

pub(crate) struct Exfiltration {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    conn: Option<Conn>,
    sent: u32,
}

impl Exfiltration {
    /// Between half and eight tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Exfiltration {
        let begin = moment(&mut rng, plant, 50, 80);
        Exfiltration { cast, rng, begin, conn: None, sent: 0 }
    }
}

impl Episode for Exfiltration {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&OUTSIDE])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let rng = &mut self.rng;
        let Some(mut conn) = self.conn.take() else {
            let at = outside::resolve(cx, now, self.cast.host, rng) + MS;
            let (conn, at) = outside::connect(cx, at, (self.cast.host, rng.port()), rng);
            self.conn = Some(conn);
            return Some(at);
        };
        let at = conn.send(cx, now, Side::Client, &tls::sealed(16_000, rng));
        self.sent += 1;
        if self.sent == RECORDS {
            let at = conn.send(cx, at + 20 * MS, Side::Server, &tls::sealed(180, rng));
            conn.close(cx, at + MS, Side::Client);
            return None;
        }
        let next = at + rng.between(10 * MS, 250 * MS);
        conn.settle(cx, next);
        self.conn = Some(conn);
        Some(next)
    }
}
