//! A baseline while it is learned on a running platform: what was new lately, and what a person leaves out of it.

use std::collections::BTreeMap;

use gwcore::{Addr, Ts};

use super::known::parse_name;
use super::{Baseline, Class, Key, Learner};

impl Learner {
    /// What was learned so far.
    pub fn so_far(&self) -> &Baseline {
        &self.baseline
    }
}

impl Baseline {
    /// Entries of each class that were first seen at or after a time; classes without any are left out.
    pub fn new_since(&self, since: Ts) -> BTreeMap<&'static str, u64> {
        let mut new = BTreeMap::new();
        for (key, _) in self.keys.iter().filter(|(_, seen)| seen.first >= since) {
            *new.entry(key.class.name()).or_default() += 1;
        }
        new
    }

    /// Entries of a class.
    pub fn entries(&self, class: Class) -> u64 {
        self.keys.keys().filter(|k| k.class == class).count() as u64
    }

    /// Leaves out everything of a device: its address or MAC as [`super::Known`] writes it. How many entries that were.
    pub fn leave_out_device(&mut self, address: &str) -> usize {
        let Some(addr) = parse_name(address) else { return 0 };
        self.leave_out(|k| k.a == addr || k.b == addr, |a| a == addr)
    }

    /// Leaves out what one device asks of another by a protocol.
    pub fn leave_out_pair(&mut self, client: &str, server: &str, proto: &str) -> usize {
        let (Some(a), Some(b), Some(proto)) = (parse_name(client), parse_name(server), self.words.find(proto)) else {
            return 0;
        };
        self.leave_out(|k| k.a == a && k.b == b && k.proto == proto, |_| false)
    }

    fn leave_out(&mut self, key: impl Fn(&Key) -> bool, device: impl Fn(Addr) -> bool) -> usize {
        let before = self.keys.len();
        self.keys.retain(|k, _| !key(k));
        self.values.retain(|k, _| !key(k));
        self.rhythms.retain(|k, _| !key(k));
        self.activity.retain(|a, _| !device(*a));
        before - self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seen;
    use super::*;

    #[test]
    fn what_is_left_out_is_new_again() {
        let mut b = Baseline::default();
        let proto = b.words.intern("modbus");
        let addr = |n: u8| Addr::v4([10, 0, 0, n]);
        let key = |class, a, b, proto| Key { class, a, b, proto, word: 0, n: (0, 0) };
        for (n, ts) in [(1, 5), (2, 50)] {
            b.keys.insert(key(Class::Device, addr(n), Addr::NONE, 0), Seen::at(Ts(ts)));
            b.keys.insert(key(Class::Master, addr(n), addr(9), proto), Seen::at(Ts(ts)));
        }
        assert_eq!(b.new_since(Ts(50)), BTreeMap::from([("device", 1), ("master", 1)]));
        assert_eq!(b.leave_out_pair("10.0.0.1", "10.0.0.9", "modbus"), 1);
        assert_eq!(b.leave_out_pair("10.0.0.1", "10.0.0.9", "dnp3"), 0);
        assert!(b.knows_device("10.0.0.1"));
        assert_eq!(b.leave_out_device("10.0.0.2"), 2);
        assert_eq!((b.entries(Class::Device), b.entries(Class::Master)), (1, 0));
        assert_eq!(b.leave_out_device("nobody"), 0);
    }
}
