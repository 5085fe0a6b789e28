//! What `analyze` and `run` are told to look for: indicators and rules, matched against the records of each batch and told as findings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use detect::Outside;
use gwcore::{Basis, Evidence, FlowConst, InPacket, Out, Severity};
use intel::{Hit, Intel, Matcher, What};
use rules::{Engine, Rules};

use crate::say::complaint;

/// Under this confidence a match speaks as low.
const SURE: u8 = 50;

/// What was loaded, shared by all worlds of a run.
#[derive(Clone, Default)]
pub struct Loaded {
    intel: Option<Arc<Intel>>,
    rules: Option<Arc<Rules>>,
    /// The folder of a set that the centre copied: places in rules are told without it.
    below: Option<Arc<Path>>,
}

impl Loaded {
    /// Loads what was named. Parts that cannot be used are said and the rest is used; files that cannot be read are an error.
    pub fn load(intel: &[PathBuf], rules: &[PathBuf], quiet: bool) -> anyhow::Result<Loaded> {
        let intel = match intel {
            [] => None,
            paths => Some(Arc::new(intel::load(paths).context("indicators")?)),
        };
        let rules = match rules {
            [] => None,
            paths => Some(Arc::new(rules::load(paths, &kinds()).context("rules")?)),
        };
        let refused: u64 = intel.iter().flat_map(|i| &i.reports).flat_map(|r| r.reasons.values()).sum();
        if refused > 0 && !quiet {
            complaint(format_args!(
                "{refused} entries of the indicators are not used: `gridwarden intel check` says why"
            ));
        }
        let problems = rules.as_ref().map_or(0, |r| r.problems.len());
        if problems > 0 && !quiet {
            complaint(format_args!("{problems} rules are not used: `gridwarden rules check` says why"));
        }
        Ok(Loaded { intel, rules, below: None })
    }

    /// Loads a set that the centre copied ([`crate::staged`]); what of it cannot be used stands in [`Loaded::counts`].
    pub fn staged(dir: &Path) -> anyhow::Result<Loaded> {
        let part = |name: &str| -> Vec<PathBuf> {
            (0..).map(|n: u32| dir.join(name).join(n.to_string())).take_while(|p| p.is_dir()).collect()
        };
        let loaded = Loaded::load(&part("intel"), &part("rules"), true)?;
        Ok(Loaded { below: Some(Arc::from(dir.join("rules"))), ..loaded })
    }

    /// How much is loaded, and how much of the files is not used.
    pub fn counts(&self) -> serde_json::Value {
        let refused: u64 = self.intel.iter().flat_map(|i| &i.reports).flat_map(|r| r.reasons.values()).sum();
        let problems = self.rules.as_ref().map_or(0, |r| r.problems.len());
        serde_json::json!({
            "indicators": self.intel.as_ref().map_or(0, |i| i.store.len()),
            "patterns": self.intel.as_ref().map_or(0, |i| i.patterns.len()),
            "rules": self.rules.as_ref().map_or(0, |r| r.rules.len()),
            "correlations": self.rules.as_ref().map_or(0, |r| r.correlated()),
            "indicators_not_used": refused, "rules_not_used": problems,
        })
    }

    /// A file of rules that `before` used and of which nothing can be used now: then the set as a whole is not taken.
    pub fn lost(&self, before: &Loaded) -> Option<String> {
        let (now, before_rules) = (self.rules.as_ref()?, before.rules.as_ref()?);
        let names = |loaded: &Loaded, rules: &Rules| -> BTreeSet<String> {
            rules.rules.iter().map(|r| short(loaded.below.as_deref(), &r.place.0.display().to_string())).collect()
        };
        let (had, have) = (names(before, before_rules), names(self, now));
        now.problems.iter().find_map(|p| {
            let name = short(self.below.as_deref(), &p.path.display().to_string());
            (had.contains(&name) && !have.contains(&name)).then(|| format!("{name} line {}: {}", p.line, p.reason))
        })
    }

    /// Whether rules are loaded: they judge every message, also those that the summary leaves out.
    pub fn wants_every_message(&self) -> bool {
        self.rules.is_some()
    }

    /// What looks at the records of one world.
    pub fn matchers(&self) -> Matchers {
        Matchers {
            intel: self.intel.clone().map(Matcher::new),
            rules: self.rules.clone().map(Engine::new),
            below: self.below.clone(),
        }
    }
}

/// A place in a file of rules, without the folder that the centre copied it to and its number there.
fn short(below: Option<&Path>, place: &str) -> String {
    let within = below.and_then(|below| place.strip_prefix(below.to_str()?)?.strip_prefix('/')?.split_once('/'));
    within.map_or(place, |(_, name)| name).to_owned()
}

/// All kinds of records that rules may speak of.
pub fn kinds() -> Vec<&'static gwcore::Kind> {
    engine::kinds().into_iter().chain(ingest::kinds()).collect()
}

/// What looks at the records of one world.
#[derive(Default)]
pub struct Matchers {
    intel: Option<Matcher>,
    rules: Option<Engine>,
    below: Option<Arc<Path>>,
}

impl Matchers {
    /// What the records of a batch match, in the order of their keys.
    pub fn look<'a>(&mut self, out: &'a Out) -> Vec<Outside<'a>> {
        let mut all = Vec::new();
        if let Some(matcher) = &mut self.intel {
            let hits = matcher.batch(out);
            let intel = Arc::clone(matcher.intel());
            all.extend(hits.into_iter().filter_map(|hit| of_intel(&intel, hit, out)));
        }
        if let Some(engine) = &mut self.rules {
            let hits = engine.batch(out);
            let below = self.below.as_deref();
            all.extend(hits.into_iter().filter_map(|mut hit| {
                hit.place = short(below, &hit.place);
                of_rules(hit, out)
            }));
        }
        all.sort_by_key(|o| o.key);
        all
    }
}

fn of_rules(hit: rules::Hit, out: &Out) -> Option<Outside<'_>> {
    let flow = out.flows.get(hit.flow.index())?;
    let (src, dst) = match hit.flow.reversed() {
        true => ((flow.dst, flow.dst_mac), (flow.src, flow.src_mac)),
        false => ((flow.src, flow.src_mac), (flow.dst, flow.dst_mac)),
    };
    let parties = match hit.counted {
        Some(_) => hit.group.join("|"),
        None => format!("{}>{}", named(src.0, src.1), named(dst.0, dst.1)),
    };
    Some(Outside {
        meta: &detect::RULE_MATCH,
        key: hit.key,
        ts: hit.ts,
        frame: hit.frame,
        flow: hit.flow,
        dedup_key: format!("{}|{parties}", hit.id),
        severity: hit.severity,
        basis: Basis::Signature,
        attack: hit.attack,
        proto: hit.kind,
        words: Box::new(move |src, dst| of_rule(&hit, src, dst)),
    })
}

fn of_rule(hit: &rules::Hit, src: &str, dst: &str) -> (String, String, Evidence) {
    let fields: Vec<String> = hit.fields.iter().map(|(k, v)| format!("{k} {v}")).collect();
    let what = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    let why = match hit.counted {
        Some((since, n)) => format!(
            "{n} records since {since}, the last from {src} to {dst}, meet the correlation “{}”{what}.",
            hit.title
        ),
        None => format!("A record of {} from {src} to {dst} meets the rule “{}”{what}.", hit.kind, hit.title),
    };
    let observed = if fields.is_empty() { hit.title.clone() } else { fields.join(", ") };
    let mut evidence = Evidence { observed, seen: hit.counted.map(|c| c.1), ..Evidence::default() };
    let mut more = |key: &str, value: &str| {
        if !value.is_empty() {
            evidence.more.insert(key.to_owned(), value.into());
        }
    };
    more("rule", &hit.id);
    more("rule_file", &hit.place);
    more("rule_says", &hit.description);
    more("may_be_innocent", &hit.innocent);
    for (k, v) in &hit.fields {
        more(&format!("field {k}"), v);
    }
    (hit.title.clone(), why, evidence)
}

/// What an indicator or pattern says, for the sentence and the evidence.
struct Said {
    kind: &'static str,
    value: String,
    id: String,
    source: String,
    label: String,
    confidence: Option<u8>,
    tlp: &'static str,
    from: Option<String>,
    until: Option<String>,
    also: Vec<String>,
}

impl Said {
    fn of(intel: &Intel, what: &What) -> Option<Said> {
        match what {
            What::Indicator(i, others) => {
                let x = intel.store.get(*i)?;
                let also = others.iter().take(8).filter_map(|o| intel.store.get(*o)).map(|o| o.source.to_owned());
                Some(Said {
                    kind: x.kind.name(),
                    value: x.text(),
                    id: intel.store.id(*i),
                    source: x.source.to_owned(),
                    label: x.label.to_owned(),
                    confidence: x.confidence,
                    tlp: x.tlp.name(),
                    from: x.from.map(|t| t.to_string()),
                    until: x.until.map(|t| t.to_string()),
                    also: also.collect(),
                })
            }
            What::Pattern(i) => {
                let p = intel.patterns.get(*i)?;
                Some(Said {
                    kind: "pattern",
                    value: p.text.clone(),
                    id: p.id.clone(),
                    source: p.source.clone(),
                    label: p.label.clone(),
                    confidence: p.confidence,
                    tlp: p.tlp.name(),
                    from: p.from.map(|t| t.to_string()),
                    until: p.until.map(|t| t.to_string()),
                    also: Vec::new(),
                })
            }
        }
    }

    /// `which FEED lists ("LABEL", confidence 80 of 100, until …)`.
    fn lists(&self) -> String {
        let mut about = Vec::new();
        if !self.label.is_empty() {
            about.push(format!("as “{}”", self.label));
        }
        if let Some(c) = self.confidence {
            about.push(format!("with confidence {c} of 100"));
        }
        if let Some(until) = &self.until {
            about.push(format!("until {}", until.get(..10).unwrap_or(until)));
        }
        format!("which {} lists {}", self.source, about.join(", ")).trim_end().to_owned()
    }
}

fn of_intel<'a>(intel: &Arc<Intel>, hit: Hit, out: &'a Out) -> Option<Outside<'a>> {
    let flow = out.flows.get(hit.flow.index())?;
    let said = Said::of(intel, &hit.what)?;
    let host = if hit.is_originator { named(flow.dst, flow.dst_mac) } else { named(flow.src, flow.src_mac) };
    let severity = if said.confidence.is_some_and(|c| c < SURE) { Severity::Low } else { Severity::Medium };
    let proto = hit.field.split('.').next().filter(|p| *p != "conn").unwrap_or_else(|| transport(flow));
    Some(Outside {
        meta: &detect::INTEL_MATCH,
        key: hit.key,
        ts: hit.ts,
        frame: hit.frame,
        flow: hit.flow,
        dedup_key: format!("{}:{}|{host}", said.kind, said.value),
        severity,
        basis: Basis::Intelligence,
        attack: &[],
        proto,
        words: Box::new(move |src, dst| words(&said, &hit, src, dst)),
    })
}

fn named(addr: gwcore::Addr, mac: gwcore::Mac) -> String {
    if addr.is_none() { mac.to_string() } else { addr.to_string() }
}

fn transport(flow: &FlowConst) -> &'static str {
    match flow.ip_proto {
        6 => "tcp",
        17 => "udp",
        1 | 58 => "icmp",
        _ => "ip",
    }
}

fn words(said: &Said, hit: &Hit, src: &str, dst: &str) -> (String, String, Evidence) {
    let value = &hit.observed;
    let did = match hit.field {
        "conn.dst_ip" => format!("{src} began a conversation with {dst}"),
        "conn.src_ip" => format!("{src} began a conversation with {dst}"),
        "dns.query" => format!("{src} asked {dst} for the name {value}"),
        "dns.answers" => format!("{dst} led {src} to {value}"),
        "http.host" => format!("{src} asked {dst} for something of the web site {value}"),
        "http.uri" => format!("{src} asked {dst} for the URL {value}"),
        "http.user_agent" => format!("{src} called itself “{value}” before the web server {dst}"),
        "http.orig_sha256" => format!("{src} sent a file with the hash {value} to {dst}"),
        "http.resp_md5" | "http.resp_sha1" | "http.resp_sha256" => {
            format!("{src} got a file with the hash {value} from {dst}")
        }
        "http.username" | "ftp.user" => format!("{src} logged in to {dst} as {value}"),
        "tls.server_name" => format!("{src} asked {dst} for a TLS session with {value}"),
        "tls.san_dns" | "tls.cert_sha1" | "tls.cert_fps" => format!("{dst} showed {src} the certificate of {value}"),
        "tls.ja3" | "tls.retry_ja3" | "tls.ja4" => format!("{src} opened TLS to {dst} with the fingerprint {value}"),
        "tls.ja3s" => format!("{dst} answered {src} in TLS with the fingerprint {value}"),
        _ => format!("What {src} and {dst} said meets a pattern"),
    };
    let below = if hit.is_below { format!(", a name below {}", said.value) } else { String::new() };
    let listed = match hit.field {
        "conn.src_ip" => format!("{src} is an address {}", said.lists()),
        "conn.dst_ip" => format!("{dst} is an address {}", said.lists()),
        _ if matches!(hit.what, What::Pattern(_)) => format!("the pattern is one {}", said.lists()),
        _ => format!("it is a value {}", said.lists()),
    };
    let why = format!("{did}{below}; {listed}.");
    let title = match hit.field {
        "conn.src_ip" => format!("{dst} spoke with {value}, which {} lists", said.source),
        "conn.dst_ip" => format!("{src} spoke with {value}, which {} lists", said.source),
        _ if matches!(hit.what, What::Pattern(_)) => format!("{src} meets a pattern which {} lists", said.source),
        _ => format!("{value} in the traffic of {src}, which {} lists", said.source),
    };
    let mut evidence = Evidence { observed: value.clone(), ..Evidence::default() };
    let mut more = |key: &str, value: serde_json::Value| {
        if !value.is_null() && value != "" {
            evidence.more.insert(key.to_owned(), value);
        }
    };
    more("indicator", said.value.as_str().into());
    more("indicator_type", said.kind.into());
    more("indicator_id", said.id.as_str().into());
    more("source", said.source.as_str().into());
    more("label", said.label.as_str().into());
    more("listed_confidence", said.confidence.into());
    more("tlp", said.tlp.into());
    more("valid_from", said.from.clone().into());
    more("valid_until", said.until.clone().into());
    more("field", hit.field.into());
    if !said.also.is_empty() {
        more("also_listed_by", said.also.clone().into());
    }
    let field = hit.field.strip_prefix("conn.").unwrap_or(hit.field);
    let is_value = matches!(hit.what, What::Indicator(..)) && hit.field != "http.uri";
    let in_packet = is_value.then(|| InPacket::new(field, value.as_str(), Vec::<String>::new()));
    (title, why, evidence.naming(in_packet))
}
