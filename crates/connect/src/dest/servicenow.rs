//! ServiceNow Table API: a ticket per case, found again by `correlation_id`, work notes for what is new, its state mirrored (`specs/servicenow.md`).

use respond::{Case, State};
use serde_json::{Map, Value};

use crate::config::{self, Settings};
use crate::dest::{Destination, Mirrored, case};
use crate::event::{Sender, cut, score};
use crate::http::{Http, Method, Reply};
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// What stands in `correlation_display` of our tickets.
const OURS: &str = "Gridwarden";
/// Tickets read in one call.
const PAGE: usize = 500;

/// One table of one instance.
pub struct ServiceNow {
    http: Http,
    url: String,
    table: String,
    group: Option<String>,
    sender: Sender,
    /// Latest change that was mirrored, in the instance's own writing.
    since: Option<String>,
}

impl ServiceNow {
    /// Reads password or token.
    pub fn new(c: &config::ServiceNow, settings: &Settings, sender: &Sender) -> Result<ServiceNow, String> {
        let authorization = match (&c.user, &c.password, &c.token) {
            (Some(user), Some(password), None) => {
                format!("Basic {}", crate::base64::encode(format!("{user}:{}", password.read()?).as_bytes()))
            }
            (None, None, Some(token)) => format!("Bearer {}", token.read()?),
            _ => return Err("either `user` and `password`, or `token`".to_owned()),
        };
        if !c.table.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!("`{}` is no table", c.table));
        }
        let headers =
            vec![("Authorization".to_owned(), authorization), ("Accept".to_owned(), "application/json".to_owned())];
        Ok(ServiceNow {
            http: Http::new(&settings.tls, settings.timeout, headers)?,
            url: c.url.trim_end_matches('/').to_owned(),
            table: c.table.clone(),
            group: c.group.clone(),
            sender: sender.clone(),
            since: None,
        })
    }

    fn result(reply: &Reply) -> Result<Value, Fault> {
        if let Some(fault) = reply.fault() {
            return Err(fault);
        }
        // An instance that sleeps answers 200 with a page.
        if !reply.content_type.contains("json") {
            return Err(Fault::new(FaultKind::Unavailable, "a page instead of JSON: the instance may be asleep"));
        }
        let mut answer = reply.json()?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(Fault::new(FaultKind::Malformed, reply.start())),
        }
    }

    /// The ticket of a case: sys_id and number.
    fn find(&self, case: &str) -> Result<Option<(String, String)>, Fault> {
        let query = format!("correlation_id={}%5Ecorrelation_display={OURS}", encoded(case));
        let url = format!(
            "{}/api/now/table/{}?sysparm_query={query}&sysparm_fields=sys_id,number,state&sysparm_limit=1&sysparm_exclude_reference_link=true",
            self.url, self.table
        );
        let result = Self::result(&self.http.get(&url)?)?;
        Ok(result
            .as_array()
            .and_then(|l| l.first())
            .map(|t| (word(t, "sys_id"), word(t, "number")))
            .filter(|(id, _)| !id.is_empty()))
    }

    fn body(&self, case: &Case, is_new: bool) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: String| {
            if !value.is_empty() {
                out.insert(key.to_owned(), Value::String(value));
            }
        };
        let level = match score(case.severity) {
            70.. => "1",
            40..70 => "2",
            _ => "3",
        };
        if is_new {
            put("short_description", cut(&case.title, 160).to_owned());
            put("description", description(case, &self.sender));
            put("category", "network".to_owned());
            put("impact", level.to_owned());
            put("urgency", level.to_owned());
            put("correlation_id", case.id.clone());
            put("correlation_display", OURS.to_owned());
            put("assignment_group", self.group.clone().unwrap_or_default());
        }
        put(
            "work_notes",
            format!(
                "Gridwarden, revision {} of {}: {} ({}), state {}",
                case.rev,
                case.id,
                case.title,
                case.severity.name(),
                case.state.name()
            ),
        );
        if case.state == State::Closed
            && let Some(d) = &case.disposition
        {
            put("state", "6".to_owned());
            put("close_code", "Solved (Permanently)".to_owned());
            put("close_notes", format!("{}, by {}: {}", d.conclusion, d.by, d.action));
        }
        Value::Object(out)
    }

    fn one(&self, item: &Item) -> Result<(), Fault> {
        let case = case(item).map_err(|e| Fault::new(FaultKind::Refused, e))?;
        let fields = "sysparm_fields=sys_id,number,state&sysparm_exclude_reference_link=true";
        let (method, url, is_new) = match self.find(&case.id)? {
            Some((sys_id, _)) => {
                (Method::Patch, format!("{}/api/now/table/{}/{sys_id}?{fields}", self.url, self.table), false)
            }
            None => (Method::Post, format!("{}/api/now/table/{}?{fields}", self.url, self.table), true),
        };
        let body = self.body(&case, is_new).to_string();
        Self::result(&self.http.send(method, &url, "application/json", body.as_bytes())?).map(|_| ())
    }
}

/// What a person reads first.
fn description(case: &Case, sender: &Sender) -> String {
    let mut out =
        format!("{}\nSeverity {}, {} to {} UTC\n", case.title, case.severity.name(), case.occurred, case.ended);
    for m in case.findings.iter().take(50) {
        out += &format!("- {} {}: {} (joined: {})\n", m.ts, m.title, m.why, m.join.reason);
    }
    if case.findings.len() > 50 {
        out += &format!("and {} more findings\n", case.findings.len() - 50);
    }
    out + &sender.link(&case.id).unwrap_or_default()
}

fn word(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(s) => s.clone(),
        other => other["value"].as_str().unwrap_or("").to_owned(),
    }
}

/// A value in a query: percent-encoded, without the `^` that would begin another condition.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().filter(|b| *b != b'^').fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-_.".contains(&b) {
            out.push(char::from(b));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

/// One by one; after a failure nothing overtakes.
pub(super) fn in_order(items: &[&Item], mut one: impl FnMut(&Item) -> Result<(), Fault>) -> Vec<Verdict> {
    let mut out: Vec<Verdict> = Vec::with_capacity(items.len());
    for item in items {
        if let Some(Verdict::Again(_)) = out.last() {
            out.push(Verdict::Again(Fault::new(FaultKind::NotReached, "something before it failed")));
            continue;
        }
        out.push(match one(item) {
            Ok(()) => Verdict::Done,
            Err(f) if matches!(f.kind, FaultKind::Refused | FaultKind::TooLarge) => Verdict::Dead(f.text),
            Err(fault) => Verdict::Again(fault),
        });
    }
    out
}

impl Destination for ServiceNow {
    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        in_order(items, |item| self.one(item))
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let url = format!("{}/api/now/table/{}?sysparm_limit=1&sysparm_fields=sys_id", self.url, self.table);
        Self::result(&self.http.get(&url)?).map(|_| format!("table {} can be read", self.table))
    }

    fn mirror(&mut self) -> Result<Vec<Mirrored>, Fault> {
        let after = self.since.as_deref().map(|s| format!("%5Esys_updated_on%3E={}", encoded(s))).unwrap_or_default();
        let url = format!(
            "{}/api/now/table/{}?sysparm_query=correlation_display={OURS}{after}%5EORDERBYsys_updated_on&sysparm_fields=sys_id,number,state,correlation_id,close_code,close_notes,sys_updated_on,sys_updated_by&sysparm_limit={PAGE}&sysparm_exclude_reference_link=true",
            self.url, self.table
        );
        let result = Self::result(&self.http.get(&url)?)?;
        let list = result.as_array().cloned().unwrap_or_default();
        if let Some(last) = list.iter().map(|t| word(t, "sys_updated_on")).filter(|t| !t.is_empty()).max() {
            self.since = Some(last);
        }
        Ok(list
            .iter()
            .filter(|t| !word(t, "correlation_id").is_empty())
            .map(|t| Mirrored {
                case: word(t, "correlation_id"),
                ticket: word(t, "number"),
                state: match word(t, "state").as_str() {
                    "1" => "new",
                    "3" => "waiting",
                    "6" | "7" | "8" => "closed",
                    _ => "open",
                }
                .to_owned(),
                reason: word(t, "close_code"),
                notes: word(t, "close_notes"),
                by: word(t, "sys_updated_by"),
            })
            .collect())
    }
}
