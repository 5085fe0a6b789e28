//! What detectors of new things share: asking the baseline, and weighing what its silence is worth.

use std::sync::Arc;

use gwcore::time::{HOUR, MINUTE};
use gwcore::{Addr, Evidence, Severity, Table};

use crate::baseline::{Baseline, Class, DYNAMIC, INTERNET, Thing, UTILITY, Worth, YOUNG_PERIODS, who};
use crate::fold::{End, evidence};
use crate::{Setup, Site};

/// Known entries named in evidence.
const NAMED: usize = 5;

/// The baseline and what one class of it is worth.
pub(crate) struct Novelty {
    pub(crate) baseline: Arc<Baseline>,
    pub(crate) site: Arc<Site>,
    class: Class,
    worth: Worth,
    /// Server and port of every service known, whatever the protocol.
    served: Table<(Addr, u32), ()>,
}

impl Novelty {
    /// None without a baseline, or where its table of this class was full: then nothing is a finding for being new.
    pub(crate) fn new(setup: &Setup, class: Class) -> Option<Novelty> {
        let baseline = setup.baseline.clone().filter(|b| b.knows(class))?;
        let worth = baseline.worth(class);
        let services = baseline.keys.keys().filter(|k| k.class == Class::Service);
        let served = services.map(|k| ((k.b, k.n.0), ())).collect();
        Some(Novelty { baseline, site: setup.site.clone(), class, worth, served })
    }

    /// Whether the baseline has never seen this.
    pub(crate) fn is_new(&self, t: &Thing) -> bool {
        self.is_new_as(t.class, t.pair(), t)
    }

    /// Whether the baseline has never seen the two ends of this in another class.
    pub(crate) fn is_new_as(&self, class: Class, pair: (Addr, Addr), t: &Thing) -> bool {
        let (word, n) = match class {
            Class::Conversation if t.class != Class::Conversation => ("", (0, 0)),
            Class::Master | Class::Command => ("", (0, 0)),
            _ => (t.word, t.n),
        };
        let key = self.baseline.key(class, pair, t.proto, word, n);
        key.is_none_or(|k| self.baseline.seen(&k).is_none())
    }

    /// Whether an end is a device that the baseline has never seen and nobody declared; what it does is then new by itself.
    pub(crate) fn is_stranger(&self, end: &End) -> bool {
        if self.site.device(end).is_some() || end.addr.is_multicast() || end.mac.is_group() && end.addr.is_none() {
            return false;
        }
        let local = end.addr.is_none() || (end.addr.is_v4() && end.addr.is_local());
        let key = self.baseline.key(Class::Device, (who(end), Addr::NONE), "", "", (0, 0));
        local && key.is_none_or(|k| self.baseline.seen(&k).is_none())
    }

    /// Whether a server never served anything on the port of this conversation; the new service is then the finding.
    pub(crate) fn is_new_service(&self, t: &Thing) -> bool {
        let server = t.pair().1;
        let port = t.to.port.map(u32::from).filter(|p| *p < u32::from(DYNAMIC));
        port.is_some_and(|p| !t.to.addr.is_multicast() && server != INTERNET && !self.served.contains_key(&(server, p)))
    }

    /// Severity after what the baseline is worth: young speaks as low, and so does an alarm where new things of the kind are usual.
    pub(crate) fn weigh(&self, severity: Severity, device: &End) -> Severity {
        let hours = self.baseline.activity.get(&who(device)).map_or(u32::MAX, |a| a.hours);
        let usual = severity == Severity::Medium && self.worth.new_is_usual();
        if self.baseline.is_young() || hours < YOUNG_PERIODS || usual { severity.min(Severity::Low) } else { severity }
    }

    /// Evidence with what the baseline is worth.
    pub(crate) fn evidence(&self, observed: String, expected: Option<String>) -> Evidence {
        let b = &self.baseline;
        let mut e = evidence(observed, expected.as_deref(), None);
        e.seen = Some(0);
        let w = &self.worth;
        e.more.insert("learned".into(), self.learned().into());
        e.more.insert("kinds_known".into(), w.kinds.into());
        e.more.insert("share_seen_once".into(), ((w.share_once() * 1_000.0).round() / 1_000.0).into());
        e.more.insert("days_with_new".into(), format!("{} of {}", w.days_with_new, w.days).into());
        if b.is_young() {
            e.more.insert("young".into(), "fewer than six hours of packets were learned".into());
        }
        e
    }

    /// How long was learned, for "never in …": the span if it was watched throughout, else the hours with packets.
    pub(crate) fn learned(&self) -> String {
        let b = &self.baseline;
        let whole = b.hours_without() * 10 <= u64::from(b.hours());
        let hours = if whole { b.span() / HOUR } else { i64::from(b.hours()) };
        let text = match (hours / 24, hours % 24) {
            _ if hours < 1 => format!("{} minutes", b.span() / MINUTE),
            (..2, _) => format!("{hours} hours"),
            (days, 0) => format!("{days} days"),
            (days, hours) => format!("{days} days {hours} hours"),
        };
        if whole { text } else { format!("{text} of packets") }
    }

    /// The known first ends of a class for a server, named as the site does; they are the learned set.
    pub(crate) fn known_sources(&self, server: &End, proto: &str) -> Option<String> {
        let proto = self.baseline.words.find(proto)?;
        let server = who(server);
        let keys = self.baseline.keys.keys().filter(|k| k.class == self.class && k.b == server && k.proto == proto);
        let mut known: Vec<Addr> = keys.map(|k| k.a).collect();
        known.sort_unstable();
        known.dedup();
        let more = known.len().saturating_sub(NAMED);
        let mut names: Vec<String> = known.into_iter().take(NAMED).map(|a| self.site.name(&end_of(a))).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// How many sources of a class each server has, by its protocol's word.
pub(crate) fn sources_by_server(baseline: &Baseline, class: Class) -> Table<(Addr, u16), u32> {
    let mut all: Table<(Addr, u16), u32> = Table::default();
    for k in baseline.keys.keys().filter(|k| k.class == class) {
        *all.entry((k.b, k.proto)).or_default() += 1;
    }
    all
}

/// Whether a protocol reaches primary equipment.
pub(crate) fn is_utility(proto: &str) -> bool {
    UTILITY.contains(&proto)
}

/// An address of a key as an end again.
pub(crate) fn end_of(a: Addr) -> End {
    let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, m @ ..] = a.0 else {
        return End { mac: gwcore::Mac::NONE, addr: a, port: None };
    };
    if a.is_v4() || a == INTERNET {
        return End { mac: gwcore::Mac::NONE, addr: a, port: None };
    }
    End { mac: gwcore::Mac(m), addr: Addr::NONE, port: None }
}

/// ATT&CK techniques of an operation (`attack-ics.md` §4), the most fitting first.
pub(crate) fn technique(class: gwcore::OpClass) -> &'static [&'static str] {
    use gwcore::OpClass as C;
    match class {
        C::Select | C::Control | C::Cancel => &["T1692.001"],
        C::SetPoint | C::Parameter => &["T0836"],
        C::Restart => &["T0816"],
        C::Mode => &["T0858"],
        C::Clear => &["T0872"],
        C::ReportsOff => &["T0878"],
        C::Download => &["T0843"],
        C::Upload => &["T0845"],
        C::Delete => &["T0809"],
        C::Identify => &["T0888"],
        C::Read => &["T0861"],
        _ => &[],
    }
}
