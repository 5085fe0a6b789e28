//! One of the 32 shards: it finds or opens the flow of each packet, runs timers, and ends flows.

use gwcore::ids::Table;
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Limit, LimitHits, Limits, Mac, Ts, Uid};
use packet::{Packet, Transport};

use crate::checksum::{Decided, Sources, Verdict, Waiting};
use crate::entry::{Entry, Kind, VLANS_UNSEEN};
use crate::key::{FlowKey, Keyed, is_link, keyed, link_of, originator_is_receiver};
use crate::late::{self, LateQueue};
use crate::stream::Budget;
use crate::table::{FlowTable, Worth};
use crate::tcp::{Segment, Tcp};
use crate::timers::{Due, Timers};
use crate::{Checksums, Flow, Handler, Options, Origin, OverlapPolicy, Side};

/// A packet further than this from the shard's time is a stray: it moves nothing.
const STRAY: i64 = MINUTE;
/// The VLANs of a frame without a tag.
const UNTAGGED: [u16; 2] = [0xffff; 2];
/// Order of use is kept to this, so that a busy flow is not moved in its list with every packet.
const USE_GRAIN: i64 = SECOND;

/// One shard. `A` is what the handler keeps in each flow.
pub struct Shard<A> {
    table: FlowTable<Entry<A>>,
    timers: Timers,
    sources: Sources,
    late: LateQueue,
    budget: Budget,
    options: Options,
    /// Flows alive that are kept apart from others by their VLANs.
    apart: usize,
    /// Time of the last tick.
    now: Option<Ts>,
    serial: u64,
    instant: Instant,
    /// Flows with packets in the minute at hand, where statistics are kept.
    in_minute: Vec<(u64, u32)>,
}

/// Identities of flows that began and ended within one nanosecond, so that a further one gets another.
#[derive(Default)]
struct Instant {
    at: Ts,
    /// By identity without a counter, the next counter.
    ended: Table<Uid, u32>,
}

impl<A: Default> Shard<A> {
    /// An empty shard.
    pub fn new(limits: &Limits, options: Options) -> Shard<A> {
        Shard {
            table: FlowTable::new(limits.get(Limit::Flows)),
            timers: Timers::default(),
            sources: Sources::new(limits),
            late: LateQueue::default(),
            apart: 0,
            budget: Budget::new(limits),
            options,
            now: None,
            serial: 0,
            instant: Instant::default(),
            in_minute: Vec::new(),
        }
    }

    /// How often each limit was hit.
    pub fn hits(&self) -> &LimitHits {
        &self.budget.hits
    }

    /// Flows alive.
    pub fn live(&self) -> usize {
        self.table.len()
    }

    /// Takes a packet of this shard in.
    pub fn packet<H: Handler<App = A>>(&mut self, p: &Packet, payload: &[u8], h: &mut H) {
        let now = self.time_of(p);
        let mut k = keyed(p, payload);
        if !self.options.vlan_in_key {
            k.key = self.key_by_vlan(&k, p, h);
        }
        let hash = self.table.hash(&k.key);
        let found = self.table.find(hash, &k.key);
        if p.twin {
            return self.twin(found, k.key);
        }
        let mut slot = match found {
            Some(slot) if !self.end_if_over(slot, &k, p, now, h) => slot,
            _ => self.open(hash, &k, p, payload, now, h),
        };
        let believed = self.is_believed(p);
        if matches!(p.transport, Transport::Tcp(_)) && self.is_second_leg(slot, &k, p, payload, h) {
            k.key = k.key.second_leg();
            let hash = self.table.hash(&k.key);
            slot = match self.table.find(hash, &k.key) {
                Some(slot) if !self.end_if_over(slot, &k, p, now, h) => slot,
                _ => self.open(hash, &k, p, payload, now, h),
            };
        }
        let Some(e) = self.table.get_mut(slot) else { return };
        run_due(e, &self.options, now, now, h);
        let side = k.side(e.orig_is_a);
        e.count(side, p, now);
        if e.measure(side, p, now) {
            self.in_minute.push((e.serial, slot));
        }
        h.packet(&mut e.flow, side, p);
        if believed && e.waiting == [0; 2] {
            if e.late == 0 && !is_early(e, side, p) {
                take_in(e, &mut self.budget, side, p, payload, h);
            } else {
                self.in_order(slot, side, p, payload, h);
            }
        } else {
            self.judge(slot, side, believed, p, payload, h);
        }
        self.settle(slot, now);
    }

    /// The key that a packet's conversation has: without VLANs, but for conversations of the same addresses and ports that are shown to be
    /// others. Tags are no part of a conversation: a mirror port strips those of one direction, or shows other ids for each.
    fn key_by_vlan<H: Handler<App = A>>(&mut self, k: &Keyed, p: &Packet, h: &mut H) -> FlowKey {
        let (plain, apart) = (k.key.without_vlans(), k.key.apart());
        if self.apart > 0 && self.table.find(self.table.hash(&apart), &apart).is_some() {
            return apart;
        }
        let Some(slot) = self.table.find(self.table.hash(&plain), &plain) else { return plain };
        let Some(e) = self.table.get_mut(slot) else { return plain };
        let (side, seen) = (k.side(e.orig_is_a), p.link.vlans);
        let [mine, other] = [side, side.flip()].map(|s| e.vlans[s.index()]);
        if mine == seen || p.twin {
            return plain;
        }
        if mine != VLANS_UNSEEN || other != seen {
            if !has_other_tags(e, side, p) {
                return apart;
            }
            if !std::mem::replace(&mut e.vlans_told, true) {
                let known = if mine == VLANS_UNSEEN { other } else { mine };
                h.anomaly(&mut e.flow, side, "vlan_differs", &format!("{} and {}", vlans(seen), vlans(known)));
            }
        }
        e.vlans[side.index()] = seen;
        plain
    }

    /// Takes a packet in while others of its session wait, or lets it wait: it acknowledges what was not seen.
    fn in_order<H: Handler<App = A>>(&mut self, slot: u32, side: Side, p: &Packet, payload: &[u8], h: &mut H) {
        let Some(serial) = self.table.get(slot).map(|e| e.serial) else { return };
        let first = self.late.first(serial).map(|l| l.packet.ts);
        if first.is_some_and(|first| late::is_over(first, p.ts)) {
            self.release(serial, true, h);
        }
        let Some(e) = self.table.get_mut(slot) else { return };
        let from_waiting = self.late.first(serial).map(|l| keyed(&l.packet, &l.payload).side(e.orig_is_a) == side);
        let waits = match from_waiting {
            Some(same) => same,
            None => is_early(e, side, p),
        };
        // What comes from the other side is either what they wait for, or shows that it was lost.
        if let (Some(false), Some(late)) = (from_waiting, self.late.first(serial))
            && let (Kind::Tcp(tcp), Transport::Tcp(waiting), Transport::Tcp(other)) =
                (&mut e.kind, late.packet.transport, p.transport)
            && !tcp.belongs_before(side.flip(), &waiting, &other)
        {
            self.release(serial, true, h);
        }
        if waits && self.late.has_room(payload.len()) {
            if let Some(e) = self.table.get_mut(slot) {
                e.late = e.late.saturating_add(1);
            }
            return self.late.push(slot, serial, p, payload);
        }
        if waits {
            self.release(serial, true, h);
        }
        self.deliver(slot, side, p, payload, h);
        self.release(serial, false, h);
    }

    /// Takes in what waits of a session: all of it, or as far as it answers nothing unseen any more.
    fn release<H: Handler<App = A>>(&mut self, serial: u64, all: bool, h: &mut H) {
        while let Some(late) = self.late.first(serial) {
            let Some(e) = self.table.get_mut(late.slot).filter(|e| e.serial == serial) else {
                self.late.pop(serial);
                continue;
            };
            let side = keyed(&late.packet, &late.payload).side(e.orig_is_a);
            if !all && is_early(e, side, &late.packet) {
                return;
            }
            e.late = e.late.saturating_sub(1);
            let Some(late) = self.late.pop(serial) else { return };
            h.waited(Some(Origin::of(&late.packet)));
            self.deliver(late.slot, side, &late.packet, &late.payload, h);
            h.waited(None);
            self.schedule(late.slot);
        }
    }

    /// Whether a packet of a TCP session went beyond somebody who alters what passes. Captured on both his sides, the versions differ in
    /// bytes and soon in sequence numbers too: the session is then two, of which each keeps its own. A router's two sides are one.
    #[inline]
    fn is_second_leg<H: Handler<App = A>>(
        &mut self,
        slot: u32,
        k: &Keyed,
        p: &Packet,
        payload: &[u8],
        h: &mut H,
    ) -> bool {
        let link = link_of(p);
        let Some(e) = self.table.get_mut(slot) else { return false };
        if e.second_leg != 0 || p.payload_len == 0 || link == 0 {
            return e.second_leg != 0 && e.second_leg == link;
        }
        let side = k.side(e.orig_is_a);
        let before = std::mem::replace(&mut e.links[side.index()], link);
        let sender = std::mem::replace(&mut e.senders[side.index()], p.link.src);
        let (Kind::Tcp(tcp), Transport::Tcp(header)) = (&e.kind, p.transport) else { return false };
        // Whoever stands between shares one of his two sides with the session; another session with the same addresses, as two merged
        // captures may have, shares nothing.
        let c = &e.flow.constant;
        let is_near = [c.src_mac, c.dst_mac].iter().any(|mac| [p.link.src, p.link.dst].contains(mac));
        if before == link || before == 0 || !is_near || p.checksum_ok == Some(false) {
            return false;
        }
        let data = payload.get(..p.payload_len as usize).unwrap_or(payload);
        let s = Segment { side, at: p.ts, tcp: header, data, len: p.payload_len };
        let Some(text) = tcp.contradiction(&s, &self.budget) else { return false };
        e.second_leg = link;
        h.altered(&mut e.flow, side, [sender, p.link.src], &text);
        true
    }

    /// Whether nothing has to be known of the source to believe the packet's checksum.
    #[inline]
    fn is_believed(&self, p: &Packet) -> bool {
        match (self.options.checksums, p.checksum_ok) {
            (Checksums::None, _) | (_, None) => true,
            (Checksums::All, Some(right)) => right,
            (Checksums::Auto, Some(right)) => right && self.sources.is_idle(),
        }
    }

    /// The packet's time, or the shard's where it is a stray.
    fn time_of(&self, p: &Packet) -> Ts {
        match self.now {
            Some(now) if p.ts.since(now).unsigned_abs() > STRAY as u64 => now,
            _ => p.ts,
        }
    }

    /// A mirrored copy; it may lack the VLAN tag of the first.
    fn twin(&mut self, found: Option<u32>, key: FlowKey) {
        let found = found.or_else(|| {
            let key = key.without_vlans();
            self.table.find(self.table.hash(&key), &key)
        });
        if let Some(e) = found.and_then(|slot| self.table.get_mut(slot)) {
            e.dup_pkts += 1;
        }
    }

    /// Ends a flow that was over before this packet, or whose ports this packet uses again.
    fn end_if_over<H: Handler<App = A>>(&mut self, slot: u32, k: &Keyed, p: &Packet, now: Ts, h: &mut H) -> bool {
        let Some(e) = self.table.get_mut(slot) else { return true };
        e.catch_up(now, STRAY);
        let (deadline, reason) = e.deadline(&self.options);
        let side = k.side(e.orig_is_a);
        let idle = now.since(e.touched);
        let reason = match (&mut e.kind, p.transport) {
            _ if now > deadline => reason,
            (Kind::Tcp(tcp), Transport::Tcp(header)) => {
                let s = Segment { side, at: now, tcp: header, data: &[], len: 0 };
                if !tcp.is_reused(&s, idle, &self.options) {
                    return false;
                }
                "reused"
            }
            _ => return false,
        };
        self.run_parts_before_end(slot, now, h);
        self.end(slot, reason, h);
        true
    }

    fn open<H: Handler<App = A>>(
        &mut self,
        hash: u32,
        k: &Keyed,
        p: &Packet,
        payload: &[u8],
        now: Ts,
        h: &mut H,
    ) -> u32 {
        if self.table.is_full()
            && let Some(least) = self.table.least()
        {
            self.budget.hits.hit(Limit::Flows);
            self.end(least, "evicted", h);
        }
        let flip = originator_is_receiver(p, payload);
        let orig_is_a = k.forward != flip;
        let counter = self.uid_counter(k, orig_is_a, p.ts);
        let mut constant = k.constant(p, k.key.uid(orig_is_a, p.ts, counter));
        if flip {
            let c = &mut constant;
            std::mem::swap(&mut c.src, &mut c.dst);
            std::mem::swap(&mut c.src_port, &mut c.dst_port);
            std::mem::swap::<Mac>(&mut c.src_mac, &mut c.dst_mac);
        }
        let flow = Flow {
            constant,
            first_ts: p.ts,
            last_ts: p.ts,
            app: A::default(),
            is_ot: false,
            service: "",
            wake: None,
            tunnel: p.tunnel,
            from_start: [false; 2],
            whole: [false; 2],
        };
        self.serial += 1;
        let receivers = [flow.constant.dst, flow.constant.src];
        let kind = kind_of(p, || receivers.map(|r| self.options.overlap.of(r)));
        let mut e = Entry::new(flow, kind, orig_is_a, now, &self.options);
        (e.serial, e.uid_counter) = (self.serial, counter);
        e.vlans[k.side(orig_is_a).index()] = p.link.vlans;
        e.is_apart = !self.options.vlan_in_key && k.key.is_tagged();
        self.apart += usize::from(e.is_apart);
        if flip {
            e.history.flipped();
        }
        h.start(&mut e.flow, p);
        self.table.insert(hash, k.key, Worth::Unanswered, e)
    }

    fn uid_counter(&mut self, k: &Keyed, orig_is_a: bool, first: Ts) -> u32 {
        if self.instant.at != first {
            self.instant.at = first;
            if !self.instant.ended.is_empty() {
                self.instant.ended = Table::default();
            }
        }
        if self.instant.ended.is_empty() {
            return 0;
        }
        self.instant.ended.get(&k.key.uid(orig_is_a, first, 0)).copied().unwrap_or(0)
    }

    /// Believes a packet's checksum or not, and takes in what that decides.
    fn judge<H: Handler<App = A>>(
        &mut self,
        slot: u32,
        side: Side,
        believed: bool,
        p: &Packet,
        payload: &[u8],
        h: &mut H,
    ) {
        let mut verdict = if believed { Verdict::Believe } else { Verdict::LeaveOut };
        if !believed && self.options.checksums == Checksums::Auto {
            let mut decided = Decided::default();
            let right = p.checksum_ok != Some(false);
            verdict = self.sources.result(p, right, &mut decided, &mut self.budget.hits);
            self.take_decided(decided, h);
        }
        match verdict {
            Verdict::Believe => {
                self.take_answered(slot, side.flip(), p, h);
                self.deliver(slot, side, p, payload, h);
            }
            Verdict::Wait if self.budget.held.saturating_add(payload.len()) <= self.budget.shard_bytes => {
                let Some(e) = self.table.get_mut(slot) else { return };
                e.waiting[side.index()] += 1;
                self.budget.held += payload.len();
                self.sources.wait(slot, e.serial, p, payload);
            }
            Verdict::Wait => {
                self.budget.hits.hit(Limit::ReassemblyShardBytes);
                self.leave_out(slot, side, h);
            }
            Verdict::LeaveOut => self.leave_out(slot, side, h),
        }
    }

    fn take_decided<H: Handler<App = A>>(&mut self, decided: Decided, h: &mut H) {
        for w in decided.left_out {
            if let Some(side) = self.stop_waiting(&w) {
                self.leave_out(w.slot, side, h);
            }
        }
        for w in decided.believed {
            self.believe(w, h);
        }
    }

    fn believe<H: Handler<App = A>>(&mut self, w: Waiting, h: &mut H) {
        let Some(side) = self.stop_waiting(&w) else { return };
        if let Some(e) = self.table.get_mut(w.slot) {
            e.believed[side.index()] += 1;
        }
        // It answers in its turn; each step takes out what waited, so there are no more than these.
        self.take_answered(w.slot, side.flip(), &w.packet, h);
        h.waited(Some(Origin::of(&w.packet)));
        self.deliver(w.slot, side, &w.packet, &w.payload, h);
        h.waited(None);
        self.schedule(w.slot);
    }

    /// Takes in what waits of a side, as far as `answer` shows that its receiver took it: where everything was wrong so far, and what the
    /// side left to its network card. A forged segment is no use: what the receiver took in its place was taken in here too.
    fn take_answered<H: Handler<App = A>>(&mut self, slot: u32, side: Side, answer: &Packet, h: &mut H) {
        let Some(e) = self.table.get(slot).filter(|e| e.waiting[side.index()] > 0) else { return };
        let all_wrong = e.is_all_wrong(side);
        let taken = |w: &Waiting| (all_wrong || w.packet.checksum_left_to_card) && w.is_answered_by(answer);
        for w in self.sources.take(answer.dst, answer.src, e.serial, taken) {
            self.believe(w, h);
        }
    }

    /// The side that sent a packet whose wait is over; none when its flow has ended.
    fn stop_waiting(&mut self, w: &Waiting) -> Option<Side> {
        self.budget.held = self.budget.held.saturating_sub(w.payload.len());
        let e = self.table.get_mut(w.slot).filter(|e| e.serial == w.serial)?;
        let side = keyed(&w.packet, &w.payload).side(e.orig_is_a);
        e.waiting[side.index()] = e.waiting[side.index()].saturating_sub(1);
        Some(side)
    }

    fn leave_out<H: Handler<App = A>>(&mut self, slot: u32, side: Side, h: &mut H) {
        if let Some(e) = self.table.get_mut(slot) {
            e.wrong_checksum(side);
            h.anomaly(&mut e.flow, side, "wrong_checksum", "");
        }
    }

    fn deliver<H: Handler<App = A>>(&mut self, slot: u32, side: Side, p: &Packet, payload: &[u8], h: &mut H) {
        if let Some(e) = self.table.get_mut(slot) {
            take_in(e, &mut self.budget, side, p, payload, h);
        }
    }

    /// After a packet: the flow's place among the others of its worth, and its timer.
    #[inline]
    fn settle(&mut self, slot: u32, now: Ts) {
        let Some(e) = self.table.get_mut(slot) else { return };
        let at = e.soonest(&self.options);
        if at < e.scheduled {
            e.scheduled = at;
            self.timers.set(Due { at, serial: e.serial, slot });
        }
        let worth = e.current_worth();
        if worth != e.worth || now.since(e.listed) >= USE_GRAIN {
            (e.worth, e.listed) = (worth, now);
            self.table.touch(slot, worth);
        }
    }

    /// Sets the timer when something is due sooner than it stands.
    #[inline]
    fn schedule(&mut self, slot: u32) {
        let Some(e) = self.table.get_mut(slot) else { return };
        let at = e.soonest(&self.options);
        if at < e.scheduled {
            e.scheduled = at;
            self.timers.set(Due { at, serial: e.serial, slot });
        }
    }

    /// Runs what is due up to `now`, in order of time, then of the flows' creation: wakes, parts, ends.
    pub fn tick<H: Handler<App = A>>(&mut self, now: Ts, h: &mut H) {
        let before = self.now.replace(self.now.map_or(now, |n| n.max(now)));
        if !self.late.is_empty() {
            self.release_over(now, h);
        }
        if before.is_some_and(|b| b.minute() < now.minute()) {
            self.end_minute(h);
        }
        while let Some(due) = self.timers.pop(now) {
            let Some(e) = self.table.get_mut(due.slot).filter(|e| e.serial == due.serial) else { continue };
            if e.scheduled != due.at {
                continue;
            }
            e.scheduled = Ts(i64::MAX);
            e.catch_up(now, STRAY);
            let (deadline, reason) = e.deadline(&self.options);
            if deadline < due.at {
                self.end(due.slot, reason, h);
                continue;
            }
            run_due(e, &self.options, due.at, now, h);
            self.schedule(due.slot);
        }
        self.table.make_room();
        if self.timers.crowded(self.table.len()) {
            let table = &self.table;
            let live = |d: &Due| table.get(d.slot).is_some_and(|e| e.serial == d.serial && e.scheduled == d.at);
            self.timers.sweep(live);
        }
    }

    /// Takes in what waited long enough.
    fn release_over<H: Handler<App = A>>(&mut self, now: Ts, h: &mut H) {
        while let Some(serial) = self.late.over(now) {
            self.release(serial, true, h);
        }
    }

    /// Tells the minute of every flow with packets in it, in the order of their first packets there.
    fn end_minute<H: Handler<App = A>>(&mut self, h: &mut H) {
        let mut flows = std::mem::take(&mut self.in_minute);
        for (serial, slot) in flows.drain(..) {
            if let Some(e) = self.table.get_mut(slot).filter(|e| e.serial == serial) {
                tell_minute(e, h);
            }
        }
        self.in_minute = flows;
    }

    /// The parts of a flow that ended before `now` without a timer having run.
    fn run_parts_before_end<H: Handler<App = A>>(&mut self, slot: u32, now: Ts, h: &mut H) {
        if let Some(e) = self.table.get_mut(slot) {
            let until = now.min(e.deadline(&self.options).0);
            run_due(e, &self.options, until, now, h);
        }
    }

    /// Ends every flow, in the order of their creation, after what is due up to `now`.
    pub fn finish<H: Handler<App = A>>(&mut self, now: Ts, h: &mut H) {
        self.tick(now, h);
        let mut rest: Vec<_> = self.table.slots().filter_map(|s| Some((self.table.get(s)?.serial, s))).collect();
        rest.sort_unstable();
        for (_, slot) in rest {
            self.end(slot, "finish", h);
        }
    }

    /// The input's time went back: moves all timers by `step_ns` (negative: back).
    pub fn shift(&mut self, step_ns: i64) {
        self.now = self.now.map(|t| t.plus(step_ns));
        self.timers.shift(step_ns);
        let slots: Vec<u32> = self.table.slots().collect();
        for slot in slots {
            if let Some(e) = self.table.get_mut(slot) {
                e.shift(step_ns);
            }
        }
    }

    fn end<H: Handler<App = A>>(&mut self, slot: u32, reason: &'static str, h: &mut H) {
        if let Some(e) = self.table.get(slot).filter(|e| e.late > 0) {
            self.release(e.serial, true, h);
        }
        self.decide_waiting(slot, h);
        let Some(mut e) = self.table.remove(slot) else { return };
        self.apart -= usize::from(e.is_apart);
        if let Kind::Tcp(tcp) = &mut e.kind {
            tcp.finish(e.touched, &mut e.history, &mut self.budget, &mut e.flow, h);
            e.flow.whole = tcp.are_whole();
        }
        h.close(&mut e.flow);
        tell_minute(&mut e, h);
        if let Some((first, row)) = e.stats(false) {
            h.stats(&mut e.flow, first, row);
        }
        let history = e.history;
        let row = e.conn(&history, reason);
        if e.flow.first_ts == self.instant.at && self.instant.ended.len() < self.table.limit() {
            let plain = Uid(e.flow.constant.uid.0.wrapping_sub(u128::from(e.uid_counter)));
            self.instant.ended.insert(plain, e.uid_counter.saturating_add(1));
        }
        h.end(&mut e.flow, row);
    }

    /// What still waits when its flow ends is believed if its sender showed nothing right, or left it to its network card; else left out.
    fn decide_waiting<H: Handler<App = A>>(&mut self, slot: u32, h: &mut H) {
        for side in [Side::Orig, Side::Resp] {
            let Some(e) = self.table.get(slot).filter(|e| e.waiting[side.index()] > 0) else { continue };
            let c = &e.flow.constant;
            let (from, to) = if side == Side::Orig { (c.src, c.dst) } else { (c.dst, c.src) };
            let all_wrong = e.is_all_wrong(side);
            for w in self.sources.take(from, to, e.serial, |_| true) {
                if all_wrong || w.packet.checksum_left_to_card {
                    self.believe(w, h);
                } else if let Some(side) = self.stop_waiting(&w) {
                    self.leave_out(slot, side, h);
                }
            }
        }
    }
}

/// Whether a segment with data answers what was not seen yet.
#[inline]
fn is_early<A>(e: &mut Entry<A>, side: Side, p: &Packet) -> bool {
    match (&mut e.kind, p.transport) {
        (Kind::Tcp(tcp), Transport::Tcp(header)) => p.payload_len > 0 && tcp.covers_unseen(side, &header),
        _ => false,
    }
}

/// Whether a packet with other VLANs than its side had, or than the other side has, belongs to the conversation all the same: by its sequence
/// numbers, without them by its MAC addresses; a side whose tags change keeps its MAC addresses.
fn has_other_tags<A>(e: &mut Entry<A>, side: Side, p: &Packet) -> bool {
    let c = &e.flow.constant;
    let macs = if side == Side::Orig { (c.src_mac, c.dst_mac) } else { (c.dst_mac, c.src_mac) };
    let same_macs = macs == (p.link.src, p.link.dst);
    let known = e.vlans[side.index()];
    match (&mut e.kind, p.transport) {
        (Kind::Tcp(tcp), Transport::Tcp(header)) => (known == VLANS_UNSEEN || same_macs) && tcp.goes_on(side, &header),
        (Kind::Link, _) => known == UNTAGGED || p.link.vlans == UNTAGGED,
        _ => same_macs,
    }
}

/// VLANs in words.
fn vlans(ids: [u16; 2]) -> String {
    match ids {
        UNTAGGED => "no VLAN".to_owned(),
        [one, 0xffff] => format!("VLAN {one}"),
        [outer, inner] => format!("VLAN {outer}/{inner}"),
    }
}

/// Wakes and parts of one flow that are due at `at`, while the shard's time is `now`.
#[inline]
fn run_due<H: Handler>(e: &mut Entry<H::App>, o: &Options, at: Ts, now: Ts, h: &mut H) {
    if e.part_at <= at && e.is_part_empty() {
        e.skip_parts(at, o);
    }
    if e.scheduled > at && e.scheduled != Ts(i64::MAX) {
        return;
    }
    if e.flow.wake.is_some_and(|wake| wake <= at) {
        e.flow.wake = None;
        h.wake(&mut e.flow);
        // A wake asked for in the past would come again at once, for ever.
        e.flow.wake = e.flow.wake.map(|wake| wake.max(now.plus(1)));
    }
    while e.part_at <= at {
        if e.is_part_empty() {
            return e.skip_parts(at, o);
        }
        let row = e.part(o);
        h.part(&mut e.flow, row);
        if let Some((first, row)) = e.stats(true) {
            h.stats(&mut e.flow, first, row);
        }
    }
}

fn tell_minute<H: Handler>(e: &mut Entry<H::App>, h: &mut H) {
    if let Some((at, row)) = e.minute() {
        h.minute(&mut e.flow, at, row);
    }
}

/// Takes the contents of a believed packet in.
#[inline]
fn take_in<H: Handler>(e: &mut Entry<H::App>, b: &mut Budget, side: Side, p: &Packet, payload: &[u8], h: &mut H) {
    b.begin(p);
    let payload = payload.get(..p.payload_len as usize).unwrap_or(payload);
    match (&mut e.kind, p.transport) {
        (Kind::Tcp(tcp), Transport::Tcp(header)) => {
            let s = Segment { side, at: p.ts, tcp: header, data: payload, len: p.payload_len };
            tcp.segment(&s, &mut e.history, b, &mut e.flow, h);
        }
        (Kind::Tcp(_), _) => {}
        (kind, _) => {
            if let Kind::Udp = kind {
                e.history.once(side, b'd');
            }
            h.datagram(&mut e.flow, side, payload, p);
        }
    }
}

/// What a flow is by its first packet; `policies` are asked for by a TCP session, for its originator's data and the responder's.
fn kind_of(p: &Packet, policies: impl FnOnce() -> [OverlapPolicy; 2]) -> Kind {
    match p.transport {
        Transport::Tcp(_) => Kind::Tcp(Box::new(Tcp::new(policies()))),
        Transport::Udp { .. } => Kind::Udp,
        Transport::Icmp { .. } => Kind::Icmp,
        _ if is_link(p) => Kind::Link,
        _ => Kind::OtherIp,
    }
}
