//! Minutes of flows as they come from the shards, and whose side of a flow is whose.

use gwcore::{Addr, AnyRows, FlowConst, FlowRef, Out, Value};

/// Sender and receiver of a row or fact: IP addresses, or MAC addresses in 16 bytes.
pub(crate) fn ends(flow: &FlowConst, at: FlowRef) -> (Addr, Addr) {
    let (orig, resp) =
        if flow.src.is_none() { (flow.src_mac.padded(), flow.dst_mac.padded()) } else { (flow.src, flow.dst) };
    if at.reversed() { (resp, orig) } else { (orig, resp) }
}

/// What went out and came in.
#[derive(Clone, Copy, Default)]
pub struct Traffic {
    /// Packets out, in.
    pub packets: [u64; 2],
    /// Bytes out, in.
    pub bytes: [u64; 2],
    /// Payload bytes out, in.
    pub payload: [u64; 2],
}

impl Traffic {
    /// As the other side sees it.
    pub(crate) fn turned(self) -> Traffic {
        let turn = |[a, b]: [u64; 2]| [b, a];
        Traffic { packets: turn(self.packets), bytes: turn(self.bytes), payload: turn(self.payload) }
    }
    pub(crate) fn add(&mut self, other: &Traffic) {
        for (to, from) in
            [(&mut self.packets, other.packets), (&mut self.bytes, other.bytes), (&mut self.payload, other.payload)]
        {
            to.iter_mut().zip(from).for_each(|(a, b)| *a = a.saturating_add(b));
        }
    }
    /// Producer and consumer ratio, from -1 (takes only) to 1 (gives only).
    pub(crate) fn pcr(&self) -> Option<f64> {
        let [out, inn] = self.payload.map(|x| x as f64);
        (out + inn > 0.0).then(|| (out - inn) / (out + inn))
    }
}

/// A minute of a flow.
pub struct FlowMinutes<'a> {
    /// The flow.
    pub flow: &'a FlowConst,
    /// Its last frame so far.
    pub frame: u64,
    /// Originator.
    pub orig: Addr,
    /// Responder.
    pub resp: Addr,
    /// As the originator sees it.
    pub traffic: Traffic,
}

/// The minutes among the rows of a batch, each with its step.
pub(crate) fn of(out: &Out) -> impl Iterator<Item = (u64, FlowMinutes<'_>)> {
    let rows = out.rows(<flow::FlowMinuteColumns as gwcore::Columns>::kind().slot());
    rows.into_iter().flat_map(move |rows| {
        let columns = Columns::of(rows);
        rows.stamps().iter().enumerate().filter_map(move |(i, s)| {
            let flow = out.flows.get(s.flow.index())?;
            let (orig, resp) = ends(flow, FlowRef(s.flow.0 & !1));
            let pair = |names: [&str; 2]| names.map(|n| columns.number(n, i));
            let traffic = Traffic {
                packets: pair(["orig_pkts", "resp_pkts"]),
                bytes: pair(["orig_ip_bytes", "resp_ip_bytes"]),
                payload: pair(["orig_payload_bytes", "resp_payload_bytes"]),
            };
            Some((s.key.step, FlowMinutes { flow, frame: s.frame, orig, resp, traffic }))
        })
    })
}

struct Columns<'a> {
    names: Vec<&'static str>,
    columns: Vec<&'a dyn gwcore::Column>,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a dyn AnyRows) -> Columns<'a> {
        Columns { names: rows.kind().fields.iter().map(|f| f.name).collect(), columns: rows.columns() }
    }
    fn number(&self, name: &str, row: usize) -> u64 {
        let at = self.names.iter().position(|n| *n == name);
        match at.and_then(|at| self.columns.get(at)).map(|c| c.value(row)) {
            Some(Value::U64(n)) => n,
            _ => 0,
        }
    }
}
