//! Elasticsearch: bulk `create` into a data stream, a verdict per item, our revision as `_id` (`specs/elk.md`).

use serde_json::{Value, json};

use crate::config::{self, Settings};
use crate::dest::{Destination, finding, verdict};
use crate::event::{Sender, revision_id};
use crate::format::ecs;
use crate::http::{Http, Method};
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// Dataset of findings.
const DATASET: &str = "gridwarden.finding";

/// Sends to one cluster.
pub struct Elastic {
    http: Http,
    url: String,
    namespace: String,
    sender: Sender,
}

impl Elastic {
    /// Reads key or password.
    pub fn new(c: &config::Elastic, settings: &Settings, sender: &Sender) -> Result<Elastic, String> {
        let authorization = match (&c.api_key, &c.user, &c.password) {
            (Some(key), None, None) => Some(format!("ApiKey {}", key.read()?)),
            (None, Some(user), Some(password)) => {
                Some(format!("Basic {}", crate::base64::encode(format!("{user}:{}", password.read()?).as_bytes())))
            }
            (None, None, None) => None,
            _ => return Err("either `api_key`, or `user` and `password`".to_owned()),
        };
        let headers = authorization.map(|a| ("Authorization".to_owned(), a)).into_iter().collect();
        Ok(Elastic {
            http: Http::new(&settings.tls, settings.timeout, headers)?,
            url: c.url.trim_end_matches('/').to_owned(),
            namespace: c.namespace.clone(),
            sender: sender.clone(),
        })
    }
}

/// The verdict of one item of the answer.
fn of_item(answer: &Value) -> Verdict {
    let item = &answer["create"];
    let status = item["status"].as_u64().unwrap_or(0);
    let error = &item["error"];
    let text =
        format!("status {status}: {} {}", error["type"].as_str().unwrap_or(""), error["reason"].as_str().unwrap_or(""));
    match status {
        // 409: the same `_id` is there already, sent before.
        200 | 201 | 409 => Verdict::Done,
        429 => Verdict::Again(Fault::new(FaultKind::Throttled, text)),
        404 => Verdict::Again(Fault::new(FaultKind::Config, text)),
        401 | 403 => Verdict::Again(Fault::new(FaultKind::Unauthorized, text)),
        400..=499 => Verdict::Dead(text),
        _ => Verdict::Again(Fault::new(FaultKind::Unavailable, text)),
    }
}

impl Destination for Elastic {
    fn batch(&self) -> usize {
        1_000
    }

    fn is_partial(&self) -> bool {
        true
    }

    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let stream = format!("logs-{DATASET}-{}", self.namespace);
        let mut body = String::new();
        let mut refused = Vec::with_capacity(items.len());
        for item in items {
            match finding(item) {
                Ok(f) => {
                    let head = json!({ "create": { "_index": stream, "_id": revision_id(&f) } });
                    let document = ecs::document(&f, &self.sender, DATASET, &self.namespace);
                    body.push_str(&format!("{head}\n{document}\n"));
                    refused.push(None);
                }
                Err(reason) => refused.push(Some(reason)),
            }
        }
        let sent = refused.iter().filter(|r| r.is_none()).count();
        let mut answers: Vec<Verdict> = if sent == 0 {
            Vec::new()
        } else {
            let url = format!("{}/_bulk?filter_path=took,errors,items.*.status,items.*.error,items.*._id", self.url);
            match self.http.send(Method::Post, &url, "application/x-ndjson", body.as_bytes()) {
                Err(fault) => vec![Verdict::Again(fault); sent],
                Ok(reply) => match (reply.fault(), reply.json()) {
                    // A request that is refused whole says nothing of its items: one by one.
                    (Some(fault), _) if fault.kind == FaultKind::Refused && sent > 1 => {
                        vec![Verdict::Again(Fault { kind: FaultKind::TooLarge, ..fault }); sent]
                    }
                    (Some(fault), _) => vec![verdict(&fault); sent],
                    (None, Err(fault)) => vec![Verdict::Again(fault); sent],
                    (None, Ok(answer)) => match answer["items"].as_array() {
                        Some(list) if list.len() == sent => list.iter().map(of_item).collect(),
                        _ => vec![Verdict::Again(Fault::new(FaultKind::Malformed, reply.start())); sent],
                    },
                },
            }
        };
        answers.reverse();
        refused
            .into_iter()
            .map(|r| match r {
                Some(reason) => Verdict::Dead(reason),
                None => answers.pop().unwrap_or(Verdict::Again(Fault::new(FaultKind::Malformed, "too few answers"))),
            })
            .collect()
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let reply = self.http.get(&format!("{}/", self.url))?;
        if let Some(fault) = reply.fault() {
            return Err(fault);
        }
        let answer = reply.json()?;
        let version = answer["version"]["number"].as_str();
        version.map(|v| format!("cluster {}, version {v}", answer["cluster_name"].as_str().unwrap_or("?"))).ok_or_else(
            || Fault::new(FaultKind::Malformed, format!("no Elasticsearch answers there: {}", reply.start())),
        )
    }
}
