//! A webhook: one POST per event; any 2xx means that it arrived. Also as the `{"text": …}` that chat systems take.

use serde_json::json;

use crate::config::{self, Settings, Text};
use crate::dest::{Destination, case, finding, text, verdict};
use crate::event::{Kind, Sender};
use crate::http::{Http, Method};
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// Posts to one address.
pub struct Webhook {
    http: Http,
    url: String,
    format: Text,
    is_chat: bool,
    sender: Sender,
}

impl Webhook {
    /// Reads the secret.
    pub fn new(c: &config::Webhook, settings: &Settings, sender: &Sender) -> Result<Webhook, String> {
        if matches!(c.format, Text::Cef | Text::Leef) {
            return Err("a webhook takes json, ocsf or ecs".to_owned());
        }
        let secret = c.secret.as_ref().map(|s| s.read()).transpose()?;
        let headers = secret.map(|s| (c.header.clone(), s)).into_iter().collect();
        Ok(Webhook {
            http: Http::new(&settings.tls, settings.timeout, headers)?,
            url: c.url.clone(),
            format: c.format,
            is_chat: c.chat,
            sender: sender.clone(),
        })
    }

    fn body(&self, item: &Item) -> Result<String, String> {
        if self.is_chat && matches!(item.kind, Kind::Finding | Kind::Test) {
            let f = finding(item)?;
            let link = self.sender.link(&f.id).map(|l| format!("\n{l}")).unwrap_or_default();
            return Ok(json!({ "text": format!("{}: {}\n{}{link}", f.severity.name(), f.title, f.why) }).to_string());
        }
        if self.is_chat && item.kind == Kind::Case {
            let c = case(item)?;
            let last = c.timeline.iter().rev().find(|e| e.kind == "note").map_or("", |e| e.text.as_str());
            return Ok(
                json!({ "text": format!("{} case {}: {}\n{last}", c.severity.name(), c.id, c.title) }).to_string()
            );
        }
        if self.format == Text::Json {
            // The event beside its id, so that the receiver can tell doubles.
            return Ok(format!(
                "{{\"type\":{},\"id\":{},\"event\":{}}}",
                json!(item.kind.name()),
                json!(item.id),
                item.body.get()
            ));
        }
        text(item, self.format, &self.sender)
    }
}

impl Destination for Webhook {
    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let mut out: Vec<Verdict> = Vec::with_capacity(items.len());
        for item in items {
            // Nothing overtakes what failed.
            if let Some(Verdict::Again(_)) = out.last() {
                out.push(Verdict::Again(Fault::new(FaultKind::NotReached, "something before it failed")));
                continue;
            }
            out.push(match self.body(item) {
                Err(reason) => Verdict::Dead(reason),
                Ok(body) => {
                    let id = [("Idempotency-Key".to_owned(), item.id.clone())];
                    match self.http.send_with(Method::Post, &self.url, "application/json", &id, body.as_bytes()) {
                        Err(fault) => Verdict::Again(fault),
                        Ok(reply) => match reply.fault() {
                            None => Verdict::Done,
                            // There is no smaller request.
                            Some(fault) if fault.kind == FaultKind::TooLarge => Verdict::Dead(fault.text),
                            Some(fault) => verdict(&fault),
                        },
                    }
                }
            });
        }
        out
    }

    fn probe(&mut self) -> Result<String, Fault> {
        // A webhook has nothing that may be asked without an event; whether somebody listens can be told.
        let reply = self.http.get(&self.url)?;
        Ok(format!("somebody answers there (GET gives {})", reply.status))
    }
}
