//! What detectors of new things share: asking the baseline, and weighing what its silence is worth.

use std::sync::Arc;

use gwcore::time::length;
use gwcore::{Addr, Evidence, InPacket, Op, PointId, Severity, Table};

use crate::baseline::{Baseline, Class, DYNAMIC, INTERNET, Key, Thing, UTILITY, Worth, YOUNG_PERIODS, who};
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
    /// Words of the protocols served, by server and port of every service known.
    served: Table<(Addr, u32), Vec<u16>>,
}

impl Novelty {
    /// None without a baseline, or where its table of this class was full: then nothing is a finding for being new.
    pub(crate) fn new(setup: &Setup, class: Class) -> Option<Novelty> {
        let baseline = setup.baseline.clone().filter(|b| b.knows(class))?;
        let worth = baseline.worth(class);
        let services = baseline.keys.keys().filter(|k| k.class == Class::Service);
        let mut served: Table<(Addr, u32), Vec<u16>> = Table::default();
        services.for_each(|k| served.entry((k.b, k.n.0)).or_default().push(k.proto));
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

    /// Whether a conversation that was not read is one of a known pair, on the port of the protocol that it speaks there: it broke before its
    /// first message.
    pub(crate) fn is_broken_off(&self, t: &Thing) -> bool {
        let (a, b) = t.pair();
        let protos = self.served.get(&(b, t.n.0)).filter(|_| matches!(t.proto, "tcp" | "udp"));
        let is_known = |proto: &u16| {
            let key = Key { class: Class::Conversation, a, b, proto: *proto, word: 0, n: (0, 0) };
            self.baseline.seen(&key).is_some()
        };
        protos.is_some_and(|all| all.iter().any(is_known))
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

    /// What is to be said of a device that was left out of learning: what it did then is not known.
    pub(crate) fn left_out(&self, end: &End) -> String {
        let is = |item: &str| item.split_once(':').is_some_and(|(_, source)| end.is_called(source));
        let out = self.baseline.suspicions().iter().any(|(item, _)| is(item));
        if out { format!(" {} was left out of learning as suspicious.", self.site.name(end)) } else { String::new() }
    }

    /// How long was learned, for "never in …": the time that was watched.
    pub(crate) fn learned(&self) -> String {
        length(self.baseline.measured())
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

/// Values in packets: what stood there and what the baseline knows in its place.
impl Novelty {
    /// The source of a conversation, and those known for its server.
    pub(crate) fn source_in_packet(&self, t: &Thing) -> InPacket {
        let server = t.pair().1;
        let known = self.known(self.class, t.proto, |k| k.b == server && k.n == t.n && k.a != INTERNET);
        InPacket::new(address_field(&t.from), t.from.name(), distinct(known.iter().map(|k| end_of(k.a).name())))
    }

    /// A device's own address, and those of the devices known.
    pub(crate) fn device_in_packet(&self, end: &End) -> InPacket {
        let same_kind = |k: &&Key| end_of(k.a).addr.is_none() == end.addr.is_none();
        let known = self.known(Class::Device, "", |_| true);
        let known = known.iter().filter(same_kind).map(|k| end_of(k.a).name());
        InPacket::new(address_field(end), end.name(), distinct(known))
    }

    /// A function, and those that the same client is known to ask of the same server.
    pub(crate) fn function_in_packet(&self, t: &Thing, op: &Op) -> InPacket {
        let (a, b) = Thing { class: Class::Function, ..*t }.pair();
        let named = |name: &str, number| function_in_packet(op.proto, name, number);
        let (field, observed) = named(op.name, op.function.into());
        let known = self.known(Class::Function, op.proto, |k| (k.a, k.b) == (a, b));
        let known = known.iter().map(|k| named(self.baseline.words.word(k.word), k.n.0));
        InPacket::new(field, observed, known.filter(|(f, _)| *f == field).map(|(_, v)| v))
    }

    /// A point's address, and those known of its table and unit.
    pub(crate) fn point_in_packet(&self, t: &Thing, point: PointId) -> InPacket {
        let (pair, table) = (t.pair(), self.baseline.words.find(point.table));
        let alike = |k: &Key| (k.a, k.b) == pair && Some(k.word) == table && k.n.0 == point.unit;
        let known = self.known(t.class, t.proto, alike);
        let of = serde_json::json!({"table": point.table, "unit": point.unit});
        InPacket::new(point_field(t.proto), point.address, known.iter().map(|k| k.n.1)).of(of)
    }

    fn known(&self, class: Class, proto: &str, is: impl Fn(&Key) -> bool) -> Vec<Key> {
        let proto = self.baseline.words.find(proto).or_else(|| proto.is_empty().then_some(0));
        let of = |k: &&Key| k.class == class && (class == Class::Device || Some(k.proto) == proto) && is(k);
        let mut known: Vec<Key> = self.baseline.keys.keys().filter(of).copied().collect();
        known.sort_unstable();
        known
    }
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.dedup();
    names
}

/// The field of records in which an end's name stands.
pub(crate) fn address_field(end: &End) -> &'static str {
    if end.addr.is_none() { "src_mac" } else { "src_ip" }
}

/// The field of a protocol's records in which a function stands, and how.
pub(crate) fn function_in_packet(proto: &str, name: &str, number: u32) -> (&'static str, serde_json::Value) {
    match proto {
        "modbus" => ("modbus.function_code", number.into()),
        "s7comm" if number <= 0xff => ("s7comm.function_code", number.into()),
        "s7comm" => ("s7comm.user_name", name.into()),
        "dnp3" => ("dnp3.function_code", number.into()),
        "iec104" if number > 0xff => ("iec104.u_function", name.into()),
        "iec104" => ("iec104.type_id", number.into()),
        _ => ("function", number.into()),
    }
}

/// The field of a protocol's records in which a point's address stands.
pub(crate) fn point_field(proto: &str) -> &'static str {
    match proto {
        "modbus" => "modbus.address",
        "dnp3" => "dnp3.objects.index",
        "iec104" => "iec104.objects.ioa",
        "s7comm" => "s7comm.items.address",
        _ => "point.address",
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
