//! From the ordered rows and facts of a run to rows of features, the same however the input was cut into batches.

use engine::{Seen, Stage};
use gwcore::time::MINUTE;
use gwcore::{Body, Fact, FlowConst, Key, LimitHits, Limits, Out, Ts};

use crate::family::{Family, Row};
use crate::host::Hosts;
use crate::minutes::{self, FlowMinutes};
use crate::ot::Pairs;
use crate::records;

/// Which features are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// Of devices by the minute.
    Host,
    /// Of clients and servers by the minute.
    Ot,
    /// Of conversations.
    Flow,
    /// Of conversations, as Zeek tells them.
    Conn,
}

impl Which {
    /// All of them, with their names.
    pub const ALL: &[(Which, &str)] =
        &[(Which::Host, "host"), (Which::Ot, "ot"), (Which::Flow, "flow"), (Which::Conn, "conn")];

    /// Its definition.
    pub fn family(self) -> Family {
        match self {
            Which::Host => Hosts::family(),
            Which::Ot => Pairs::family(),
            Which::Flow => records::flow_family(),
            Which::Conn => records::conn_family(),
        }
    }

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        Which::ALL.iter().find(|(w, _)| *w == self).map_or("", |(_, n)| n)
    }
}

impl std::str::FromStr for Which {
    type Err = String;
    fn from_str(s: &str) -> Result<Which, String> {
        let found = Which::ALL.iter().find(|(_, n)| *n == s).map(|(w, _)| *w);
        let names = || Which::ALL.iter().map(|(_, n)| *n).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("no family `{s}`: there are {}", names()))
    }
}

enum Maker {
    Host(Box<Hosts>),
    Ot(Box<Pairs>),
    Records(fn(&Out, &mut Vec<Row>)),
}

/// Makes the rows of one family. The engine must run with [`flow::Options::stats`].
pub struct Gather {
    maker: Maker,
    /// A minute is over with all rows of this step.
    over: Option<(u64, Ts)>,
    minute: Option<Ts>,
}

impl Gather {
    /// Nothing seen yet.
    pub fn new(which: Which, limits: &Limits) -> Gather {
        let maker = match which {
            Which::Host => Maker::Host(Box::new(Hosts::new(limits))),
            Which::Ot => Maker::Ot(Box::new(Pairs::new(limits))),
            Which::Flow => Maker::Records(records::flows),
            Which::Conn => Maker::Records(records::conns),
        };
        Gather { maker, over: None, minute: None }
    }

    /// Takes a batch in and appends the rows that are complete.
    pub fn batch(&mut self, out: &Out, rows: &mut Vec<Row>) {
        if let Maker::Records(make) = self.maker {
            return make(out, rows);
        }
        // Facts and minutes of flows in the order of their steps; a minute ends with the tick after it, when its flows have been told too.
        let mut minutes = minutes::of(out).peekable();
        for fact in &out.facts {
            while let Some((step, m)) = minutes.next_if(|(step, _)| *step < fact.key.step) {
                self.flows(step, &m, rows);
            }
            self.end_before(fact.key.step, rows);
            if let Some(flow) = out.flows.get(fact.flow.index()) {
                self.fact(fact, flow);
            }
        }
        for (step, m) in minutes {
            self.flows(step, &m, rows);
        }
    }

    fn flows(&mut self, step: u64, m: &FlowMinutes<'_>, rows: &mut Vec<Row>) {
        self.end_before(step, rows);
        match &mut self.maker {
            Maker::Host(h) => h.minutes(m),
            Maker::Ot(p) => p.minutes(m),
            Maker::Records(_) => {}
        }
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        match fact.body {
            Body::Tick { .. } => {
                let minute = fact.ts.minute();
                let before = *self.minute.get_or_insert(minute);
                if minute > before {
                    self.minute = Some(minute);
                    self.over.get_or_insert((fact.key.step, minute));
                }
            }
            Body::TimeBreak { back } => {
                // Windows close where time breaks.
                self.over.get_or_insert((fact.key.step, fact.ts));
                self.minute = self.minute.map(|m| m.plus(back.saturating_neg()).minute());
            }
            _ => match &mut self.maker {
                Maker::Host(h) => h.fact(fact, flow),
                Maker::Ot(p) => p.fact(fact, flow),
                Maker::Records(_) => {}
            },
        }
    }

    fn end_before(&mut self, step: u64, rows: &mut Vec<Row>) {
        if let Some((at, next)) = self.over
            && step > at
        {
            self.over = None;
            self.flush(next, rows);
        }
    }

    fn flush(&mut self, next: Ts, rows: &mut Vec<Row>) {
        match &mut self.maker {
            Maker::Host(h) => h.flush(next, rows),
            Maker::Ot(p) => p.flush(next, rows),
            Maker::Records(_) => {}
        }
    }

    /// The input is over: the last minute's rows. It is not whole, and neither is the first.
    pub fn finish(&mut self, now: Ts, rows: &mut Vec<Row>) {
        self.over = None;
        self.flush(now.plus(MINUTE), rows);
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        match &self.maker {
            Maker::Host(h) => h.hits.clone(),
            Maker::Ot(p) => p.hits.clone(),
            Maker::Records(_) => LimitHits::default(),
        }
    }
}

/// Hands rows of features on as they become complete.
pub struct Make<F> {
    gather: Gather,
    rows: Vec<Row>,
    give: F,
}

impl<F: FnMut(&[Row]) -> std::io::Result<()>> Make<F> {
    /// Makes a family and gives its rows to `give`.
    pub fn new(which: Which, limits: &Limits, give: F) -> Make<F> {
        Make { gather: Gather::new(which, limits), rows: Vec::new(), give }
    }

    /// Limits hit.
    pub fn hits(&self) -> LimitHits {
        self.gather.hits()
    }

    fn hand_on(&mut self) -> std::io::Result<()> {
        (self.give)(&self.rows)?;
        self.rows.clear();
        Ok(())
    }
}

impl<F: FnMut(&[Row]) -> std::io::Result<()>> Stage for Make<F> {
    fn batch(&mut self, out: &mut Out, _: Seen<'_>) -> std::io::Result<()> {
        self.gather.batch(out, &mut self.rows);
        self.hand_on()
    }

    fn finish(&mut self, _: Key, now: Ts, _: &[String]) -> std::io::Result<()> {
        self.gather.finish(now, &mut self.rows);
        self.hand_on()
    }
}
