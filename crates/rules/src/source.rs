//! Log sources: which records a rule speaks of, and which of their fields its names mean.

use gwcore::{COMMON, Kind};

/// Where the value of a rule's field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A common field, by its place in [`COMMON`].
    Common(usize),
    /// A field of the kind's own, by its place.
    Own(usize),
    /// `http://host/uri` of an HTTP exchange, from the places of both.
    Url(usize, usize),
    /// The target without its query, or the query.
    Target(usize, Part),
}

/// A part of a request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Stem,
    Query,
    Extension,
}

/// A rule's log source as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogSource<'a> {
    pub(crate) category: Option<&'a str>,
    pub(crate) product: Option<&'a str>,
    pub(crate) service: Option<&'a str>,
}

/// Names of fields in a family of rules, and ours.
type Names = &'static [(&'static str, &'static str)];

const ZEEK: Names = &[
    ("id.orig_h", "src_ip"),
    ("id.orig_p", "src_port"),
    ("id.resp_h", "dst_ip"),
    ("id.resp_p", "dst_port"),
    ("id_orig_h", "src_ip"),
    ("id_orig_p", "src_port"),
    ("id_resp_h", "dst_ip"),
    ("id_resp_p", "dst_port"),
    ("AA", "aa"),
    ("TC", "tc"),
    ("RD", "rd"),
    ("RA", "ra"),
    ("Z", "z"),
    ("orig_l2_addr", "src_mac"),
    ("resp_l2_addr", "dst_mac"),
    ("tunnel_parents", "tunnel"),
    ("post_body", ""),
];
const ZEEK_X509: Names = &[
    ("certificate.serial", "serial"),
    ("certificate.subject", "subject"),
    ("certificate.issuer", "issuer"),
    ("certificate.not_valid_before", "not_before"),
    ("certificate.not_valid_after", "not_after"),
    ("certificate.key_alg", "cert_key_alg"),
    ("certificate.key_length", "cert_key_length"),
    ("san.dns", "san_dns"),
];
const DNS: Names = &[
    ("query", "query"),
    ("QueryName", "query"),
    ("QueryResults", "answers"),
    ("record_type", "qtype_name"),
    ("answer", "answers"),
    ("answers", "answers"),
    ("response_code", "rcode_name"),
    ("src_ip", "src_ip"),
    ("dst_ip", "dst_ip"),
    ("src_port", "src_port"),
    ("dst_port", "dst_port"),
];
const PROXY: Names = &[
    ("c-uri", "@url"),
    ("c-uri-stem", "@stem"),
    ("c-uri-query", "@query"),
    ("c-uri-extension", "@extension"),
    ("c-useragent", "user_agent"),
    ("cs-user-agent", "user_agent"),
    ("cs-host", "host"),
    ("r-dns", "host"),
    ("cs-method", "method"),
    ("cs-referrer", "referrer"),
    ("cs-referer", "referrer"),
    ("cs-version", "version"),
    ("cs-username", "username"),
    ("sc-status", "status_code"),
    ("sc-bytes", "response_body_len"),
    ("cs-bytes", "request_body_len"),
    ("rs-content-type", "content_type"),
    ("c-ip", "src_ip"),
    ("src_ip", "src_ip"),
    ("r-ip", "dst_ip"),
    ("dst_ip", "dst_ip"),
    ("DestinationIp", "dst_ip"),
    ("dst_port", "dst_port"),
    ("c-uri-host", "host"),
];
const WEBSERVER: Names = &[
    ("cs-uri", "uri"),
    ("cs-uri-stem", "@stem"),
    ("cs-uri-query", "uri"),
    ("cs-method", "method"),
    ("cs-user-agent", "user_agent"),
    ("cs-useragent", "user_agent"),
    ("cs-host", "host"),
    ("cs-referer", "referrer"),
    ("cs-referrer", "referrer"),
    ("sc-status", "status_code"),
    ("cs-username", "username"),
    ("c-ip", "src_ip"),
    ("src_ip", "src_ip"),
    ("dst_ip", "dst_ip"),
    ("c-useragent", "user_agent"),
];
const FIREWALL: Names = &[
    ("src_ip", "src_ip"),
    ("src_port", "src_port"),
    ("dst_ip", "dst_ip"),
    ("dst_port", "dst_port"),
    ("protocol", "proto"),
];
const CONNECTION: Names = &[
    ("DestinationIp", "dst_ip"),
    ("DestinationPort", "dst_port"),
    ("SourceIp", "src_ip"),
    ("SourcePort", "src_port"),
    ("Protocol", "proto"),
    ("dst_ip", "dst_ip"),
    ("dst_port", "dst_port"),
    ("src_ip", "src_ip"),
    ("src_port", "src_port"),
];

/// Services of Zeek whose record has another name here.
const SERVICES: &[(&str, &str)] = &[("ssl", "tls"), ("x509", "tls"), ("dnp3", "dnp3"), ("s7comm", "s7comm")];

/// A record kind with the names that a rule's fields have in it.
pub(crate) struct Source {
    pub(crate) kind: &'static Kind,
    /// Only these names are known; none when the kind's own names are.
    names: Option<Names>,
    also: Names,
}

impl Source {
    /// What a log source stands for, or why for nothing.
    pub(crate) fn of(log: LogSource<'_>, kinds: &[&'static Kind]) -> Result<Source, String> {
        let kind = |name: &str| kinds.iter().copied().find(|k| k.name == name);
        let lower = |t: Option<&str>| t.map(str::to_ascii_lowercase).unwrap_or_default();
        let (category, product, service) = (lower(log.category), lower(log.product), lower(log.service));
        let named = |name: &str, names, also| match kind(name) {
            Some(kind) => Ok(Source { kind, names, also }),
            None => Err(format!("there are no records of `{name}`")),
        };
        match (product.as_str(), category.as_str(), service.as_str()) {
            ("gridwarden", _, "") => Err("a rule for `product: gridwarden` names a `service`: a kind of record".into()),
            ("gridwarden", _, service) => named(service, None, &[]),
            ("zeek", _, "") if !category.is_empty() => Self::by_category(&category, &named),
            ("zeek", _, service) => {
                let ours = SERVICES.iter().find(|s| s.0 == service).map_or(service, |s| s.1);
                named(ours, None, if service == "x509" { ZEEK_X509 } else { ZEEK })
            }
            ("" | "windows" | "linux" | "macos", category, "") if !category.is_empty() => {
                Self::by_category(category, &named)
            }
            _ => {
                let all = [("product", &product), ("category", &category), ("service", &service)];
                let said: Vec<String> =
                    all.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k} `{v}`")).collect();
                Err(format!("no record comes from {}", said.join(", ")))
            }
        }
    }

    fn by_category(
        category: &str,
        named: &dyn Fn(&str, Option<Names>, Names) -> Result<Source, String>,
    ) -> Result<Source, String> {
        match category {
            "dns" | "dns_query" => named("dns", Some(DNS), &[]),
            "proxy" => named("http", Some(PROXY), &[]),
            "webserver" => named("http", Some(WEBSERVER), &[]),
            "firewall" => named("conn", Some(FIREWALL), &[]),
            "network_connection" => named("conn", Some(CONNECTION), &[]),
            other => Err(format!("no record comes from category `{other}`")),
        }
    }

    /// Where a field stands.
    pub(crate) fn place(&self, field: &str) -> Result<Place, String> {
        let renamed = |names: Names| names.iter().find(|n| n.0 == field).map(|n| n.1);
        let ours = match self.names {
            Some(names) => renamed(names).ok_or_else(|| self.unknown(field))?,
            None => renamed(self.also).unwrap_or_else(|| self.without_kind(field)),
        };
        let own = |name: &str| self.kind.fields.iter().position(|f| f.name == name);
        let target = |part| own("uri").map(|uri| Place::Target(uri, part));
        let place = match ours {
            "@url" => own("host").zip(own("uri")).map(|(host, uri)| Place::Url(host, uri)),
            "@stem" => target(Part::Stem),
            "@query" => target(Part::Query),
            "@extension" => target(Part::Extension),
            name => own(name).map(Place::Own).or_else(|| COMMON.iter().position(|f| f.name == name).map(Place::Common)),
        };
        place.ok_or_else(|| self.unknown(field))
    }

    /// `modbus.function_code` is `function_code` of `modbus`.
    fn without_kind<'a>(&self, field: &'a str) -> &'a str {
        field.strip_prefix(self.kind.name).and_then(|f| f.strip_prefix('.')).unwrap_or(field)
    }

    fn unknown(&self, field: &str) -> String {
        format!("field `{field}` is in no record of `{}`", self.kind.name)
    }
}
