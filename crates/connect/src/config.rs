//! The configuration of destinations: `[sender]` and one `[[destination]]` each, unknown keys refused, all problems told at once.

use std::path::PathBuf;
use std::time::Duration;

use gwcore::Severity;
use serde::Deserialize;

use crate::event::{Kind as EventKind, Sender};
use crate::secret::Secret;
use crate::tls::Tls;

/// All destinations.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What events say of who sent them.
    pub sender: Sender,
    /// Destinations by name.
    pub destinations: Vec<Settings>,
}

/// One destination.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: letters, digits and dashes; also the name of its queue's folder.
    pub name: String,
    /// The least severity that is sent.
    pub severity: Severity,
    /// What is sent.
    pub events: Vec<EventKind>,
    /// Longest time for one request.
    pub timeout: Duration,
    /// Its TLS.
    pub tls: Tls,
    /// Its kind, with what belongs to that.
    pub kind: Kind,
}

/// Kinds of destinations.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Splunk HTTP Event Collector.
    Splunk(Splunk),
    /// Elasticsearch bulk.
    Elastic(Elastic),
    /// Syslog.
    Syslog(Syslog),
    /// Webhook.
    Webhook(Webhook),
    /// Mail.
    Mail(Mail),
    /// ServiceNow.
    ServiceNow(ServiceNow),
    /// Cortex XSOAR.
    Xsoar(Xsoar),
    /// A file of lines.
    File(ToFile),
}

/// How an event is written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Text {
    /// The finding as it is, one JSON object.
    #[default]
    Json,
    /// Common Event Format.
    Cef,
    /// LEEF 2.0.
    Leef,
    /// OCSF 1.8.
    Ocsf,
    /// ECS 9.
    Ecs,
}

/// Splunk HTTP Event Collector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splunk {
    /// `https://host:8088`.
    pub url: String,
    /// Token.
    pub token: Secret,
    /// Index; without it the token's own.
    pub index: Option<String>,
    /// Whether to wait for the indexers' acknowledgement.
    #[serde(default)]
    pub acknowledge: bool,
}

/// Elasticsearch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elastic {
    /// `https://host:9200`.
    pub url: String,
    /// Encoded API key.
    pub api_key: Option<Secret>,
    /// User, instead of a key.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Data stream's namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// How syslog goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream with octet counting.
    #[default]
    Tcp,
    /// The same inside TLS.
    Tls,
}

/// Syslog.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// `host:port`.
    pub address: String,
    /// Transport.
    #[serde(default)]
    pub transport: Transport,
    /// Body.
    #[serde(default)]
    pub format: Text,
    /// Octets of the longest message.
    #[serde(default = "default_octets")]
    pub octets: usize,
}

fn default_octets() -> usize {
    crate::format::syslog::OCTETS
}

/// Webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// `json`, `ocsf`, `ecs`.
    #[serde(default)]
    pub format: Text,
    /// `{"text": …}` as Slack, Teams workflows and Mattermost take it, instead of the event.
    #[serde(default)]
    pub chat: bool,
    /// Header that carries the secret.
    #[serde(default = "default_header")]
    pub header: String,
    /// Value of that header.
    pub secret: Option<Secret>,
}

fn default_header() -> String {
    "Authorization".to_owned()
}

/// How mail is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// STARTTLS, and nothing without it.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None.
    None,
}

/// Mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// `host:port`.
    pub address: String,
    /// Protection.
    #[serde(default)]
    pub protection: MailTls,
    /// From.
    pub from: String,
    /// To.
    pub to: Vec<String>,
    /// User.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}

/// ServiceNow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceNow {
    /// `https://instance.service-now.com`.
    pub url: String,
    /// Table.
    #[serde(default = "default_table")]
    pub table: String,
    /// User, with `password`.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Bearer token, instead of user and password.
    pub token: Option<Secret>,
    /// Assignment group.
    pub group: Option<String>,
}

fn default_table() -> String {
    "incident".to_owned()
}

/// Cortex XSOAR.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Xsoar {
    /// `https://server` (6) or `https://api-TENANT` (8).
    pub url: String,
    /// API key.
    pub key: Secret,
    /// Key id: version 8.
    pub key_id: Option<String>,
    /// Whether the key is an advanced one: each request is then signed with time and nonce.
    #[serde(default)]
    pub advanced: bool,
    /// Path before the calls; without it none for 6 and `/xsoar/public/v1` for 8.
    pub prefix: Option<String>,
    /// Type of the incidents.
    #[serde(default = "default_type")]
    pub incident_type: String,
}

fn default_type() -> String {
    "OT Network Detection".to_owned()
}

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToFile {
    /// The file; lines are appended.
    pub path: PathBuf,
    /// Format of a line.
    #[serde(default)]
    pub format: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderTable {
    host: Option<String>,
    link: Option<String>,
}

impl Config {
    /// Reads the tables `[sender]` and `[[destination]]` of a configuration; other tables are not looked at. All problems at once.
    pub fn parse(text: &str) -> Result<Config, Vec<String>> {
        let table: toml::Table = toml::from_str(text).map_err(|e| vec![e.to_string()])?;
        let (mut config, mut problems) = (Config::default(), Vec::new());
        if let Some(sender) = table.get("sender") {
            match sender.clone().try_into::<SenderTable>() {
                Ok(s) => {
                    config.sender.host = s.host.unwrap_or(config.sender.host);
                    config.sender.link = s.link.unwrap_or_default();
                }
                Err(e) => problems.push(format!("[sender]: {e}")),
            }
        }
        let list = match table.get("destination") {
            None => &Vec::new(),
            Some(toml::Value::Array(list)) => list,
            Some(_) => {
                problems.push("`destination` is a list: write [[destination]]".to_owned());
                &Vec::new()
            }
        };
        for (n, value) in list.iter().enumerate() {
            let parsed = match value {
                toml::Value::Table(table) => destination(table.clone()),
                _ => Err("is no table".to_owned()),
            };
            match parsed {
                Ok(settings) if config.destinations.iter().any(|d| d.name == settings.name) => {
                    problems.push(format!("[[destination]] {}: the name `{}` stands twice", n + 1, settings.name));
                }
                Ok(settings) => config.destinations.push(settings),
                Err(e) => problems.push(format!("[[destination]] {}: {e}", n + 1)),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

fn destination(mut table: toml::Table) -> Result<Settings, String> {
    let mut word = |key: &str| -> Result<Option<String>, String> {
        match table.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(s)) => Ok(Some(s)),
            Some(_) => Err(format!("`{key}` is no text")),
        }
    };
    let name = word("name")?.ok_or("`name` is missing")?;
    let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        return Err(format!("`{name}`: a name has letters, digits and dashes, at most 64"));
    }
    let kind = word("kind")?.ok_or_else(|| format!("`{name}`: `kind` is missing; one of {KINDS}"))?;
    let severity = word("severity")?.unwrap_or_else(|| "low".to_owned());
    let severity = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        .into_iter()
        .find(|s| s.name() == severity)
        .ok_or_else(|| format!("`{name}`: severity `{severity}` is none of info, low, medium, high, critical"))?;
    let timeout = match table.remove("timeout_s") {
        None => 30,
        Some(toml::Value::Integer(n)) if (1..=600).contains(&n) => n.unsigned_abs(),
        Some(_) => return Err(format!("`{name}`: `timeout_s` is a whole number from 1 to 600")),
    };
    let tls = match table.remove("tls") {
        None => Tls::default(),
        Some(value) => value.try_into().map_err(|e| format!("`{name}`: tls: {e}"))?,
    };
    let events: Option<Vec<String>> = match table.remove("events") {
        None => None,
        Some(value) => Some(value.try_into().map_err(|e| format!("`{name}`: events: {e}"))?),
    };
    let rest = toml::Value::Table(table);
    let wrong = |e: toml::de::Error| format!("`{name}`: {}", e.message());
    let kind = match kind.as_str() {
        "splunk-hec" => Kind::Splunk(rest.try_into().map_err(wrong)?),
        "elasticsearch" => Kind::Elastic(rest.try_into().map_err(wrong)?),
        "syslog" => Kind::Syslog(rest.try_into().map_err(wrong)?),
        "webhook" => Kind::Webhook(rest.try_into().map_err(wrong)?),
        "mail" => Kind::Mail(rest.try_into().map_err(wrong)?),
        "servicenow" => Kind::ServiceNow(rest.try_into().map_err(wrong)?),
        "xsoar" => Kind::Xsoar(rest.try_into().map_err(wrong)?),
        "file" => Kind::File(rest.try_into().map_err(wrong)?),
        other => return Err(format!("`{name}`: kind `{other}` is none of {KINDS}")),
    };
    let events = match events {
        None => kind.usual_events(),
        Some(words) => words
            .iter()
            .map(|w| {
                EventKind::parse(w).ok_or_else(|| format!("`{name}`: event `{w}` is none of finding, case, audit"))
            })
            .collect::<Result<_, _>>()?,
    };
    Ok(Settings { name, severity, events, timeout: Duration::from_secs(timeout), tls, kind })
}

/// Kinds as a configuration names them.
pub const KINDS: &str = "splunk-hec, elasticsearch, syslog, webhook, mail, servicenow, xsoar, file";

impl Kind {
    fn usual_events(&self) -> Vec<EventKind> {
        match self {
            Kind::ServiceNow(_) | Kind::Xsoar(_) => vec![EventKind::Case],
            _ => vec![EventKind::Finding],
        }
    }

    /// As a configuration names it.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Splunk(_) => "splunk-hec",
            Kind::Elastic(_) => "elasticsearch",
            Kind::Syslog(_) => "syslog",
            Kind::Webhook(_) => "webhook",
            Kind::Mail(_) => "mail",
            Kind::ServiceNow(_) => "servicenow",
            Kind::Xsoar(_) => "xsoar",
            Kind::File(_) => "file",
        }
    }
}
