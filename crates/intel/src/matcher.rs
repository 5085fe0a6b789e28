//! Matching: every place of a record where a value of a known kind stands, looked up; patterns evaluated over what the record shows.

use std::sync::Arc;

use gwcore::{Addr, AnyRows, Body, FlowRef, Key, Kind as RecordKind, Out, Stamp, Ts, Value};

use crate::load::Intel;
use crate::observe;
use crate::pattern::{Observed, State};
use crate::store::Store;
use crate::value::{Kind, url};

/// How a field is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    /// A domain name.
    Domain,
    /// A host with perhaps a port: domain or address.
    Host,
    /// What a name resolves to: address or domain.
    Answer,
    /// A value as it stands, of this kind.
    Exact(Kind),
}

/// Fields of records that carry values of known kinds: record kind, field, how it is looked up, and the field that says which frame carried it.
static FIELDS: &[(&str, As, &str)] = &[
    ("dns.query", As::Domain, "query_frame"),
    ("dns.answers", As::Answer, "response_frame"),
    ("http.host", As::Host, "request_frame"),
    ("http.user_agent", As::Exact(Kind::UserAgent), "request_frame"),
    ("http.username", As::Exact(Kind::User), "request_frame"),
    ("http.resp_md5", As::Exact(Kind::Md5), "response_end_frame"),
    ("http.resp_sha1", As::Exact(Kind::Sha1), "response_end_frame"),
    ("http.resp_sha256", As::Exact(Kind::Sha256), "response_end_frame"),
    ("http.orig_sha256", As::Exact(Kind::Sha256), "request_end_frame"),
    ("tls.server_name", As::Domain, "client_frame"),
    ("tls.san_dns", As::Domain, ""),
    ("tls.cert_sha1", As::Exact(Kind::CertSha1), ""),
    ("tls.cert_fps", As::Exact(Kind::CertSha256), ""),
    ("tls.ja3", As::Exact(Kind::Ja3), "client_frame"),
    ("tls.retry_ja3", As::Exact(Kind::Ja3), "retry_client_frame"),
    ("tls.ja3s", As::Exact(Kind::Ja3s), "server_frame"),
    ("tls.ja4", As::Exact(Kind::Ja4), "client_frame"),
    ("ftp.user", As::Exact(Kind::User), "request_frame"),
    ("smtp.mailfrom", As::Exact(Kind::Email), ""),
    ("smtp.rcptto", As::Exact(Kind::Email), ""),
];

/// Kinds that no record carries yet: indicators of them are kept and listed, and match nothing.
pub(crate) fn is_seen(kind: Kind) -> bool {
    !matches!(kind, Kind::Email | Kind::FileName)
}

/// What matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An indicator, and others with the same value.
    Indicator(u32, Vec<u32>),
    /// A pattern.
    Pattern(usize),
}

/// A value of a record that is an indicator.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Place in the ordered stage.
    pub key: Key,
    /// Time of the record.
    pub ts: Ts,
    /// Frame that carried the value.
    pub frame: u64,
    /// Flow of the record.
    pub flow: FlowRef,
    /// What matched.
    pub what: What,
    /// Where it stood: record kind and field, or `conn.src_ip`, `conn.dst_ip`.
    pub field: &'static str,
    /// The value as it stood there.
    pub observed: String,
    /// A name below the indicator's domain.
    pub is_below: bool,
    /// The flow's originator is the indicator, so that its responder is the host concerned.
    pub is_originator: bool,
}

/// Where the fields stand in a kind.
struct Plan {
    /// Place in [`FIELDS`], of the field and of its frame.
    fields: Vec<(usize, usize, Option<usize>)>,
    /// HTTP's host and target, with the frame.
    url: Option<(usize, usize, Option<usize>)>,
}

impl Plan {
    fn of(kind: &'static RecordKind) -> Plan {
        let place = |name: &str| kind.fields.iter().position(|f| f.name == name);
        let fields = FIELDS
            .iter()
            .enumerate()
            .filter_map(|(i, f)| {
                let (of, name) = f.0.split_once('.')?;
                let at = place(name).filter(|_| of == kind.name)?;
                Some((i, at, place(f.2)))
            })
            .collect();
        let url =
            (kind.name == "http").then(|| Some((place("host")?, place("uri")?, place("request_frame")))).flatten();
        Plan { fields, url }
    }
}

/// Looks records up; keeps what patterns over several observations need.
pub struct Matcher {
    intel: Arc<Intel>,
    plans: Vec<Option<Plan>>,
    states: Vec<State>,
    /// Matches left out because the indicator did not hold at the time.
    pub not_in_force: u64,
    /// Matches left out because the value is allowed or the site's own.
    pub allowed: u64,
    lower: String,
    found: Vec<(u32, bool)>,
}

impl Matcher {
    /// For what was loaded.
    pub fn new(intel: Arc<Intel>) -> Matcher {
        let states = intel.patterns.iter().map(|p| State::new(&p.parsed)).collect();
        Matcher {
            intel,
            plans: Vec::new(),
            states,
            not_in_force: 0,
            allowed: 0,
            lower: String::new(),
            found: Vec::new(),
        }
    }

    /// What was loaded.
    pub fn intel(&self) -> &Arc<Intel> {
        &self.intel
    }

    /// The matches in a batch, in the order of their keys.
    pub fn batch(&mut self, out: &Out) -> Vec<Hit> {
        let mut hits = Vec::new();
        let intel = Arc::clone(&self.intel);
        self.addresses(&intel, out, &mut hits);
        for rows in out.kinds() {
            let slot = rows.kind().slot();
            if self.plans.len() <= slot {
                self.plans.resize_with(slot + 1, || None);
            }
            let plan = match self.plans.get_mut(slot).and_then(Option::take) {
                Some(plan) => plan,
                None => Plan::of(rows.kind()),
            };
            self.rows(&intel, &plan, rows, &mut hits);
            if let Some(place) = self.plans.get_mut(slot) {
                *place = Some(plan);
            }
        }
        if !intel.patterns.is_empty() {
            self.patterns(&intel, out, &mut hits);
        }
        hits.sort_by_key(|h| h.key);
        hits
    }

    fn addresses(&mut self, intel: &Intel, out: &Out, hits: &mut Vec<Hit>) {
        if intel.store.count(Kind::Address) + intel.store.count(Kind::Network) == 0 {
            return;
        }
        for fact in out.facts.iter().filter(|f| matches!(f.body, Body::FlowStart)) {
            let Some(flow) = out.flows.get(fact.flow.index()) else { continue };
            for (addr, port, field, is_originator) in
                [(flow.src, flow.src_port, "conn.src_ip", true), (flow.dst, flow.dst_port, "conn.dst_ip", false)]
            {
                self.found.clear();
                let found = &mut self.found;
                intel.store.address(addr, &mut |i| found.push((i, false)));
                self.found.retain(|(i, _)| intel.store.get(*i).is_some_and(|x| x.port == 0 || x.port == port));
                let stamp = Stamp {
                    key: fact.key,
                    ts: fact.ts,
                    frame: fact.frame,
                    flow: FlowRef(fact.flow.0 & !1),
                    repeat: false,
                };
                self.give(intel, &stamp, field, || addr.to_string(), Some(addr), is_originator, hits);
            }
        }
    }

    fn rows(&mut self, intel: &Intel, plan: &Plan, rows: &dyn AnyRows, hits: &mut Vec<Hit>) {
        if plan.fields.is_empty() {
            return;
        }
        let columns = rows.columns();
        let at = |place: usize, row: usize| columns.get(place).map_or(Value::Null, |c| c.value(row));
        for (row, stamp) in rows.stamps().iter().enumerate() {
            let carried = |place: Option<usize>| match place.map(|p| at(p, row)) {
                Some(Value::U64(frame)) if frame != 0 => Stamp { frame, ..*stamp },
                _ => *stamp,
            };
            for (i, place, frame) in &plan.fields {
                let Some((field, how, _)) = FIELDS.get(*i) else { continue };
                let mut one = |value: Value<'_>, this: &mut Self| match value {
                    Value::Text(text) => this.text(intel, &carried(*frame), field, *how, text, hits),
                    Value::Hex(bytes) => {
                        let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                        this.text(intel, &carried(*frame), field, *how, &text, hits);
                    }
                    _ => {}
                };
                match at(*place, row) {
                    Value::List(inner, from, to) => (from..to.min(from + 64)).for_each(|n| one(inner.value(n), self)),
                    value => one(value, self),
                }
            }
            if let Some((host, uri, frame)) = plan.url.filter(|_| intel.store.count(Kind::Url) > 0)
                && let (Value::Text(host), Value::Text(uri)) = (at(host, row), at(uri, row))
            {
                self.url(intel, &carried(frame), host, uri, hits);
            }
        }
    }

    fn text(&mut self, intel: &Intel, stamp: &Stamp, field: &'static str, how: As, text: &str, hits: &mut Vec<Hit>) {
        self.found.clear();
        let mut address = None;
        match how {
            As::Exact(kind) if intel.store.count(kind) == 0 => return,
            As::Exact(kind) => {
                let plain = matches!(kind, Kind::UserAgent | Kind::User | Kind::FileName);
                let value = if plain { text } else { lowered(&mut self.lower, text) };
                self.found.extend(intel.store.find(kind, value.as_bytes()).map(|i| (i, false)));
            }
            As::Domain | As::Host | As::Answer => {
                let name = match how {
                    As::Host => without_port(text),
                    _ => text,
                };
                address = match how {
                    As::Domain => None,
                    _ => name.parse().ok().map(<Addr as From<std::net::IpAddr>>::from),
                };
                let found = &mut self.found;
                match address {
                    Some(a) => intel.store.address(a, &mut |i| found.push((i, false))),
                    None => {
                        let name = lowered(&mut self.lower, name.trim_end_matches('.'));
                        intel.store.domain(name, &mut |i, below| found.push((i, below)));
                    }
                }
                if address.is_some() {
                    self.found.retain(|(i, _)| intel.store.get(*i).is_some_and(|x| x.port == 0));
                }
            }
        }
        if !self.found.is_empty() {
            self.give(intel, stamp, field, || text.to_owned(), address, false, hits);
        }
    }

    fn url(&mut self, intel: &Intel, stamp: &Stamp, host: &str, uri: &str, hits: &mut Vec<Hit>) {
        let whole = match uri.contains("://") {
            true => uri.to_owned(),
            false => format!("http://{host}{uri}"),
        };
        let Ok(value) = url(&whole) else { return };
        self.found.clear();
        self.found.extend(intel.store.find(Kind::Url, value.as_bytes()).map(|i| (i, false)));
        if !self.found.is_empty() {
            self.give(intel, stamp, "http.uri", || whole.clone(), None, false, hits);
        }
    }

    /// Tells of what was found, unless it is allowed or none of it is in force.
    fn give(
        &mut self,
        intel: &Intel,
        stamp: &Stamp,
        field: &'static str,
        observed: impl Fn() -> String,
        address: Option<Addr>,
        is_originator: bool,
        hits: &mut Vec<Hit>,
    ) {
        if self.found.is_empty() {
            return;
        }
        let before = self.found.len();
        self.found.retain(|(i, _)| intel.store.get(*i).is_some_and(|x| x.holds_at(stamp.ts)));
        self.not_in_force += u64::from(self.found.is_empty() && before > 0);
        if self.found.is_empty() {
            return;
        }
        let text = observed();
        let host = without_port(&text).trim_end_matches('.').to_lowercase();
        let is_allowed = match address {
            Some(a) => intel.allow.address(a) || intel.own.iter().any(|n| n.has(a)),
            None => intel.allow.domain(&host) || intel.allow.values.contains_key(text.to_lowercase().as_bytes()),
        };
        if is_allowed {
            self.allowed += 1;
            return;
        }
        let worth = |i: u32| intel.store.get(i).and_then(|x| x.confidence).unwrap_or(50);
        self.found.sort_by_key(|(i, below)| (*below, std::cmp::Reverse(worth(*i)), *i));
        self.found.dedup_by_key(|(i, _)| *i);
        let Some((best, is_below)) = self.found.first().copied() else { return };
        let others = self.found.iter().skip(1).map(|(i, _)| *i).collect();
        hits.push(Hit {
            key: stamp.key,
            ts: stamp.ts,
            frame: stamp.frame,
            flow: stamp.flow,
            what: What::Indicator(best, others),
            field,
            observed: text,
            is_below,
            is_originator,
        });
    }

    fn patterns(&mut self, intel: &Intel, out: &Out, hits: &mut Vec<Hit>) {
        let states = &mut self.states;
        let mut not_in_force = 0;
        observe::each(out, &mut |stamp: &Stamp, field: &'static str, seen: &Observed<'_>| {
            for (n, (pattern, state)) in intel.patterns.iter().zip(states.iter_mut()).enumerate() {
                if !state.see(&pattern.parsed, stamp.ts, seen) {
                    continue;
                }
                if !pattern.holds_at(stamp.ts) {
                    not_in_force += 1;
                    continue;
                }
                hits.push(Hit {
                    key: stamp.key,
                    ts: stamp.ts,
                    frame: stamp.frame,
                    flow: stamp.flow,
                    what: What::Pattern(n),
                    field,
                    observed: pattern.text.clone(),
                    is_below: false,
                    is_originator: false,
                });
            }
        });
        self.not_in_force += not_in_force;
    }
}

fn lowered<'a>(into: &'a mut String, text: &str) -> &'a str {
    into.clear();
    into.extend(text.chars().flat_map(char::to_lowercase));
    into
}

/// `host:port` and `[v6]:port` without the port.
fn without_port(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => text,
    }
}

impl Store {
    /// Indicators of kinds that no record carries yet.
    pub fn unseen(&self) -> u64 {
        Kind::ALL.into_iter().filter(|k| !is_seen(*k)).map(|k| self.count(k)).sum()
    }
}
