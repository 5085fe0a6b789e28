//! Exchanges: requests with their answers, reports with their confirmations, and what became of operations.

use std::hash::{DefaultHasher, Hash, Hasher};

use gwcore::{Body, Op, OpClass};
use proto::{Cx, Parser};

use super::app::{self, Fragment, function};
use super::emit::{self, Pairing};
use super::facts::Digest;
use super::state::{Answer, Envelope, Held, Key};
use super::{BROADCAST, Dnp3, table};

const NAME: &str = Dnp3::NAME;

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// What is wrong with an answer that no request waits for: the same answer again is a copy.
fn unasked(before: Option<&Answer>, seq: u8, content: u64) -> Option<&'static str> {
    match before {
        Some(a) if a.seq == seq => (a.content != content).then_some("second_answer"),
        _ => Some("answer_without_request"),
    }
}

impl Dnp3 {
    /// A request waits for its answer, unless none is to come.
    pub(super) fn request(&mut self, envelope: Envelope, bytes: Vec<u8>, digest: Digest, cx: &mut Cx<'_>) {
        let Some(fragment) = Fragment::parse(&bytes) else { return };
        let (master, outstation) = (envelope.link.src, envelope.link.dst);
        let select = self.pairs.with((master, outstation), cx.limits, |last| last.request(&fragment, cx.at.frame));
        if select.is_some_and(|s| !s.matches) {
            cx.anomaly(NAME, "operate_without_select", b"");
        }
        let op = digest.op(fragment.function);
        if let Some(op) = op.as_ref().filter(|_| outstation >= BROADCAST) {
            let (class, function, name) = (op.class, op.function, op.name);
            cx.fact(Body::Broadcast { proto: NAME, class, function, name });
        }
        if let Some(op) = op.clone() {
            cx.op(op);
        }
        let key = (master, outstation, fragment.seq(), false);
        let unanswered = app::is_unanswered(fragment.function) || outstation >= BROADCAST;
        let held = Held { mark: cx.mark(), envelope, bytes, digest, op, select };
        if unanswered {
            return self.unanswered(held, cx);
        }
        self.hold(key, held, cx);
    }

    /// An answer: its request's rows first, then its own.
    pub(super) fn answer(
        &mut self,
        envelope: &Envelope,
        fragment: &Fragment<'_>,
        bytes: &[u8],
        digest: &Digest,
        cx: &mut Cx<'_>,
    ) {
        let (master, outstation) = (envelope.link.dst, envelope.link.src);
        let seq = fragment.seq();
        let request = self.waiting.take(&(master, outstation, seq, false));
        let refused = digest.status.or_else(|| fragment.iin.and_then(table::refusal));
        let op = self.operation(request.as_ref(), (master, outstation), fragment.function, cx);
        self.outcome(op.as_ref(), fragment.function, refused, cx);
        let frame = cx.at.frame;
        let content = hash(bytes.get(1..).unwrap_or_default());
        let before = self.pairs.with((master, outstation), cx.limits, |last| last.answer);
        if let (None, true) = (&request, self.master_seen && fragment.fir())
            && let Some(reason) = unasked(before.as_ref(), seq, content)
        {
            cx.anomaly(NAME, reason, b"");
        }
        let answer = self
            .pairs
            .with((master, outstation), cx.limits, |last| last.answered(fragment, request.as_ref(), frame, content));
        let command = request.as_ref().is_some_and(|r| r.bytes.get(1) != Some(&function::READ));
        let asked = (master, outstation, answer.request_hash, answer.ordinal);
        let may_be_left_out = cx.tells_repeats() && !command && refused.is_none();
        let is_repeat = may_be_left_out && self.repeats.is_repeat(asked, digest.shape, cx.limits);
        cx.exchange(is_repeat, |cx| {
            if let Some(request) = &request {
                emit::held(request, Some(frame), cx);
            }
            let pairing = answer.request.map_or_else(Pairing::default, |mark| Pairing::later(mark, cx));
            emit::fragment(cx.mark(), envelope, bytes, digest, pairing, cx);
        });
    }

    /// The operation that an answer is about: that of its request, or the one whose challenge the request met.
    fn operation(&mut self, request: Option<&Held>, pair: (u16, u16), code: u8, cx: &mut Cx<'_>) -> Option<Op> {
        let op = request.and_then(|r| r.op.clone())?;
        self.pairs.with(pair, cx.limits, |last| {
            if code == function::AUTHENTICATE_RESP {
                last.challenged = Some(op);
                None
            } else if op.function == u16::from(function::AUTHENTICATE_REQ) {
                last.challenged.take().or(Some(op))
            } else {
                Some(op)
            }
        })
    }

    /// What became of an operation: always said of a command, of a read only when it is refused.
    fn outcome(&mut self, op: Option<&Op>, code: u8, refused: Option<(u16, &'static str)>, cx: &mut Cx<'_>) {
        let fallback = Op {
            proto: NAME,
            class: OpClass::Other,
            function: u16::from(code),
            name: table::function_name(code).unwrap_or("unknown"),
            point: None,
            points: 0,
            value: None,
            action: "",
            is_answer: true,
            refused,
        };
        match op {
            Some(op) if refused.is_some() || !matches!(op.class, OpClass::Read | OpClass::Identify) => {
                cx.op(Op { is_answer: true, refused, ..op.clone() });
            }
            None if refused.is_some() => cx.op(fallback),
            _ => {}
        }
    }

    /// An unsolicited report waits for its confirmation when it asks for one.
    pub(super) fn report(&mut self, envelope: Envelope, bytes: Vec<u8>, digest: Digest, cx: &mut Cx<'_>) {
        let Some(fragment) = Fragment::parse(&bytes) else { return };
        cx.fact(Body::Reported { proto: NAME, unit: u32::from(envelope.link.src) });
        let key = (envelope.link.dst, envelope.link.src, fragment.seq(), true);
        let con = fragment.con();
        let (master, outstation, seq) = (envelope.link.dst, envelope.link.src, fragment.seq());
        let ts = cx.mark().ts;
        if self.pairs.with((master, outstation), cx.limits, |last| last.is_again(seq, ts)) {
            cx.anomaly(NAME, "report_again_after_confirmation", b"");
        }
        let held = Held { mark: cx.mark(), envelope, bytes, digest, op: None, select: None };
        if con { self.hold(key, held, cx) } else { self.unanswered(held, cx) }
    }

    /// A confirmation: the report it confirms first; an answer it confirms is written already.
    pub(super) fn confirmation(
        &mut self,
        envelope: &Envelope,
        fragment: &Fragment<'_>,
        bytes: &[u8],
        digest: &Digest,
        cx: &mut Cx<'_>,
    ) {
        let (master, outstation) = (envelope.link.src, envelope.link.dst);
        let report = if fragment.uns() { self.waiting.take(&(master, outstation, fragment.seq(), true)) } else { None };
        if let Some(report) = &report {
            let confirmed = Some((fragment.seq(), report.mark.ts));
            self.pairs.with((master, outstation), cx.limits, |last| last.confirmed = confirmed);
        }
        let pairing = match &report {
            Some(report) => Pairing::later(report.mark, cx),
            None if fragment.uns() => Pairing::default(),
            None => {
                let last = self.pairs.with((master, outstation), cx.limits, |last| last.answer);
                let confirmed = last.filter(|a| a.seq == fragment.seq());
                Pairing { frame: confirmed.map(|a| a.frame), ..Pairing::default() }
            }
        };
        let shape = report.as_ref().map_or(0, |r| r.digest.shape);
        let asked = (master, outstation, fragment.uns(), report.is_some());
        let is_repeat = cx.tells_repeats() && self.repeats.is_repeat(asked, shape, cx.limits);
        cx.exchange(is_repeat, |cx| {
            if let Some(report) = &report {
                emit::held(report, Some(cx.at.frame), cx);
            }
            emit::fragment(cx.mark(), envelope, bytes, digest, pairing, cx);
        });
    }

    fn hold(&mut self, key: Key, held: Held, cx: &mut Cx<'_>) {
        for gone in self.waiting.insert(key, held, cx.limits) {
            self.unanswered(gone, cx);
        }
        if let Some(due) = self.waiting.due() {
            cx.wake(due);
        }
    }

    /// Writes a fragment whose other half did not come, or is not to come.
    pub(super) fn unanswered(&mut self, held: Held, cx: &mut Cx<'_>) {
        let read = matches!(held.bytes.get(1), Some(&(function::READ | function::UNSOLICITED)));
        let asked = emit::request_hash(&held.envelope, &held.bytes);
        let is_repeat = cx.tells_repeats() && read && self.repeats.is_repeat(asked, held.digest.shape, cx.limits);
        cx.exchange(is_repeat, |cx| emit::held(&held, None, cx));
    }

    /// Gives up what has waited too long.
    pub(super) fn expire(&mut self, cx: &mut Cx<'_>) {
        while let Some(due) = self.waiting.due() {
            if due > cx.now() {
                cx.wake(due);
                break;
            }
            if let Some(held) = self.waiting.pop() {
                self.unanswered(held, cx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answer_again_is_a_copy_and_another_one_is_told() {
        let before = Answer { frame: 1, seq: 3, fin: true, request: None, request_hash: 0, ordinal: 0, content: 7 };
        assert_eq!(unasked(Some(&before), 3, 7), None);
        assert_eq!(unasked(Some(&before), 3, 8), Some("second_answer"));
        assert_eq!(unasked(Some(&before), 4, 7), Some("answer_without_request"));
        assert_eq!(unasked(None, 4, 7), Some("answer_without_request"));
    }
}
