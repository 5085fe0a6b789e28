//! What the sensor reads: interfaces or a replayed capture, each frame stored before it is looked at, and what each minute of a feed held.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use capture::Loss;
use capture::live::{Event, Live, Replay, Second, Totals};
use capture::store::Store;
use engine::{Input, Source, Tick};
use gwcore::time::SECOND;
use gwcore::{FlowConst, FlowRef, Key, Out, Stamp, Ts};
use serde_json::{Value, json};

use super::link::Asked;
use super::sockets::Sockets;

gwcore::record! {
    /// What a feed held in a minute: every frame is decoded or counted under a cause.
    pub struct FeedMinute, FeedMinuteColumns = "feed_minute", Event {
        /// Frames read.
        packets: u64,
        /// Their bytes on the wire.
        bytes: u64,
        /// Frames that the kernel had no room for.
        dropped: u64,
        /// Frames that this machine sent itself, left out.
        own: u64,
        /// Seconds that were told.
        seconds: u32,
        /// Seconds without a frame.
        silent: u32,
        /// Seconds in which the interface was away or had no link.
        down: u32,
    }
}

gwcore::record! {
    /// A stretch of time in which nothing was watched.
    pub struct Gap, GapColumns = "gap", Event {
        /// The last moment watched.
        from: Ts,
        /// The first moment watched again.
        to: Ts,
        /// Why.
        cause: Sym,
    }
}
use gwcore::Sym;

/// Datagrams of sockets taken in a row before frames have their turn.
const IN_A_ROW: u32 = 1_024;

/// Where frames come from.
pub enum Origin {
    /// Interfaces of this machine.
    Live(Box<Live>),
    /// Captures at their pace.
    Replay(Box<Replay>),
}

/// What source and stage share; both run on one thread.
#[derive(Default)]
pub struct Shared {
    /// The ring of packets, unless it is off.
    pub store: Option<Store>,
    /// Seconds told since the stage looked.
    pub seconds: Vec<Second>,
    /// What was read, once it ended.
    pub totals: Totals,
    /// Names of the segments, as findings cite them.
    pub files: Vec<Arc<str>>,
    /// Names of the sockets, which findings cite likewise.
    pub sockets: Arc<[Arc<str>]>,
    /// What came by sockets, and what became of it.
    pub collected: Option<Value>,
}

/// The source of the engine.
pub struct Feed {
    origin: Origin,
    shared: Rc<RefCell<Shared>>,
    asked: Arc<Asked>,
    is_ending: bool,
    sockets: Sockets,
    in_a_row: u32,
}

impl Feed {
    /// Reads from `origin` and sockets until the centre asks for the end.
    pub fn new(origin: Origin, sockets: Sockets, shared: Rc<RefCell<Shared>>, asked: Arc<Asked>) -> Feed {
        shared.borrow_mut().sockets = sockets.names();
        Feed { origin, shared, asked, is_ending: false, sockets, in_a_row: 0 }
    }
}

impl Source for Feed {
    fn next(&mut self) -> Option<Input<'_>> {
        if !self.is_ending && self.asked.stop() {
            self.is_ending = true;
            match &mut self.origin {
                Origin::Live(live) => live.end(),
                Origin::Replay(replay) => replay.end(),
            }
        }
        if self.in_a_row < IN_A_ROW
            && !self.is_ending
            && let Some(record) = self.sockets.next()
        {
            self.in_a_row += 1;
            return Some(Input::Record(record));
        }
        self.in_a_row = 0;
        let mut shared = self.shared.borrow_mut();
        let event = match &mut self.origin {
            Origin::Live(live) => {
                shared.totals = live.totals();
                live.next()
            }
            Origin::Replay(replay) => {
                shared.totals = replay.totals();
                replay.next()
            }
        };
        match event? {
            Event::Frame(mut frame, name) => {
                if let Some(store) = &mut shared.store {
                    let stored = store.put(&frame, name);
                    let last = store.names().len().saturating_sub(1) as u32;
                    (frame.file, frame.number) = stored.unwrap_or((last, 0));
                    if shared.files.len() <= frame.file as usize {
                        shared.name_files();
                    }
                }
                Some(Input::Frame(frame))
            }
            Event::Second(second) => {
                if let Some(store) = &mut shared.store {
                    store.second(&second);
                }
                shared.seconds.push(second);
                shared.collected = self.sockets.told();
                let Second { now, since, interface, frames, bytes, dropped, .. } = second;
                Some(Input::Tick(Tick { now, since, interface, frames, bytes, drops: dropped }))
            }
            Event::Idle => Some(Input::Idle),
        }
    }

    fn interfaces(&self) -> &[String] {
        match &self.origin {
            Origin::Live(live) => live.interfaces(),
            Origin::Replay(replay) => replay.interfaces(),
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        match &mut self.origin {
            Origin::Live(_) => Vec::new(),
            Origin::Replay(replay) => replay.losses(),
        }
    }
}

impl Shared {
    /// How findings name a file or socket.
    pub fn name(&self, file: u32) -> Arc<str> {
        let socket = || Sockets::name(&self.sockets, file);
        self.files.get(file as usize).cloned().or_else(socket).unwrap_or_else(|| Arc::from(""))
    }

    fn name_files(&mut self) {
        let names = self.store.as_ref().map(Store::names).unwrap_or_default();
        let new = names.iter().skip(self.files.len()).map(|n| Arc::from(n.as_str()));
        self.files.extend(new.collect::<Vec<_>>());
    }
}

/// What feeds held, minute by minute.
#[derive(Default)]
pub struct Minutes {
    open: BTreeMap<u32, (Ts, Second, FeedMinute<'static>)>,
}

impl Minutes {
    /// Takes note of a second; the row of the minute that ended with it goes to `out`, its message is returned.
    pub fn second(&mut self, second: &Second, interfaces: &[String], out: &mut Out) -> Option<Value> {
        // A second that ended at a full minute belongs to the one before.
        let minute = second.now.plus(-1).minute();
        let told = match self.open.get(&second.interface) {
            Some((at, ..)) if *at != minute => self.end(second.interface, interfaces, out),
            _ => None,
        };
        let (_, last, sum) = self.open.entry(second.interface).or_insert_with(|| {
            let none = FeedMinute { packets: 0, bytes: 0, dropped: 0, own: 0, seconds: 0, silent: 0, down: 0 };
            (minute, *second, none)
        });
        *last = *second;
        sum.packets += second.frames;
        sum.bytes += second.bytes;
        sum.dropped += second.dropped;
        sum.own += second.own;
        // After a pause of the whole machine one tick stands for several seconds.
        let passed = second.now.since(second.since).div_euclid(SECOND).clamp(1, 60) as u32;
        sum.seconds += passed;
        sum.silent += if second.frames == 0 { passed } else { 0 };
        sum.down += if second.up { 0 } else { passed };
        told
    }

    /// The rows of all minutes that are still open.
    pub fn finish(&mut self, interfaces: &[String], out: &mut Out) -> Vec<Value> {
        let open: Vec<u32> = self.open.keys().copied().collect();
        open.into_iter().filter_map(|interface| self.end(interface, interfaces, out)).collect()
    }

    fn end(&mut self, interface: u32, interfaces: &[String], out: &mut Out) -> Option<Value> {
        let (ts, _, sum) = self.open.remove(&interface)?;
        let name = interfaces.get(interface as usize).map_or("", String::as_str);
        let message = json!({
            "type": "minute", "ts": ts.to_string(), "interface": name, "packets": sum.packets, "bytes": sum.bytes,
            "dropped": sum.dropped, "own": sum.own, "seconds": sum.seconds, "silent": sum.silent, "down": sum.down,
        });
        row(out, ts, interface, sum);
        Some(message)
    }
}

/// Appends a row that belongs to an interface, not to a flow.
pub fn row<R: gwcore::Record>(out: &mut Out, ts: Ts, interface: u32, record: R) {
    let flow = FlowRef((out.flows.len() as u32).saturating_mul(2));
    out.flows.push(FlowConst { file: u32::MAX, interface, vlans: [0xffff; 2], ..FlowConst::default() });
    // Rows of a batch are written in the order of their kinds; their place among those of packets is told by their time.
    out.append(Stamp { key: Key::default(), ts, frame: 0, flow, repeat: false }, record);
}
