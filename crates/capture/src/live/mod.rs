//! Live interfaces to frames: kernel rings merged by time, a tick a second and interface, losses by cause.
//!
//! [`Live`] reads one or several interfaces; [`Replay`] gives the frames of captures at the pace of their times, so that everything behind
//! can be run without a network and without rights. Both give [`Event`]s and block for at most 100 ms.

mod clock;
pub mod machine;
mod replay;
mod socket;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use gwcore::Ts;
use gwcore::time::{MILLI, SECOND};

use crate::filter::Filter;
use crate::frame::Frame;
pub use clock::now;
pub use replay::Replay;
use socket::{Head, Socket};

/// What a live source gives.
#[derive(Debug)]
pub enum Event<'a> {
    /// A frame and the name of its interface; `file` and `number` are 0: who stores it names them.
    Frame(Frame<'a>, &'a str),
    /// A second passed on an interface.
    Second(Second),
    /// Nothing came for up to 100 ms.
    Idle,
}

/// What an interface did in about a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// The moment before which everything was given.
    pub now: Ts,
    /// The moment of the tick before; the same as `now` the first time.
    pub since: Ts,
    /// Index in the list of interfaces.
    pub interface: u32,
    /// Frames given.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames that the kernel had no room for.
    pub dropped: u64,
    /// Frames that this machine sent itself, left out.
    pub own: u64,
    /// Whether the interface is there and has a link.
    pub up: bool,
}

/// How interfaces are read.
#[derive(Clone, Copy, Debug)]
pub struct LiveOptions {
    /// Bytes of each interface's ring in the kernel.
    pub ring_bytes: usize,
    /// Bytes kept of each frame at most.
    pub snaplen: u32,
    /// Whether frames for others are asked for.
    pub promiscuous: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions { ring_bytes: 32 << 20, snaplen: 262_144, promiscuous: true }
    }
}

/// Totals of a live source; once it was stopped and read to its end, `received` = `given` + `dropped` +
/// `own` + `filtered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that the kernel had for us.
    pub received: u64,
    /// Frames handed out.
    pub given: u64,
    /// Frames that the kernel had no room for.
    pub dropped: u64,
    /// Frames that this machine sent itself, left out.
    pub own: u64,
    /// Frames that did not pass the filter.
    pub filtered: u64,
    /// Times that an interface went away and came back.
    pub reopened: u64,
}

/// Frames of several interfaces are put in the order of their times within this many nanoseconds.
const HOLD: i64 = 50 * MILLI;
/// Longest that [`Live::next`] blocks, in milliseconds.
const BLOCKS: i32 = 50;
/// How long the kernel is given to hand over the last block after the end.
const LAST_BLOCK: Duration = Duration::from_millis(4 * socket::RETIRE_MS as u64);

struct Port {
    name: String,
    socket: Socket,
    /// Number of the interface that the socket is bound to; none while it is away.
    index: Option<i32>,
    up: bool,
    told: Ts,
    second: Second,
}

/// One or several interfaces.
pub struct Live {
    ports: Vec<Port>,
    names: Vec<String>,
    /// The port whose frame is lent.
    lent: Option<usize>,
    seconds: VecDeque<Second>,
    /// The second of which ticks were told last.
    ticked: i64,
    seq: u64,
    totals: Totals,
    ending: Option<Instant>,
    ended: bool,
    filter: Option<Filter>,
}

impl Live {
    /// Opens the interfaces; each must be there now. Needs CAP_NET_RAW; afterwards nothing does, an interface that comes back included.
    pub fn open(names: &[String], options: &LiveOptions) -> io::Result<Live> {
        let mut ports = Vec::new();
        for name in names {
            let open = || -> io::Result<Port> {
                let mut socket = Socket::open(options.ring_bytes, options.snaplen, options.promiscuous)?;
                socket.bind(name)?;
                let state = socket.interface(name)?;
                let (name, told) = (name.clone(), Ts::default());
                let second = Second { interface: ports.len() as u32, up: state.up, ..Second::default() };
                Ok(Port { name, socket, index: Some(state.index), up: state.up, told, second })
            };
            let port = open().map_err(|e| io::Error::new(e.kind(), format!("interface `{name}`: {e}")))?;
            ports.push(port);
        }
        let names = names.to_vec();
        let (lent, seconds, ending, ended) = (None, VecDeque::new(), None, false);
        Ok(Live {
            ports,
            names,
            lent,
            seconds,
            ticked: i64::MIN,
            seq: 0,
            totals: Totals::default(),
            ending,
            ended,
            filter: None,
        })
    }

    /// Gives only frames that pass.
    pub fn filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
    }

    /// The interfaces; an event's `interface` is an index in it.
    pub fn interfaces(&self) -> &[String] {
        &self.names
    }

    /// What was read and lost so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Lets no further frame in; what the kernel holds is still given, then [`Live::next`] gives none.
    pub fn end(&mut self) {
        if self.ending.is_none() {
            self.ending = Some(Instant::now() + LAST_BLOCK);
            for port in &self.ports {
                // A socket that cannot be told ends by the time alone.
                let _ = port.socket.keep(0);
            }
        }
    }

    /// The next event; none once [`Live::end`] was called and everything was given.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Event<'_>> {
        if let Some(port) = self.lent.take().and_then(|n| self.ports.get_mut(n)) {
            port.socket.pass();
        }
        if let Some(second) = self.seconds.pop_front() {
            return Some(Event::Second(second));
        }
        loop {
            let Some(at) = self.first() else { return self.nothing() };
            let head = self.ports.get_mut(at)?.socket.head()?;
            if head.ts.0.div_euclid(SECOND) > self.ticked && self.tick(head.ts) {
                return self.seconds.pop_front().map(Event::Second);
            }
            if !self.is_left_out(at, &head) {
                self.lent = Some(at);
                return self.lend(at, &head);
            }
            self.ports.get_mut(at)?.socket.pass();
        }
    }

    /// Whether a frame is our own, or does not pass the filter.
    fn is_left_out(&mut self, at: usize, head: &Head) -> bool {
        if head.outgoing {
            self.totals.own += 1;
            self.ports.get_mut(at).iter_mut().for_each(|p| p.second.own += 1);
            return true;
        }
        let Some(filter) = self.filter.as_ref() else { return false };
        let passes = self.ports.get(at).is_none_or(|p| filter.passes(&p.frame(at, head, 0)));
        self.totals.filtered += u64::from(!passes);
        !passes
    }

    fn lend(&mut self, at: usize, head: &Head) -> Option<Event<'_>> {
        let second = &mut self.ports.get_mut(at)?.second;
        second.frames += 1;
        second.bytes += u64::from(head.wire_len);
        self.totals.given += 1;
        let seq = self.seq;
        self.seq += 1;
        let port = self.ports.get(at)?;
        Some(Event::Frame(port.frame(at, head, seq), &port.name))
    }

    /// The port whose frame comes next; none where nothing may be given yet.
    fn first(&mut self) -> Option<usize> {
        let (mut first, mut all): (Option<(Ts, usize)>, bool) = (None, true);
        for (n, port) in self.ports.iter_mut().enumerate() {
            match port.socket.head() {
                Some(head) => first = Some(first.map_or((head.ts, n), |f| f.min((head.ts, n)))),
                None => all = false,
            }
        }
        let (ts, n) = first?;
        // Another interface may still have an earlier one.
        (all || self.ending.is_some() || now().since(ts) > HOLD).then_some(n)
    }

    /// Nothing can be given: waits for it, and ticks by the clock.
    #[cold]
    fn nothing(&mut self) -> Option<Event<'_>> {
        if let Some(until) = self.ending {
            if Instant::now() >= until {
                return self.last();
            }
            std::thread::sleep(Duration::from_millis(u64::from(socket::RETIRE_MS)));
            return Some(Event::Idle);
        }
        let held = self.ports.iter_mut().any(|p| p.socket.head().is_some());
        let sockets: Vec<&Socket> = self.ports.iter().map(|p| &p.socket).collect();
        if held {
            // Only time lets the frame go that is held, and a poll would return at once for it.
            std::thread::sleep(Duration::from_millis(2));
        } else {
            socket::wait(&sockets, BLOCKS);
        }
        // What the kernel has not handed over yet lies before this moment.
        let reached = now().plus(-2 * HOLD);
        if reached.0.div_euclid(SECOND) > self.ticked && !held && self.tick(reached) {
            return self.seconds.pop_front().map(Event::Second);
        }
        Some(Event::Idle)
    }

    /// The last ticks, then the end.
    fn last(&mut self) -> Option<Event<'_>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.tick(now());
        }
        self.seconds.pop_front().map(Event::Second)
    }

    /// Tells what every interface did until `at`, and looks after those that went away. False if there is nothing to tell.
    fn tick(&mut self, at: Ts) -> bool {
        self.ticked = at.0.div_euclid(SECOND);
        for port in &mut self.ports {
            let kernel = port.socket.statistics().unwrap_or_default();
            self.totals.received += kernel.received;
            self.totals.dropped += kernel.dropped;
            port.look(&mut self.totals);
            let second = std::mem::take(&mut port.second);
            let since = if port.told == Ts::default() { at } else { port.told };
            self.seconds.push_back(Second {
                now: at,
                since: since.min(at),
                dropped: kernel.dropped,
                up: port.up,
                ..second
            });
            port.second = Second { interface: second.interface, up: port.up, ..Second::default() };
            port.told = at;
        }
        !self.seconds.is_empty()
    }
}

impl Port {
    fn frame(&self, at: usize, head: &Head, seq: u64) -> Frame<'_> {
        let (link, data) = (self.socket.link(), self.socket.data(head));
        Frame { seq, ts: head.ts, file: 0, number: 0, interface: at as u32, link, wire_len: head.wire_len, data }
    }

    /// Whether the interface is there; one that came back, maybe under another number, is bound anew. The ring stays.
    fn look(&mut self, totals: &mut Totals) {
        let state = self.socket.interface(&self.name).ok();
        let index = state.map(|s| s.index);
        if index != self.index {
            let is_back = index.is_some() && self.socket.bind(&self.name).is_ok();
            self.index = index.filter(|_| is_back);
            totals.reopened += u64::from(is_back);
        }
        self.up = self.index.is_some() && state.is_some_and(|s| s.up);
    }
}
