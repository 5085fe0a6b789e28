//! What a baseline knows, in rows for people who are to approve it: who asks and commands whom, points with their ranges, periods, devices.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Mac, Ts};

use super::value::Wide;
use super::{Baseline, Class, INTERNET, Key, Kind, UTILITY, Worth, YOUNG_PERIODS};

/// Everything a baseline knows, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// First and last packet learned.
    pub span: Option<(Ts, Ts)>,
    /// What the knowledge of each class is worth.
    pub classes: Vec<KnownClass>,
    /// By client, server and protocol.
    pub pairs: Vec<Pair>,
    /// By server, protocol and address; commanded ones beside reported ones.
    pub points: Vec<KnownPoint>,
    /// By client, server, protocol and function.
    pub periods: Vec<Period>,
    /// By address.
    pub devices: Vec<KnownDevice>,
}

/// A class of knowledge.
#[derive(Clone, Debug)]
pub struct KnownClass {
    /// Which.
    pub class: Class,
    /// What it is worth.
    pub worth: Worth,
    /// Entries seen in fewer than three hours: what rests on them speaks as low.
    pub young: u64,
    /// No room was left for more: what is new of this class is not told.
    pub full: bool,
}

/// Two devices and what one asks of the other.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// Who asks: an address, a MAC, or `the internet`.
    pub client: String,
    /// Who is asked.
    pub server: String,
    /// Protocol.
    pub proto: String,
    /// Functions asked for.
    pub functions: Vec<String>,
    /// Commands.
    pub commands: u64,
    /// Points commanded.
    pub commanded: u64,
    /// Hours in which it was seen.
    pub hours: u32,
    /// A publisher that nobody asks.
    pub publishes: bool,
}

impl Pair {
    /// Seen in too few hours for more than low.
    pub fn is_young(&self) -> bool {
        self.hours < YOUNG_PERIODS
    }
}

/// A point and what its values were.
#[derive(Clone, Debug)]
pub struct KnownPoint {
    /// The device that has it.
    pub server: String,
    /// Protocol.
    pub proto: String,
    /// Table, object group or data set.
    pub table: String,
    /// Unit or link address.
    pub unit: u32,
    /// Number of the point.
    pub address: u32,
    /// Whether these are values commanded, not values reported.
    pub commanded: bool,
    /// What it turned out to be.
    pub kind: &'static str,
    /// Smallest and largest value, where it has a range.
    pub range: Option<(f64, f64)>,
    /// The values of a state.
    pub states: Vec<f64>,
    /// Values seen.
    pub values: u64,
    /// Why there is neither range nor states.
    pub without: Option<&'static str>,
}

/// How often something is asked for.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// Who asks.
    pub client: String,
    /// Who is asked.
    pub server: String,
    /// Protocol.
    pub proto: String,
    /// Function.
    pub function: String,
    /// Different periods, in nanoseconds, the shortest first.
    pub periods: Vec<i64>,
    /// Polls of it without a period: too few, or too irregular.
    pub irregular: u32,
}

/// How a device speaks.
#[derive(Clone, Debug)]
pub struct KnownDevice {
    /// IP address, or MAC where it has none.
    pub address: String,
    /// Minutes in which it was heard.
    pub minutes: u64,
    /// The longest it was silent while the feed was whole, in minutes.
    pub longest: u64,
    /// Heard in too few hours for more than low.
    pub is_young: bool,
}

impl Baseline {
    /// Everything it knows.
    pub fn known(&self) -> Known {
        let mut devices: Vec<(&Addr, KnownDevice)> = Vec::new();
        for (addr, a) in &self.activity {
            let is_young = a.hours < YOUNG_PERIODS;
            let told = KnownDevice { address: name(*addr), minutes: a.minutes, longest: a.longest, is_young };
            devices.push((addr, told));
        }
        devices.sort_by_key(|(addr, _)| **addr);
        Known {
            span: self.span,
            classes: Class::ALL.into_iter().map(|c| self.class(c)).collect(),
            pairs: self.pairs(),
            points: self.points(),
            periods: self.periods(),
            devices: devices.into_iter().map(|(_, d)| d).collect(),
        }
    }

    /// Whether it knows a device by its address or MAC, written as in [`crate::Device`].
    pub fn knows_device(&self, address: &str) -> bool {
        let addr = parse_name(address).filter(|a| *a != INTERNET);
        let key = |a| Key { class: Class::Device, a, b: Addr::NONE, proto: 0, word: 0, n: (0, 0) };
        addr.is_some_and(|a| self.seen(&key(a)).is_some())
    }

    fn class(&self, class: Class) -> KnownClass {
        let of_class = self.keys.iter().filter(|(k, _)| k.class == class);
        let young = of_class.filter(|(_, s)| s.hours < YOUNG_PERIODS).count() as u64;
        KnownClass { class, worth: self.worth(class), young, full: !self.knows(class) }
    }

    fn word(&self, n: u16) -> &str {
        self.words.list.get(usize::from(n)).map_or("", String::as_str)
    }

    fn pairs(&self) -> Vec<Pair> {
        let mut pairs: BTreeMap<(Addr, Addr, &str), (Pair, BTreeSet<&str>)> = BTreeMap::new();
        for (key, seen) in &self.keys {
            let proto = self.word(key.proto);
            let utility = UTILITY.contains(&proto);
            let tells = matches!(key.class, Class::Function | Class::Master | Class::Command | Class::Control)
                || (key.class == Class::Conversation && utility);
            if !tells || key.a.is_none() {
                continue;
            }
            let (pair, functions) = pairs.entry((key.a, key.b, proto)).or_default();
            pair.hours = pair.hours.max(seen.hours);
            match key.class {
                Class::Function => {
                    functions.insert(self.word(key.word));
                }
                Class::Command => pair.commands = pair.commands.saturating_add(seen.count),
                Class::Control => pair.commanded += 1,
                _ => {}
            }
        }
        let told = pairs.into_iter().map(|((a, b, proto), (pair, functions))| Pair {
            client: name(a),
            server: name(b),
            proto: proto.to_owned(),
            publishes: functions.is_empty() && pair.commands == 0 && b.0.starts_with(&[0; 10]),
            functions: functions.into_iter().map(str::to_owned).collect(),
            ..pair
        });
        told.collect()
    }

    fn points(&self) -> Vec<KnownPoint> {
        let mut keys: Vec<&Key> = self.values.keys().collect();
        keys.sort_by_key(|k| (k.b, self.word(k.proto), self.word(k.word), k.n, k.class));
        keys.into_iter().filter_map(|k| self.known_point(k)).collect()
    }

    fn known_point(&self, key: &Key) -> Option<KnownPoint> {
        let (kind, value, range) = self.value(key)?;
        let range = range.filter(|r| r.count > 0).map(|r| (r.min, r.max));
        let states = if kind == Kind::State { value.states.clone() } else { Vec::new() };
        let without = match kind {
            Kind::Unknown => Some("not enough seen: too few values, or too few changes, to say what it is"),
            Kind::Counter => Some("only grows, as counters do: a range would be passed every day"),
            Kind::Random => Some("jumps from value to value: anything would lie in its range"),
            Kind::PairEnd => Some("second half of the number that begins one register before"),
            _ => None,
        };
        Some(KnownPoint {
            server: name(key.b),
            proto: self.word(key.proto).to_owned(),
            table: self.word(key.word).to_owned(),
            unit: key.n.0,
            address: key.n.1,
            commanded: key.class == Class::Control,
            kind: words(kind),
            range,
            states,
            values: value.own.count,
            without,
        })
    }

    fn periods(&self) -> Vec<Period> {
        let mut all: BTreeMap<(Addr, Addr, &str, &str), (BTreeSet<i64>, u32)> = BTreeMap::new();
        for (key, rhythm) in &self.rhythms {
            let of = (key.a, key.b, self.word(key.proto), self.word(key.word));
            let (periods, irregular) = all.entry(of).or_default();
            match rhythm.period() {
                Some(p) => {
                    periods.insert(p);
                }
                None => *irregular += 1,
            }
        }
        let told = all.into_iter().map(|((a, b, proto, function), (periods, irregular))| Period {
            client: name(a),
            server: name(b),
            proto: proto.to_owned(),
            function: function.to_owned(),
            periods: periods.into_iter().collect(),
            irregular,
        });
        told.collect()
    }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Unknown => "not known",
        Kind::State => "state",
        Kind::Measurement => "measurement",
        Kind::Counter => "counter",
        Kind::Random => "no pattern",
        Kind::Pair(Wide::IntHigh) => "32-bit integer over two registers, high word first",
        Kind::Pair(Wide::IntLow) => "32-bit integer over two registers, low word first",
        Kind::Pair(Wide::FloatHigh) => "float over two registers, high word first",
        Kind::Pair(Wide::FloatLow) => "float over two registers, low word first",
        Kind::PairEnd => "second half",
    }
}

/// An address of a key as people write it: MACs stand padded there.
fn name(addr: Addr) -> String {
    match addr.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f] if !addr.is_v4() && !addr.is_none() => {
            Mac([a, b, c, d, e, f]).to_string()
        }
        _ if addr == INTERNET => "the internet".to_owned(),
        _ => addr.to_string(),
    }
}

/// The other way round: the address of a key from how people write it.
pub(super) fn parse_name(text: &str) -> Option<Addr> {
    if text == "the internet" {
        return Some(INTERNET);
    }
    let mac = || {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        bytes.iter_mut().try_for_each(|b| {
            *b = u8::from_str_radix(parts.next()?, 16).ok()?;
            Some(())
        })?;
        parts.next().is_none().then(|| Mac(bytes).padded())
    };
    mac().or_else(|| text.parse::<std::net::IpAddr>().ok().map(Addr::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_people_do() {
        let check = |addr: Addr, text: &str| assert_eq!(name(addr), text);
        check(Addr::v4([10, 0, 0, 7]), "10.0.0.7");
        check(Mac([0x00, 0x30, 0xa7, 1, 2, 3]).padded(), "00:30:a7:01:02:03");
        check(INTERNET, "the internet");
    }

    #[test]
    fn a_device_is_known_by_address_and_by_mac() {
        let mut b = Baseline::default();
        let mac = Mac([0x00, 0x30, 0xa7, 1, 2, 3]);
        for a in [Addr::v4([10, 0, 0, 7]), mac.padded()] {
            let key = Key { class: Class::Device, a, b: Addr::NONE, proto: 0, word: 0, n: (0, 0) };
            b.keys.insert(key, super::super::Seen::at(Ts(0)));
        }
        assert!(b.knows_device("10.0.0.7") && b.knows_device(&mac.to_string()));
        for not in ["10.0.0.8", "00:30:a7:01:02:04", "00:30:a7:01:02:03:04", "", "x"] {
            assert!(!b.knows_device(not), "{not}");
        }
    }
}
