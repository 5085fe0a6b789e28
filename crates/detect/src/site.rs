//! What the operator declared about the plant: names, roles, masters and their backups, point lists. What is declared needs no learning.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use gwcore::{Addr, PointId};
use serde::Deserialize;

use crate::fold::End;

/// The declared plant.
#[derive(Clone, Debug, Default)]
pub struct Site {
    devices: Vec<Declared>,
    by_address: BTreeMap<String, usize>,
}

/// One declared device.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Its name at the site.
    pub name: String,
    /// Roles: `master`, `outstation`, `engineering`, `time source` ….
    pub roles: Vec<String>,
    /// It operates or protects primary equipment that must not fail.
    pub critical: bool,
    /// Names of the masters that may command it, backups among them.
    pub masters: BTreeSet<String>,
    points: BTreeMap<(String, String, u32, u32), DeclaredPoint>,
}

/// One line of a point list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredPoint {
    /// Its name at the site.
    pub name: String,
    /// Unit of measurement.
    pub unit: String,
    /// What the raw value is multiplied by.
    pub scale: f64,
    /// Smallest and largest value in that unit.
    pub limits: (Option<f64>, Option<f64>),
    /// Texts of states by raw value.
    pub states: BTreeMap<i64, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    device: Vec<FileDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDevice {
    name: String,
    addresses: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    masters: Vec<String>,
    #[serde(default)]
    backup_masters: Vec<String>,
    points: Option<String>,
}

impl Site {
    /// From the text of `site.toml`; `read` gives the text of a point list by the name that stands in it.
    pub fn parse(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> Result<Site, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        let names: BTreeSet<&str> = file.device.iter().map(|d| d.name.as_str()).collect();
        let mut site = Site::default();
        for d in &file.device {
            let masters: BTreeSet<String> = d.masters.iter().chain(&d.backup_masters).cloned().collect();
            if let Some(unknown) = masters.iter().find(|m| !names.contains(m.as_str())) {
                return Err(format!("`{}` names the master `{unknown}`, which is not declared", d.name));
            }
            for address in &d.addresses {
                let key = canonical(address).ok_or(format!("`{address}` is neither an IP nor a MAC address"))?;
                if site.by_address.insert(key, site.devices.len()).is_some() {
                    return Err(format!("`{address}` is declared twice"));
                }
            }
            let points = match &d.points {
                Some(name) => points(&read(name)?).map_err(|e| format!("`{name}`: {e}"))?,
                None => BTreeMap::new(),
            };
            let (name, roles, critical) = (d.name.clone(), d.roles.clone(), d.critical);
            site.devices.push(Declared { name, roles, critical, masters, points });
        }
        Ok(site)
    }

    /// The device declared under one of an end's addresses.
    pub(crate) fn device(&self, end: &End) -> Option<&Declared> {
        if self.devices.is_empty() {
            return None;
        }
        let ip = (!end.addr.is_none()).then(|| self.by_address.get(&end.addr.to_string())).flatten();
        let found = ip.or_else(|| self.by_address.get(&end.mac.to_string()).filter(|_| !end.mac.is_none()));
        found.and_then(|i| self.devices.get(*i))
    }

    /// The device declared under one of these addresses, IP or MAC as the inventory writes them.
    pub fn declared<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Option<&Declared> {
        let found = addresses.into_iter().find_map(|a| self.by_address.get(a));
        found.and_then(|i| self.devices.get(*i))
    }

    /// How a person of the site calls an end: its declared name with the address, else the address.
    pub(crate) fn name(&self, end: &End) -> String {
        match self.device(end) {
            Some(d) => format!("{} ({})", d.name, end.name()),
            None => end.name(),
        }
    }

    /// Addresses of the masters declared for a device.
    pub(crate) fn masters(&self, device: &End) -> Vec<String> {
        let Some(device) = self.device(device) else { return Vec::new() };
        let is_one = |at: &usize| self.devices.get(*at).is_some_and(|d| device.masters.contains(&d.name));
        self.by_address.iter().filter(|(_, at)| is_one(at)).map(|(address, _)| address.clone()).collect()
    }

    /// Whether `master` is declared to command `device`; none when nothing is declared about who does.
    pub(crate) fn may_command(&self, master: &End, device: &End) -> Option<bool> {
        let device = self.device(device).filter(|d| !d.masters.is_empty())?;
        Some(self.device(master).is_some_and(|m| device.masters.contains(&m.name)))
    }

    /// The declared point of a device.
    pub(crate) fn point(&self, device: &End, proto: &str, point: PointId) -> Option<&DeclaredPoint> {
        self.device(device)?.point(proto, point)
    }

    /// A point in the site's words: `Feeder 3 breaker (binary output 7 of unit 1)`.
    pub(crate) fn say_point(&self, device: &End, proto: &str, point: PointId) -> String {
        let address = point.say(proto);
        match self.point(device, proto, point) {
            Some(p) => format!("{} ({address})", p.name),
            None => address,
        }
    }

    /// A value in the site's words: its state's text, or scaled with its unit.
    pub(crate) fn say_value(&self, device: &End, proto: &str, point: PointId, value: f64) -> String {
        match self.point(device, proto, point) {
            Some(p) => p.say(value),
            None => number(value),
        }
    }
}

impl Declared {
    /// What its point list says of a point.
    pub fn point(&self, proto: &str, point: PointId) -> Option<&DeclaredPoint> {
        if self.points.is_empty() {
            return None;
        }
        self.points.get(&(proto.to_owned(), point.table.to_owned(), point.unit, point.address))
    }
}

impl DeclaredPoint {
    /// A raw value in the site's words: its state's text, or scaled with its unit.
    pub fn say(&self, raw: f64) -> String {
        let state = if raw.fract() == 0.0 && raw.abs() < 1e15 { self.states.get(&(raw as i64)) } else { None };
        match state {
            Some(text) => text.clone(),
            None => format!("{} {}", number(raw * self.scale), self.unit).trim_end().to_owned(),
        }
    }
}

/// A number as people write it: at most six significant decimals, none where it is whole.
pub(crate) fn number(v: f64) -> String {
    if v.fract() == 0.0 && v.abs() < 1e15 {
        return format!("{v:.0}");
    }
    let text = format!("{v:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An address as facts print it.
fn canonical(address: &str) -> Option<String> {
    if let Ok(ip) = address.parse::<IpAddr>() {
        return Some(Addr::from(ip).to_string());
    }
    let text = address.to_ascii_lowercase().replace('-', ":");
    let parts: Vec<&str> = text.split(':').collect();
    let is_mac = parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    is_mac.then_some(text)
}

/// A point list: a heading with `proto,table,unit_id,address,name` and, where wanted, `unit,scale,low,high,states` (`0=open;1=closed`).
fn points(text: &str) -> Result<BTreeMap<(String, String, u32, u32), DeclaredPoint>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let heading: Vec<String> = lines.next().map(|(_, l)| crate::csv::fields(l.trim())).unwrap_or_default();
    let column = |name: &str| heading.iter().position(|h| h.trim() == name);
    let need = |name: &str| column(name).ok_or(format!("the heading has no `{name}`"));
    let (proto, table, unit_id) = (need("proto")?, need("table")?, need("unit_id")?);
    let (address, name) = (need("address")?, need("name")?);
    let mut all = BTreeMap::new();
    for (i, line) in lines {
        let fields = crate::csv::fields(line.trim());
        let field = |n: usize| fields.get(n).map_or("", |f| f.trim());
        let optional = |n: &str| column(n).map(field).filter(|f| !f.is_empty());
        let bad = |what: &str| format!("line {}: `{line}` has no {what}", i + 1);
        let float = |n: &str| optional(n).map(|f| f.parse::<f64>().map_err(|_| bad(n))).transpose();
        let key = (
            field(proto).to_owned(),
            field(table).to_owned(),
            field(unit_id).parse().map_err(|_| bad("unit_id"))?,
            field(address).parse().map_err(|_| bad("address"))?,
        );
        let mut states = BTreeMap::new();
        for state in optional("states").unwrap_or_default().split(';').filter(|s| !s.is_empty()) {
            let (raw, text) = state.split_once('=').ok_or_else(|| bad("state of the form `0=open`"))?;
            states.insert(raw.trim().parse().map_err(|_| bad("number before `=`"))?, text.trim().to_owned());
        }
        let point = DeclaredPoint {
            name: field(name).to_owned(),
            unit: optional("unit").unwrap_or_default().to_owned(),
            scale: float("scale")?.unwrap_or(1.0),
            limits: (float("low")?, float("high")?),
            states,
        };
        all.insert(key, point);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::Mac;

    const SITE: &str = r#"
        [[device]]
        name = "Front end A"
        addresses = ["10.0.0.1"]
        roles = ["master"]
        [[device]]
        name = "RTU North"
        addresses = ["10.0.0.9", "00-30-A7-00-00-09"]
        critical = true
        masters = ["Front end A"]
        points = "north.csv"
    "#;
    const POINTS: &str = "proto,table,unit_id,address,name,unit,scale,low,high,states\n\
        modbus,holding_register,1,40,\"Feeder 3, current\",A,0.1,0,400,\n\
        modbus,coil,1,7,Feeder 3 breaker,,,,,0=open;1=closed\n";

    fn site(text: &str) -> Result<Site, String> {
        Site::parse(text, &|name| if name == "north.csv" { Ok(POINTS.into()) } else { Err(format!("no `{name}`")) })
    }

    fn end(n: u8) -> End {
        End { mac: Mac::NONE, addr: Addr::v4([10, 0, 0, n]), port: None }
    }

    #[test]
    fn devices_and_points_get_the_site_s_names() {
        let s = site(SITE).unwrap();
        assert_eq!((s.name(&end(9)), s.name(&end(8))), ("RTU North (10.0.0.9)".into(), "10.0.0.8".into()));
        let mac = End { mac: Mac([0, 0x30, 0xa7, 0, 0, 9]), addr: Addr::NONE, port: None };
        assert!(s.device(&mac).unwrap().critical);
        assert_eq!([s.may_command(&end(1), &end(9)), s.may_command(&end(2), &end(9))], [Some(true), Some(false)]);
        assert_eq!(s.may_command(&end(1), &end(8)), None);
        let coil = PointId { table: "coil", unit: 1, address: 7 };
        assert_eq!(s.say_point(&end(9), "modbus", coil), "Feeder 3 breaker (coil 7 of unit 1)");
        let current = PointId { table: "holding_register", unit: 1, address: 40 };
        assert_eq!(s.say_value(&end(9), "modbus", current, 123.0), "12.3 A");
        assert_eq!(s.say_value(&end(9), "modbus", coil, 1.0), "closed");
        assert_eq!(s.say_value(&end(8), "modbus", coil, 1.0), "1");
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, part: &str| {
            let e = site(text).unwrap_err();
            assert!(e.contains(part), "{e}");
        };
        check("[[device]]\nname = \"x\"\naddresses = [\"10.0.0\"]", "neither an IP nor a MAC");
        check("[[device]]\nname = \"x\"\naddresses = []\ncolour = 1", "colour");
        check("[[device]]\nname = \"x\"\naddresses = []\nmasters = [\"y\"]", "not declared");
        check("[[device]]\nname = \"x\"\naddresses = []\npoints = \"z.csv\"", "no `z.csv`");
        assert!(points("proto,table\n").is_err());
        assert!(points("proto,table,unit_id,address,name\nmodbus,coil,one,2,x").unwrap_err().contains("unit_id"));
    }
}
