//! What all sessions with a device have in common: one connection, who holds it, orders, and what happens when the line is lost.

use super::order::{Order, Session, Task};
use super::services::arp;
use super::{Plan, Step};
use crate::cx::Cx;
use crate::label::Label;
use crate::network::{BROADCAST, Host, SCADA};
use crate::plant::Action;
use crate::rng::Rng;
use crate::tcp::{Conn, Side, knock};
use crate::time::{MS, Micros, SECOND};
use testkit::{Arp, Stack};

/// The connection of a session and its orders.
pub(crate) struct Carrier {
    pub(crate) session: Session,
    pub(crate) client: &'static Host,
    pub(crate) server: &'static Host,
    pub(crate) conn: Option<Conn>,
    pub(crate) rng: Rng,
    /// When the connection is made, while there is none; never again at the greatest time.
    pub(crate) connect: Micros,
    /// Whether the server has just booted.
    pub(crate) restarted: bool,
    /// Carried by everything that the session sends.
    label: Option<Label>,
    /// Whether the label goes when the session is up again.
    passing: bool,
    foreign: bool,
    orders: Plan<Order>,
}

impl Carrier {
    /// The session of the front end.
    pub(crate) fn new(session: Session, rng: Rng, connect: Micros) -> Carrier {
        Carrier {
            session,
            client: &SCADA,
            server: session.server(),
            conn: None,
            rng,
            connect,
            restarted: false,
            label: None,
            passing: false,
            foreign: false,
            orders: Plan::new(Vec::new()),
        }
    }

    /// The session of another client.
    pub(crate) fn foreign(
        session: Session,
        seed: u64,
        client: &'static Host,
        label: Option<Label>,
        at: Micros,
    ) -> Carrier {
        let mut carrier = Carrier::new(session, Rng::new(seed, "foreign"), at);
        (carrier.client, carrier.label, carrier.foreign) = (client, label, true);
        carrier
    }

    /// Whether it is another client's session: the process is reported to the front end only.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Puts the session's own label on what is sent from now on.
    pub(crate) fn mark(&self, cx: &mut Cx<'_>) {
        cx.label = self.label.or(cx.label);
    }

    /// Opens the connection, asking for the hardware address first; returns when the client may send.
    pub(crate) fn open(&mut self, cx: &mut Cx<'_>, now: Micros) -> Micros {
        arp(cx, now, self.client, self.server, &mut self.rng);
        let at = now + 2 * MS;
        let port = self.rng.port();
        let conn = Conn::open(cx, at, (self.client, port), (self.server, self.session.port()), &mut self.rng);
        let at = conn.last();
        self.conn = Some(conn);
        at
    }

    /// The session is up: a passing label has passed.
    pub(crate) fn up(&mut self) {
        if std::mem::take(&mut self.passing) {
            self.label = None;
        }
        self.restarted = false;
    }

    /// Sends a message after `frame` has put around it what the protocol wants.
    pub(crate) fn say(
        &mut self,
        cx: &mut Cx<'_>,
        at: Micros,
        from: Side,
        mut message: Vec<u8>,
        frame: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<Micros> {
        let label = cx.message(self.session, at, from, &mut message)?;
        let bytes = frame(&message);
        Some(self.raw(cx, at, from, &bytes, label))
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(
        &mut self,
        cx: &mut Cx<'_>,
        at: Micros,
        from: Side,
        bytes: &[u8],
        label: Option<Label>,
    ) -> Micros {
        let before = std::mem::replace(&mut cx.label, label);
        let sent = self.conn.as_mut().map_or(at, |conn| conn.send(cx, at, from, bytes));
        cx.label = before;
        sent
    }

    /// Takes an order and says when it is due.
    pub(crate) fn order(&mut self, order: Order) -> Micros {
        let at = order.at;
        self.orders.insert(at, order);
        at
    }

    /// When the next order is due.
    pub(crate) fn due(&self) -> Micros {
        self.orders.due()
    }

    /// The next order, if due, its label and random streams put in place; give it back to [`Carrier::done`].
    pub(crate) fn take(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Order> {
        let (_, mut order) = self.orders.take(now)?;
        self.swap(&mut order);
        std::mem::swap(&mut cx.label, &mut order.label);
        if cx.label.is_none() {
            cx.label = order.label;
        }
        Some(order)
    }

    /// Puts back what [`Carrier::take`] exchanged.
    pub(crate) fn done(&mut self, cx: &mut Cx<'_>, mut order: Order) {
        if let Some(conn) = &mut self.conn {
            let pause = conn.last() + SECOND;
            conn.settle(cx, pause);
        }
        cx.label = order.label;
        self.swap(&mut order);
    }

    /// Orders the next step of what is being done.
    pub(crate) fn follow(&mut self, cx: &mut Cx<'_>, at: Micros, step: Step) {
        let (rng, wire) = (Rng::new(self.rng.word(), "order"), Rng::new(self.rng.word(), "wire"));
        self.orders.insert(at, Order { at, label: cx.label, rng, wire, task: Task::Step(step) });
    }

    /// What the process does when this is executed.
    pub(crate) fn effect(&mut self, cx: &mut Cx<'_>, now: Micros, action: Action) {
        let Action::Breaker { breaker, close } = action else { return };
        let at = now + self.rng.between(58 * MS, 95 * MS);
        if cx.plant.closed(breaker, at) != close {
            cx.moved(at, breaker, close);
        }
    }

    fn swap(&mut self, order: &mut Order) {
        std::mem::swap(&mut self.rng, &mut order.rng);
        if let Some(conn) = &mut self.conn {
            // Both streams are exchanged twice, so the second time puts them back.
            conn.swap(&mut order.wire);
        }
    }

    /// Does what is the same in all protocols; `request` is what the client would send next.
    pub(crate) fn obey(&mut self, cx: &mut Cx<'_>, now: Micros, task: &Task, request: &[u8]) {
        match task {
            Task::Leave => {
                self.close(cx, now);
                self.connect = Micros::MAX;
            }
            Task::Move { client, back } => {
                self.close(cx, now);
                (self.client, self.label, self.passing) = (client, cx.label, *back);
                self.connect = now + self.rng.between(SECOND, 4 * SECOND);
            }
            Task::Lost { until, server, restart } => self.lose(cx, now, *until, request, (server, *restart)),
            Task::Operate(_)
            | Task::Step(_)
            | Task::Dnp3 { .. }
            | Task::Modbus { .. }
            | Task::Iec104(_)
            | Task::Unnumbered { .. } => {}
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>, now: Micros) {
        if let Some(mut conn) = self.conn.take() {
            conn.close(cx, now, Side::Client);
        }
    }

    fn lose(
        &mut self,
        cx: &mut Cx<'_>,
        now: Micros,
        until: Micros,
        request: &[u8],
        (server, restart): (&'static Host, bool),
    ) {
        let Some(mut conn) = self.conn.take() else { return };
        conn.forsake(cx, now, request, until);
        let mut at = conn.last() + self.rng.between(2 * SECOND, 5 * SECOND);
        while at + 10 * SECOND < until {
            knock(cx, at, (self.client, self.rng.port()), (self.server, self.session.port()), &mut self.rng);
            at += 10 * SECOND + self.rng.between(5 * SECOND, 20 * SECOND);
        }
        if restart {
            let (mac, ip) = (server.mac, server.ip().octets());
            let own = Arp { op: 1, sender_mac: mac, sender_ip: ip, target_mac: [0; 6], target_ip: ip };
            cx.send(until, Stack::new().eth(mac, BROADCAST).add(own));
        }
        (self.server, self.restarted, self.label, self.passing) = (server, restart, cx.label, true);
        self.connect = at.max(until) + self.rng.between(SECOND, 6 * SECOND);
    }
}
