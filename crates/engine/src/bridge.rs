//! Between flow and parser: what a shard delivers goes to the parser of its flow, what comes out gets its stamp.

use flow::{Conn, ConnPart, Flow, FlowMinute, FlowStats, Handler, Origin, Side};
use gwcore::{Body, Detail, FlowConst, Limits, Mac, Out, Ts};
use packet::{Anomalies, Packet, Transport};
use proto::{App, At, Carrier, Cx, Dir, Effects, Folds, Mark};

use crate::evidence;
use crate::protocols::AnyParser;

/// TCP flags of an opening packet, and of its answer.
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

/// What the engine keeps in each flow.
#[derive(Default)]
pub(crate) struct FlowApp {
    app: App<AnyParser>,
    folds: Folds,
    carrier: Option<Carrier>,
    last_frame: u64,
    slot: Slot,
}

/// Where the constants of a flow stand in the rows of the current batch.
#[derive(Default)]
struct Slot {
    epoch: u64,
    file: u32,
    index: u32,
}

/// The handler of one call into a shard.
pub(crate) struct Bridge<'a> {
    pub(crate) at: At,
    /// The frames at hand while `at` is one that waited, the outermost first.
    pub(crate) held: Vec<At>,
    pub(crate) out: &'a mut Out,
    pub(crate) sub: u32,
    pub(crate) limits: &'a Limits,
    pub(crate) detail: Detail,
    pub(crate) epoch: u64,
    pub(crate) panics: &'a mut u64,
    pub(crate) anomalies: &'a Anomalies,
}

impl Bridge<'_> {
    fn slot(&mut self, slot: &mut Slot, constant: &FlowConst) -> u32 {
        if slot.epoch != self.epoch || slot.file != constant.file {
            *slot = Slot { epoch: self.epoch, file: constant.file, index: self.out.flows.len() as u32 };
            self.out.flows.push(*constant);
        }
        slot.index
    }

    /// Runs `f` on the flow's parser with a context, then takes over what it asked for. What no frame at hand led to (a timer, the end)
    /// points to the flow's last.
    fn with(&mut self, flow: &mut Flow<FlowApp>, side: Side, f: impl FnOnce(&mut App<AnyParser>, &mut Cx<'_>)) {
        let mut slot = std::mem::take(&mut flow.app.slot);
        let index = self.slot(&mut slot, &flow.constant);
        flow.app.slot = slot;
        let carrier = flow.app.carrier.unwrap_or(Carrier::Datagram);
        let mut effects = Effects::default();
        let state = &mut flow.app;
        let panics = state.app.panics;
        let last = At { frame: state.last_frame, file: flow.constant.file, ..self.at };
        let mut cx = Cx::new(
            if self.at.frame == 0 { last } else { self.at },
            carrier,
            (&flow.constant, index),
            (self.limits, self.detail),
            (self.out, &mut self.sub),
            (&mut state.folds, &mut effects),
        );
        cx.dir = dir(side);
        f(&mut state.app, &mut cx);
        *self.panics += u64::from(state.app.panics.saturating_sub(panics));
        if let Some(at) = effects.wake {
            flow.wake = Some(flow.wake.map_or(at, |w| w.min(at)));
        }
        flow.service = state.app.service();
        flow.is_ot = state.app.is_ot();
    }
}

fn dir(side: Side) -> Dir {
    match side {
        Side::Orig => Dir::Orig,
        Side::Resp => Dir::Resp,
    }
}

impl Handler for Bridge<'_> {
    type App = FlowApp;

    fn start(&mut self, flow: &mut Flow<FlowApp>, p: &Packet) {
        flow.app.carrier = Some(match p.transport {
            Transport::Tcp(_) => Carrier::Stream,
            Transport::None => Carrier::Link,
            _ => Carrier::Datagram,
        });
        flow.app.last_frame = p.number;
        self.with(flow, Side::Orig, |_, cx| {
            cx.fact(Body::FlowStart);
            if let Transport::Tcp(tcp) = &p.transport
                && tcp.flags & SYN_ACK == SYN
            {
                cx.fact(Body::Fingerprint { ttl: p.ttl, window: tcp.window });
            }
        });
    }

    fn packet(&mut self, flow: &mut Flow<FlowApp>, side: Side, p: &Packet) {
        flow.app.last_frame = p.number;
        flow.constant.file = p.file;
        if !self.anomalies.is_empty() {
            let anomalies = self.anomalies;
            self.with(flow, side, |_, cx| anomalies.iter().for_each(|reason| cx.anomaly("packet", reason, b"")));
        }
    }

    fn waited(&mut self, of: Option<Origin>) {
        match of {
            Some(o) => {
                self.held.push(self.at);
                self.at = At { ts: o.ts, frame: o.number, file: o.file, ..self.at };
            }
            None => self.at = self.held.pop().unwrap_or(self.at),
        }
    }

    fn stream(&mut self, flow: &mut Flow<FlowApp>, side: Side, data: &[u8]) {
        self.with(flow, side, |app, cx| app.data(dir(side), data, cx));
    }

    fn gap(&mut self, flow: &mut Flow<FlowApp>, side: Side, missing: u64) {
        self.with(flow, side, |app, cx| {
            cx.fact(Body::Gap { missing });
            app.gap(dir(side), missing, cx);
        });
    }

    fn unseen(&mut self, flow: &mut Flow<FlowApp>, side: Side) {
        self.with(flow, side, |app, cx| app.unseen(dir(side), cx));
    }

    fn datagram(&mut self, flow: &mut Flow<FlowApp>, side: Side, data: &[u8], p: &Packet) {
        match p.transport {
            Transport::Udp { .. } => self.with(flow, side, |app, cx| app.data(dir(side), data, cx)),
            Transport::None => self.with(flow, side, |app, cx| {
                if evidence::link(p, data, cx) {
                    app.read_elsewhere(data.len());
                } else if cx.carrier == Carrier::Link {
                    app.data(dir(side), data, cx);
                }
            }),
            _ => self.with(flow, side, |app, cx| match evidence::network(p, data, cx) {
                true => app.read_elsewhere(data.len()),
                false => app.not_read(data.len()),
            }),
        }
    }

    fn wake(&mut self, flow: &mut Flow<FlowApp>) {
        self.with(flow, Side::Orig, |app, cx| app.wake(cx));
    }

    fn anomaly(&mut self, flow: &mut Flow<FlowApp>, side: Side, reason: &'static str, detail: &str) {
        let layer = if flow.constant.ip_proto == 6 { "tcp" } else { "flow" };
        self.with(flow, side, |_, cx| cx.anomaly(layer, reason, detail.as_bytes()));
    }

    fn altered(&mut self, flow: &mut Flow<FlowApp>, side: Side, senders: [Mac; 2], detail: &str) {
        self.with(flow, side, |_, cx| {
            cx.anomaly("tcp", "altered_in_transit", detail.as_bytes());
            cx.fact(Body::Altered { senders });
        });
    }

    fn part(&mut self, flow: &mut Flow<FlowApp>, row: ConnPart<'_>) {
        let mark = Mark { ts: self.at.ts, frame: flow.app.last_frame, file: flow.constant.file, dir: Dir::Orig };
        self.with(flow, Side::Orig, |_, cx| {
            cx.emit_at(mark, row);
        });
    }

    fn stats(&mut self, flow: &mut Flow<FlowApp>, first: Ts, row: FlowStats<'_>) {
        let mark = Mark { ts: first, frame: flow.app.last_frame, file: flow.constant.file, dir: Dir::Orig };
        self.with(flow, Side::Orig, |_, cx| {
            cx.emit_at(mark, row);
        });
    }

    fn minute(&mut self, flow: &mut Flow<FlowApp>, at: Ts, row: FlowMinute<'_>) {
        let mark = Mark { ts: at, frame: flow.app.last_frame, file: flow.constant.file, dir: Dir::Orig };
        self.with(flow, Side::Orig, |_, cx| {
            cx.emit_at(mark, row);
        });
    }

    fn close(&mut self, flow: &mut Flow<FlowApp>) {
        // The frame at hand, if any, may be that of another flow.
        let at = std::mem::replace(&mut self.at.frame, 0);
        let whole = flow.whole;
        self.with(flow, Side::Orig, |app, cx| {
            app.close(whole, cx);
            cx.flush_folds();
        });
        self.at.frame = at;
    }

    fn end(&mut self, flow: &mut Flow<FlowApp>, row: Conn<'_>) {
        let mark = Mark { ts: flow.first_ts, frame: flow.app.last_frame, file: flow.constant.file, dir: Dir::Orig };
        let end = Body::FlowEnd {
            state: row.conn_state,
            packets: [row.orig_pkts, row.resp_pkts],
            bytes: [row.orig_bytes.unwrap_or(0), row.resp_bytes.unwrap_or(0)],
            start: flow.first_ts,
            service: flow.service,
        };
        let last = Mark { ts: flow.last_ts, ..mark };
        let service = flow.service;
        self.with(flow, Side::Orig, |app, cx| {
            let [came, unread] = [app.came(), app.unread()].map(|p| [p.packets, p.bytes]);
            if came[0] > 0 {
                cx.fact_at(last, Body::Content { came, unread, service });
            }
            cx.fact_at(last, end);
            cx.emit_at(mark, row);
        });
    }
}
