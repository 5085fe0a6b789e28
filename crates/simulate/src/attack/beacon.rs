//! An implant reports to a server on the internet again and again, each time over a short TLS session.

use super::{Cast, moment, outside, share};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, OUTSIDE};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::{MINUTE, MS, Micros, SECOND};
use crate::tls;

pub(crate) struct Beacon {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    until: Micros,
    period: Micros,
    port: u16,
}

impl Beacon {
    /// From the first third to the last tenth of the run, each minute give or take a tenth; in short runs more often.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Beacon {
        let (begin, until) = (moment(&mut rng, plant, 20, 33), moment(&mut rng, plant, 90, 96));
        let period = share(plant, 40, (5 * SECOND, MINUTE));
        let port = rng.between(49_152, 60_000) as u16;
        Beacon { cast, rng, begin, until, period, port }
    }
}

impl Episode for Beacon {
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
        self.port += 1;
        let at = outside::resolve(cx, now, self.cast.host, rng) + MS;
        let (mut conn, at) = outside::connect(cx, at, (self.cast.host, self.port), rng);
        let size = rng.between(180, 260) as usize;
        let at = conn.send(cx, at, Side::Client, &tls::sealed(size, rng)) + rng.between(18 * MS, 40 * MS);
        let at = conn.send(cx, at, Side::Server, &tls::sealed(96, rng)) + rng.between(MS, 5 * MS);
        conn.close(cx, at, Side::Client);
        let next = now + self.period * 9 / 10 + rng.between(0, self.period / 5);
        (next < self.until).then_some(next)
    }
}
