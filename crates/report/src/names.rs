//! How devices are called in a report: by the site's name, else by the name they bear, else by address; never by a name or address that
//! belongs to another device.

use std::collections::{BTreeMap, BTreeSet};

use detect::{Device, Named};

/// Devices by id, and to whom a name or address that several bear belongs: to the device with the fewest addresses, since who stands in
/// for others bears theirs beside its own; among equals to who was seen first.
pub(crate) struct Names<'a> {
    devices: BTreeMap<&'a str, &'a Device>,
    first: BTreeMap<&'a str, &'a str>,
    /// Names that several devices give themselves.
    disputed: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(devices: &'a [Device]) -> Names<'a> {
        let mut order: Vec<&Device> = devices.iter().collect();
        let rank = |d: &Device| (d.ips.len().max(1), d.first_seen.clone(), d.id.clone());
        order.sort_by_cached_key(|d| rank(d));
        let (mut first, mut said, mut disputed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for d in order {
            let own: BTreeSet<&str> = d.names.iter().filter(|n| n.is_own_word()).map(|n| n.name.as_str()).collect();
            disputed.extend(own.into_iter().filter(|name| !said.insert(*name)));
            for text in d.names.iter().map(|n| n.name.as_str()).chain(d.ips.iter().map(String::as_str)) {
                first.entry(text).or_insert(d.id.as_str());
            }
        }
        Names { devices: devices.iter().map(|d| (d.id.as_str(), d)).collect(), first, disputed }
    }

    /// The device with an id.
    pub(crate) fn device(&self, id: &str) -> Option<&'a Device> {
        self.devices.get(id).copied()
    }

    fn owns(&self, d: &Device, text: &str) -> bool {
        self.first.get(text).is_none_or(|id| *id == d.id)
    }

    /// Whether a name is its own, or one that others gave to several, as to servers that share their load. Of a device that another stands
    /// in for nobody knows which of the two spoke: what both call themselves names neither.
    fn bears(&self, d: &Device, named: &Named) -> bool {
        match (named.is_own_word(), d.contested.is_empty()) {
            (false, true) => true,
            (true, false) if self.disputed.contains(named.name.as_str()) => false,
            _ => self.owns(d, &named.name),
        }
    }

    /// Its own name, if it bears one.
    pub(crate) fn name(&self, d: &'a Device) -> Option<&'a str> {
        d.names.iter().find(|n| self.bears(d, n)).map(|n| n.name.as_str())
    }

    /// Names and addresses it bears that belong to another device.
    pub(crate) fn claims(&self, d: &'a Device) -> Vec<&'a str> {
        let is_claim = |n: &&Named| !self.bears(d, n) && !self.disputed.contains(n.name.as_str());
        let names = d.names.iter().filter(is_claim).map(|n| n.name.as_str());
        names.chain(d.ips.iter().map(String::as_str).filter(|ip| !self.owns(d, ip))).collect()
    }

    /// Its own address: IP, else MAC, else its id.
    pub(crate) fn address(&self, d: &'a Device) -> &'a str {
        let own = d.ips.iter().find(|ip| self.owns(d, ip));
        own.or(d.macs.first()).or(d.ips.first()).map_or(d.id.as_str(), String::as_str)
    }

    /// What people call a device by its id: name and address; what is no id stands as it is.
    pub(crate) fn of(&self, id: &str) -> String {
        let Some(d) = self.device(id) else { return id.to_owned() };
        match self.name(d) {
            Some(name) => format!("{} ({})", crate::html::cut(name, 40), self.address(d)),
            None => self.address(d).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::device;

    #[test]
    fn a_name_and_an_address_belong_to_who_has_least_besides() {
        let intruder = device("d1", &["10.0.0.9", "10.0.0.77"], "00:00:00:00:00:77", Some("front-end"), "2026-01-01");
        let front = device("d2", &["10.0.0.9"], "00:00:00:00:00:09", Some("front-end"), "2026-01-02");
        let mut all = [intruder, front];
        all.iter_mut().for_each(|d| d.contested = vec!["10.0.0.9".into()]);
        let names = Names::new(&all);
        assert_eq!([names.of("d1"), names.of("d2")], ["10.0.0.77", "front-end (10.0.0.9)"].map(String::from));
        assert_eq!(names.claims(&all[0]), ["front-end", "10.0.0.9"]);
        assert!(names.claims(&all[1]).is_empty());
        assert_eq!(names.of("10.0.0.1"), "10.0.0.1");
        // A replaced device: the same address, and who had it first has it.
        let later = device("d1", &["10.0.0.9"], "00:00:00:00:00:77", None, "2026-01-02");
        let first = device("d2", &["10.0.0.9"], "00:00:00:00:00:09", None, "2026-01-01");
        let all = [later, first];
        assert_eq!(["d1", "d2"].map(|id| Names::new(&all).of(id)), ["00:00:00:00:00:77", "10.0.0.9"].map(String::from));
    }

    #[test]
    fn a_name_that_others_gave_to_several_is_claimed_by_none() {
        let all = ["d1", "d2"].map(|id| device(id, &[&format!("10.0.0.{}", &id[1..])], "", Some("www"), "2026-01-01"));
        let names = Names::new(&all);
        assert_eq!(["d1", "d2"].map(|id| names.of(id)), ["www (10.0.0.1)", "www (10.0.0.2)"].map(String::from));
        assert!(all.iter().all(|d| names.claims(d).is_empty()));
    }

    #[test]
    fn what_a_device_and_its_impostor_call_themselves_names_neither() {
        let mut all =
            ["d1", "d2"].map(|id| device(id, &[&format!("10.0.0.{}", &id[1..])], "", Some("hmi"), "2026-01-01"));
        all.iter_mut().flat_map(|d| &mut d.names).for_each(|n| n.source = "mdns");
        // One computer with two network cards.
        assert_eq!(Names::new(&all).of("d1"), "hmi (10.0.0.1)");
        all.iter_mut().for_each(|d| d.contested = vec!["10.0.0.1".into()]);
        let names = Names::new(&all);
        assert_eq!(["d1", "d2"].map(|id| names.of(id)), ["10.0.0.1", "10.0.0.2"].map(String::from));
        assert!(all.iter().all(|d| names.claims(d).is_empty()));
    }
}
