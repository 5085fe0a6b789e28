//! Conversations: requests that wait for their answer, reports that wait for their confirmation, selections that wait to be operated.

use gwcore::{AgedTable, Limit, Limits, Op, Ts, time::SECOND};
use proto::Mark;

use super::app::Fragment;
use super::facts::Digest;
use super::link::Header;
use super::transport::Octet;

/// How long a request waits for its answer before its row is written.
pub const PATIENCE: i64 = 30 * SECOND;
/// Largest body of a SELECT that is compared with its OPERATE: what IEEE 1815 §4.2 lets a fragment have by default.
const SELECT_BYTES: usize = 2_048;

/// Link and transport headers of the frame that completed a message.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// Link header.
    pub link: Header,
    /// Whether the CRCs of the user data were right.
    pub crc_ok: bool,
    /// Transport octet, if there was user data.
    pub octet: Option<Octet>,
    /// Link frames the fragment came in, if one was completed.
    pub segments: Option<u16>,
}

/// A fragment kept until the other half of its exchange comes.
#[derive(Debug)]
pub struct Held {
    /// Where it stood.
    pub mark: Mark,
    /// Its headers.
    pub envelope: Envelope,
    /// The fragment, decoded again when its row is written.
    pub bytes: Vec<u8>,
    /// What was found out about it.
    pub digest: Digest,
    /// What it asks for.
    pub op: Option<Op>,
    /// The selection it operates: frame, and whether it matches.
    pub select: Option<Selected>,
}

/// What an OPERATE refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Frame of the SELECT right before it.
    pub frame: Option<u64>,
    /// Same objects, next sequence number.
    pub matches: bool,
}

/// Requests of one sequence number that wait beside each other.
const SAME_KEY: u8 = 4;

/// Master, outstation, sequence number, unsolicited.
pub type Key = (u16, u16, u8, bool);

/// Fragments that wait, at most [`Limit::Pending`] of them with [`Limit::ParserBytes`] together.
#[derive(Default)]
pub struct Waiting {
    /// By key, and a place among those of one key: some masters ask on before they are answered.
    table: Option<AgedTable<(Key, u8), Held>>,
    bytes: usize,
}

impl Waiting {
    /// Keeps a fragment; gives back those that had to go for it.
    pub fn insert(&mut self, key: Key, held: Held, limits: &Limits) -> Vec<Held> {
        // The same again is a retry; what differs was asked beside it.
        let again = self.places(&key).find(|place| self.at(&key, *place).is_some_and(|h| h.bytes == held.bytes));
        let free = (0..SAME_KEY).find(|place| self.at(&key, *place).is_none());
        let mut gone: Vec<Held> = match (again, free) {
            (Some(place), _) => self.take_at(&key, place).into_iter().collect(),
            (None, Some(_)) => Vec::new(),
            (None, None) => self.take(&key).into_iter().collect(),
        };
        let place = (0..SAME_KEY).find(|place| self.at(&key, *place).is_none()).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(held.bytes.len());
        let table = self.table.get_or_insert_with(|| AgedTable::new(Limit::Pending, limits.get(Limit::Pending)));
        gone.extend(table.insert((key, place), held).map(|(_, h)| self.forget(h)));
        while self.bytes > limits.get(Limit::ParserBytes) {
            let Some(h) = self.pop() else { break };
            gone.push(h);
        }
        gone
    }

    /// Whether a fragment waits under a key.
    pub fn has(&self, key: &Key) -> bool {
        self.places(key).next().is_some()
    }

    /// Takes the first of the fragments that wait under a key.
    pub fn take(&mut self, key: &Key) -> Option<Held> {
        let first = |place: &u8| self.at(key, *place).map(|h| (h.mark.ts, h.mark.frame));
        let place = self.places(key).min_by_key(first)?;
        self.take_at(key, place)
    }

    fn at(&self, key: &Key, place: u8) -> Option<&Held> {
        self.table.as_ref()?.get(&(*key, place))
    }

    fn places(&self, key: &Key) -> impl Iterator<Item = u8> {
        (0..SAME_KEY).filter(|place| self.at(key, *place).is_some())
    }

    fn take_at(&mut self, key: &Key, place: u8) -> Option<Held> {
        let held = self.table.as_mut()?.remove(&(*key, place))?;
        Some(self.forget(held))
    }

    /// Takes the oldest one.
    pub fn pop(&mut self) -> Option<Held> {
        let (_, held) = self.table.as_mut()?.pop_oldest()?;
        Some(self.forget(held))
    }

    /// When the oldest one is to be given up.
    pub fn due(&mut self) -> Option<Ts> {
        self.table.as_mut()?.oldest().map(|(_, h)| h.mark.ts.plus(PATIENCE))
    }

    fn forget(&mut self, held: Held) -> Held {
        self.bytes = self.bytes.saturating_sub(held.bytes.len());
        held
    }
}

/// The last answer of an outstation to a master.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Frame of the answer.
    pub frame: u64,
    /// Its sequence number.
    pub seq: u8,
    /// Whether it was the last fragment.
    pub fin: bool,
    /// Where its request stood, if seen.
    pub request: Option<Mark>,
    /// Hash of that request.
    pub request_hash: u64,
    /// How many fragments there were before it.
    pub ordinal: u32,
    /// Hash of what it says.
    pub content: u64,
}

struct Select {
    frame: u64,
    seq: u8,
    body: Vec<u8>,
}

/// What a master and an outstation did last.
#[derive(Default)]
pub struct Last {
    select: Option<Select>,
    /// The operation that the outstation wants authenticated before it answers (§7.5).
    pub challenged: Option<Op>,
    /// The last answer.
    pub answer: Option<Answer>,
    /// The unsolicited report confirmed last: its sequence number, and when it was sent.
    pub confirmed: Option<(u8, Ts)>,
}

impl Last {
    /// Takes note of an answer: whose it is, or which fragment of the answer before it.
    pub fn answered(&mut self, fragment: &Fragment<'_>, request: Option<&Held>, frame: u64, content: u64) -> Answer {
        let (seq, fin) = (fragment.seq(), fragment.fin());
        let before = self.answer.filter(|a| !fragment.fir() && !a.fin && a.seq.wrapping_add(1) & 15 == seq);
        let (request, request_hash, ordinal) = match (request, before) {
            (Some(r), _) => (Some(r.mark), super::emit::request_hash(&r.envelope, &r.bytes), 0),
            (None, Some(a)) => (a.request, a.request_hash, a.ordinal.saturating_add(1)),
            (None, None) => (None, 0, 0),
        };
        *self.answer.insert(Answer { frame, seq, fin, request, request_hash, ordinal, content })
    }

    /// Whether an unsolicited report is the one confirmed last, sent again sooner than a retry comes: after a confirmation the
    /// outstation counts on (IEEE 1815, application sequence numbers), and it waits for one for seconds before it tries again.
    pub fn is_again(&self, seq: u8, ts: Ts) -> bool {
        self.confirmed.is_some_and(|(s, at)| s == seq && (0..SECOND).contains(&ts.since(at)))
    }

    /// Takes note of a request. Any request but the OPERATE right after it ends a selection (§4.4.4); a repeated OPERATE does not.
    pub fn request(&mut self, fragment: &Fragment<'_>, frame: u64) -> Option<Selected> {
        use super::app::function::{CONFIRM, OPERATE, SELECT};
        match fragment.function {
            CONFIRM => None,
            SELECT => {
                let body = fragment.body.get(..fragment.body.len().min(SELECT_BYTES)).unwrap_or_default().to_vec();
                self.select = Some(Select { frame, seq: fragment.seq(), body });
                None
            }
            OPERATE => {
                let next = |s: &Select| s.seq.wrapping_add(1) & 15 == fragment.seq();
                let same = |s: &Select| next(s) && s.body == fragment.body;
                let selected = self.select.as_ref().map(|s| Selected { frame: Some(s.frame), matches: same(s) });
                self.select.take_if(|s| !next(s));
                Some(selected.unwrap_or_default())
            }
            _ => {
                self.select = None;
                None
            }
        }
    }
}

/// What link pairs did last, at most [`Limit::LinkPairs`] of them.
#[derive(Default)]
pub struct Pairs(Option<AgedTable<(u16, u16), Last>>);

impl Pairs {
    /// Sequence number of the last answer of an outstation to a master.
    pub fn last_answer(&self, key: (u16, u16)) -> Option<u8> {
        self.0.as_ref()?.get(&key)?.answer.map(|a| a.seq)
    }

    /// Looks at, or changes, what a master and an outstation did last.
    pub fn with<T>(&mut self, key: (u16, u16), limits: &Limits, f: impl FnOnce(&mut Last) -> T) -> T {
        let table = self.0.get_or_insert_with(|| AgedTable::new(Limit::LinkPairs, limits.get(Limit::LinkPairs)));
        if let Some(last) = table.get_mut(&key) {
            return f(last);
        }
        let mut last = Last::default();
        let value = f(&mut last);
        table.insert(key, last);
        value
    }
}
