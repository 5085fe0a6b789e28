//! Lists and CSV: Recorded Future's risk lists, abuse.ch's exports, and any file with a value a line, columns told by their names.

use std::io::BufRead;

use super::{confidence, moment};
use crate::load::Into_;
use crate::store::{New, Tlp};
use crate::value::{Kind, guess};

/// Names of columns by what they hold, in lower case.
const VALUE: &[&str] = &[
    "indicator",
    "value",
    "ioc",
    "ioc_value",
    "name",
    "dst_ip",
    "ip",
    "domain",
    "host",
    "url",
    "sha256",
    "sha256_hash",
    "sha1",
    "md5",
    "ja3_md5",
    "ja3",
    "attribute",
];
const TYPE: &[&str] = &["type", "indicator_type", "ioc_type", "kind"];
const SOURCE: &[&str] = &["source", "feed", "reporter", "provider"];
const LABEL: &[&str] = &[
    "description",
    "label",
    "malware",
    "malware_printable",
    "threat",
    "listingreason",
    "comment",
    "tags",
    "evidencedetails",
];
const CONFIDENCE: &[&str] = &["confidence", "confidence_level", "risk", "score", "threat level", "threat_level"];
const UNTIL: &[&str] = &["expires", "expiry", "expiration", "valid_until", "until"];
const FROM: &[&str] = &["valid_from", "from"];
const TLP: &[&str] = &["tlp"];
const ID: &[&str] = &["id", "ioc_id", "uuid"];

struct Columns {
    names: Vec<String>,
}

impl Columns {
    fn of(cells: &[String]) -> Columns {
        let plain = |c: &String| c.trim().trim_matches(['"', '#', ' ']).to_ascii_lowercase();
        Columns { names: cells.iter().map(plain).collect() }
    }

    fn is_header(&self) -> bool {
        self.place(VALUE).is_some()
    }

    fn place(&self, wanted: &[&str]) -> Option<usize> {
        wanted.iter().find_map(|w| self.names.iter().position(|n| n == w))
    }

    fn get<'a>(&self, wanted: &[&str], row: &'a csv::StringRecord) -> Option<&'a str> {
        row.get(self.place(wanted)?).map(str::trim).filter(|c| !c.is_empty())
    }

    /// The kind that the name of the value's column states.
    fn kind(&self) -> Option<Kind> {
        Some(match self.names.get(self.place(VALUE)?)?.as_str() {
            "dst_ip" | "ip" => Kind::Address,
            "domain" => Kind::Domain,
            "url" => Kind::Url,
            "ja3_md5" | "ja3" => Kind::Ja3,
            // abuse.ch's SSLBL lists certificates under this name, with a reason.
            "sha1" if self.place(&["listingreason"]).is_some() => Kind::CertSha1,
            _ => return None,
        })
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    Some(match name.to_ascii_lowercase().as_str() {
        "ip" | "ipv4" | "ipv6" | "ipv4-addr" | "ipv6-addr" | "address" | "addr" | "ip:port" | "ip-dst" | "ip-src" => {
            Kind::Address
        }
        "cidr" | "network" | "subnet" | "range" => Kind::Network,
        "domain" | "fqdn" | "hostname" | "domain-name" => Kind::Domain,
        "url" | "uri" => Kind::Url,
        "md5" | "md5_hash" => Kind::Md5,
        "sha1" | "sha1_hash" => Kind::Sha1,
        "sha256" | "sha256_hash" => Kind::Sha256,
        "certificate_sha1" | "cert_sha1" | "x509-fingerprint-sha1" => Kind::CertSha1,
        "certificate_sha256" | "cert_sha256" | "x509-fingerprint-sha256" => Kind::CertSha256,
        "ja3" | "ja3-fingerprint-md5" => Kind::Ja3,
        "ja3s" => Kind::Ja3s,
        "ja4" => Kind::Ja4,
        "user-agent" | "user_agent" | "useragent" => Kind::UserAgent,
        "email" | "email-addr" | "e-mail" => Kind::Email,
        "user" | "username" => Kind::User,
        "filename" | "file_name" => Kind::FileName,
        _ => return None,
    })
}

pub(crate) fn read(reader: &mut dyn BufRead, name: &str, to: &mut Into_<'_>) -> std::io::Result<()> {
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .double_quote(true)
        .trim(csv::Trim::All)
        .from_reader(reader);
    to.report.format = "list";
    let mut columns: Option<Columns> = None;
    let mut row = csv::StringRecord::new();
    // What the file's name says of hashes, which look alike: `ja3_fingerprints.csv`, `sslblacklist.csv`.
    let named = if name.contains("ja3") { Some(Kind::Ja3) } else { None };
    loop {
        match rows.read_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(e) => match e.into_kind() {
                csv::ErrorKind::Io(e) => return Err(e),
                other => {
                    let line = rows.position().line();
                    to.report.refuse(
                        Some(line),
                        "",
                        format!("no CSV: {other:?}").chars().take(120).collect::<String>(),
                        false,
                    );
                    if rows.is_done() {
                        return Ok(());
                    }
                    continue;
                }
            },
        }
        let line = row.position().map(csv::Position::line);
        let first = row.get(0).unwrap_or_default();
        if first.is_empty() && row.len() <= 1 {
            continue;
        }
        let cells: Vec<String> = row.iter().map(str::to_owned).collect();
        let candidate = Columns::of(&cells);
        let is_comment = first.starts_with(['#', ';']) || first.starts_with("//");
        let guessed = if is_comment { None } else { guess(first) };
        if guessed.is_none()
            && candidate.is_header()
            && (is_comment || columns.is_none())
            && (cells.len() > 1 || !is_comment)
        {
            let is_rf = candidate.names.iter().any(|n| n == "riskstring")
                || (candidate.names.iter().any(|n| n == "risk") && candidate.names.iter().any(|n| n == "name"));
            to.report.format = if is_rf { "recorded_future" } else { "csv" };
            columns = Some(candidate);
            continue;
        }
        if is_comment {
            continue;
        }
        one(&row, columns.as_ref(), named, line, to);
    }
}

fn one(row: &csv::StringRecord, columns: Option<&Columns>, named: Option<Kind>, line: Option<u64>, to: &mut Into_<'_>) {
    let Some(columns) = columns else {
        // No names: the value first, then perhaps how grave it is and what it is.
        let value = row.get(0).unwrap_or_default();
        let value = value.split(" #").next().unwrap_or_default().trim();
        let more = |i: usize| row.get(i).map(|c| c.trim().trim_matches('"')).filter(|c| !c.is_empty());
        let sure = more(1).and_then(confidence);
        let label = if sure.is_some() { more(2) } else { more(1) };
        let new = New { source: "list", label: label.unwrap_or_default(), confidence: sure, ..New::default() };
        match kind_of(value, named) {
            Some(kind) => to.add(line, kind, value, &New { with_subdomains: value.starts_with("*."), ..new }),
            None => {
                to.report.refuse(line, value, "neither address, range, domain, URL, hash nor e-mail address", false)
            }
        }
        return;
    };
    let get = |wanted: &[&str]| columns.get(wanted, row);
    let Some(mut value) = get(VALUE) else {
        return to.report.refuse(line, row.get(0).unwrap_or_default(), "no value in its column", false);
    };
    let stated = get(TYPE);
    let kind = match (stated.map(kind_named), columns.kind()) {
        (Some(Some(kind)), _) | (_, Some(kind)) => Some(kind),
        _ => kind_of(value, named),
    };
    let Some(mut kind) = kind else {
        let reason = match stated {
            Some(t) => format!("`{t}` is no type that records carry"),
            None => "neither address, range, domain, URL, hash nor e-mail address".to_owned(),
        };
        return to.report.refuse(line, value, reason, false);
    };
    let mut port = 0;
    if kind == Kind::Address
        && stated.is_some_and(|t| t.eq_ignore_ascii_case("ip:port"))
        && let Some((ip, p)) = value.rsplit_once(':')
    {
        (value, port) = (ip, p.parse().unwrap_or(0));
    }
    if kind == Kind::Address && value.contains('/') {
        kind = Kind::Network;
    }
    let label = get(LABEL).unwrap_or_default();
    let rule = to.report.format == "recorded_future";
    let label = if rule { evidence(label) } else { label.to_owned() };
    let new = New {
        id: get(ID).unwrap_or_default(),
        source: get(SOURCE).unwrap_or(if rule { "Recorded Future" } else { "list" }),
        label: &label,
        confidence: get(CONFIDENCE).and_then(confidence),
        tlp: get(TLP).and_then(Tlp::parse).unwrap_or_default(),
        from: get(FROM).and_then(moment),
        until: get(UNTIL).and_then(moment),
        with_subdomains: value.starts_with("*."),
        port,
    };
    to.add(line, kind, value, &new);
}

fn kind_of(value: &str, named: Option<Kind>) -> Option<Kind> {
    match (guess(value), named) {
        (Some(Kind::Md5), Some(kind)) => Some(kind),
        (kind, _) => kind,
    }
}

/// The gravest rules in the JSON text of `EvidenceDetails`, by name.
fn evidence(text: &str) -> String {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else { return text.chars().take(120).collect() };
    let Some(list) = json.get("EvidenceDetails").and_then(|l| l.as_array()) else { return String::new() };
    let grave = |r: &serde_json::Value| r.get("Criticality").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    let mut rules: Vec<&serde_json::Value> = list.iter().collect();
    rules.sort_by(|a, b| grave(b).total_cmp(&grave(a)));
    let names = rules.iter().filter_map(|r| r.get("Rule").and_then(|n| n.as_str()));
    names.take(3).collect::<Vec<_>>().join(", ")
}
