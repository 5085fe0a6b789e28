//! A bench for parser tests: bytes in each direction in, rows as text out, without flows or files.

use gwcore::{Addr, Detail, Fact, FlowConst, Limits, Mac, Out, Ts, Value};

use crate::{App, At, Carrier, Cx, Dir, Effects, Folds, ParserSet};

/// One flow and its parser set; every call is one frame, a millisecond after the one before.
pub struct Bench<P> {
    app: App<P>,
    out: Out,
    sub: u32,
    folds: Folds,
    effects: Effects,
    flow: FlowConst,
    carrier: Carrier,
    limits: Limits,
    /// Which repeats are written.
    pub detail: Detail,
    /// The frame last given.
    pub at: At,
}

impl<P: ParserSet> Bench<P> {
    /// A flow from port 40000 to `port` (for links, the EtherType).
    pub fn new(carrier: Carrier, port: u16) -> Self {
        let flow = FlowConst {
            src: Addr::v4([10, 0, 0, 1]),
            dst: Addr::v4([10, 0, 0, 2]),
            src_port: if carrier == Carrier::Link { port } else { 40_000 },
            dst_port: port,
            src_mac: Mac([2, 0, 0, 0, 0, 1]),
            dst_mac: Mac([2, 0, 0, 0, 0, 2]),
            vlans: [0xffff; 2],
            ip_proto: 6,
            ..FlowConst::default()
        };
        let mut out = Out::default();
        out.flows.push(flow);
        let at = At { ts: Ts(1_700_000_000_000_000_000), ..At::default() };
        let (folds, effects) = Default::default();
        Bench {
            app: App::default(),
            out,
            sub: 0,
            folds,
            effects,
            flow,
            carrier,
            limits: Limits::default(),
            detail: Detail::Full,
            at,
        }
    }

    /// With other limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With other ports, as when the flow was picked up at a packet of the server.
    pub fn ports(mut self, originator: u16, responder: u16) -> Self {
        (self.flow.src_port, self.flow.dst_port) = (originator, responder);
        self.out.flows[0] = self.flow;
        self
    }

    fn step(&mut self, f: impl FnOnce(&mut App<P>, &mut Cx<'_>)) -> &mut Self {
        self.at.frame += 1;
        self.at.step += 2;
        self.at.ts = self.at.ts.plus(1_000_000);
        self.sub = 0;
        let mut cx = Cx::new(
            self.at,
            self.carrier,
            (&self.flow, 0),
            (&self.limits, self.detail),
            (&mut self.out, &mut self.sub),
            (&mut self.folds, &mut self.effects),
        );
        f(&mut self.app, &mut cx);
        self
    }

    /// The originator sends.
    pub fn client(&mut self, data: &[u8]) -> &mut Self {
        self.step(|app, cx| app.data(Dir::Orig, data, cx))
    }

    /// The responder sends.
    pub fn server(&mut self, data: &[u8]) -> &mut Self {
        self.step(|app, cx| app.data(Dir::Resp, data, cx))
    }

    /// Bytes are missing.
    pub fn gap(&mut self, dir: Dir, missing: u64) -> &mut Self {
        self.step(|app, cx| app.gap(dir, missing, cx))
    }

    /// Time passes; the parser is woken if it asked for it.
    pub fn wait(&mut self, ns: i64) -> &mut Self {
        self.at.ts = self.at.ts.plus(ns);
        let due = self.effects.wake.is_some_and(|w| w <= self.at.ts);
        if due {
            self.effects.wake = None;
            self.step(|app, cx| app.wake(cx));
        }
        self
    }

    /// The flow ends: nothing more was heard of it.
    pub fn close(&mut self) -> &mut Self {
        self.end([false; 2])
    }

    /// The flow ends: both sides said that they are done.
    pub fn finish(&mut self) -> &mut Self {
        self.end([true; 2])
    }

    fn end(&mut self, whole: [bool; 2]) -> &mut Self {
        self.step(|app, cx| {
            app.close(whole, cx);
            cx.flush_folds();
        })
    }

    /// Name of the protocol recognised.
    pub fn service(&self) -> &'static str {
        self.app.service()
    }

    /// Panics contained.
    pub fn panics(&self) -> u32 {
        self.app.panics
    }

    /// Facts so far.
    pub fn facts(&self) -> &[Fact] {
        &self.out.facts
    }

    /// Rows of a kind, one line each: `frame > name=value …`, `>` from the originator, `<` from the responder; absent fields left out.
    pub fn rows(&self, kind: &str) -> Vec<String> {
        let kinds = self.out.kinds();
        let Some(rows) = kinds.iter().find(|k| k.kind().name == kind) else { return Vec::new() };
        let columns = rows.columns();
        let line = |(i, stamp): (usize, &gwcore::Stamp)| {
            let mut line = format!("{} {}", stamp.frame, if stamp.flow.reversed() { '<' } else { '>' });
            for (field, column) in rows.kind().fields.iter().zip(&columns) {
                let value = column.value(i);
                if !matches!(value, Value::Null) {
                    line += &format!(" {}={}", field.name, text(value));
                }
            }
            line
        };
        rows.stamps().iter().enumerate().map(line).collect()
    }
}

/// A value as test text.
pub fn text(value: Value<'_>) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(v) => v.to_string(),
        Value::U64(v) => v.to_string(),
        Value::I64(v) => v.to_string(),
        Value::F64(v) => v.to_string(),
        Value::Text(v) => v.to_owned(),
        Value::Hex(v) => v.iter().map(|b| format!("{b:02x}")).collect(),
        Value::Addr(v) => v.to_string(),
        Value::Mac(v) => v.to_string(),
        Value::Ts(v) => v.to_string(),
        Value::Span(v) => format!("{}ns", v.0),
        Value::List(inner, from, to) => {
            format!("[{}]", (from..to).map(|i| text(inner.value(i))).collect::<Vec<_>>().join(","))
        }
    }
}
