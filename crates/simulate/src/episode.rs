//! What attacks and traps have in common: they act beside the benign actors, and see what those send.
//!
//! An episode is an [`Actor`](crate::actors::Actor)-like thing with a label. It can
//!
//! - send frames of its own in `wake`, from any device: `Conn::open` and `Conn::send` for TCP, `cx.udp`, and `cx.send` with a `Stack` for
//!   Ethernet. All frames sent then carry the episode's label;
//! - open a session of its own as the front end would, `cx.open(Session::Plc, host, …)`: connection, start-up, polls in the usual rhythm;
//! - order something of a session, its own or the front end's (`cx.benign(Session::Plc)`), with `cx.order(handle, at, Task::…, rng)`. The
//!   session does it between its own exchanges, so that sequence numbers, checksums and IEC 104 numbers stay right. The order's
//!   frames are labelled, and it has randomness of its own, so later polls keep their times and values;
//! - see each message of a session before it is framed (`message`: a DNP3 fragment, a Modbus ADU, an IEC 104 ASDU; lengths may change), and
//!   change or lose it: checksums, numbers and TCP follow by themselves. A lost request needs its answer lost too;
//! - see each frame before it is queued (`frame`, for GOOSE, PTP, ARP and UDP), and change or lose it. Never change the length of a
//!   TCP segment or lose one here: that is what `message` is for;
//! - move a breaker: `cx.moved(at, …)`; relays and outstations then report it, which is true and thus not labelled.
//!
//! It knows the site: [`network`](crate::network) lists devices and services, [`site`](crate::site) the points, `cx.plant` values and states at
//! any time. `Task::Operate` lets an episode command as the dispatcher does, whatever the protocol.

use crate::cx::Cx;
use crate::label::Label;
use crate::network::Host;
use crate::tcp::Side;
use crate::time::Micros;

pub(crate) use crate::actors::order::Session;

/// What becomes of something that was about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// It was changed in place, so it is labelled.
    Changed,
    /// It is never seen.
    Lost,
}

/// A message of a session, before link layer or control information are put around it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) session: Session,
    pub(crate) at: Micros,
    pub(crate) from: Side,
    /// DNP3 application fragment, Modbus ADU, or IEC 104 ASDU.
    pub(crate) bytes: &'a mut Vec<u8>,
}

/// An attack or a trap within a run; see the module.
pub(crate) trait Episode {
    fn label(&self) -> Label;

    /// Whose frames these are, and whom they are meant for.
    fn parties(&self) -> (&'static Host, Vec<&'static Host>);

    /// When it wakes first; `Micros::MAX` when it only looks on.
    fn begin(&self) -> Micros;

    /// Does what is due at `now`, sending no frame earlier; returns the time of the next call, none when all is done.
    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros>;

    /// Sees a message that is not an attack's.
    fn message(&mut self, _: Message<'_>) -> Fate {
        Fate::Pass
    }

    /// Whether a device answers nobody at that time; asked by those who have no session to be seen by `message`.
    fn silences(&self, _: &Host, _: Micros) -> bool {
        false
    }

    /// Sees a frame that is not another attack's.
    fn frame(&mut self, _: Micros, _: &mut Vec<u8>) -> Fate {
        Fate::Pass
    }
}
