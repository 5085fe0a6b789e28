//! Splunk HTTP Event Collector: JSON envelopes, refused events by number, acknowledgement by channel (`specs/splunk.md`).

use std::time::Duration;

use respond::manifest::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::{self, Settings};
use crate::dest::{Destination, all, finding, verdict};
use crate::event::Sender;
use crate::format::cim;
use crate::http::{Http, Method, Reply};
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// Bytes of one request, about.
const REQUEST: usize = 900_000;
/// How often the acknowledgement is asked for, and how long one waits in between.
const ASKED: u32 = 60;

/// Sends to one collector.
pub struct Splunk {
    http: Http,
    url: String,
    index: Option<String>,
    sender: Sender,
    channel: Option<String>,
}

impl Splunk {
    /// Reads the token.
    pub fn new(c: &config::Splunk, settings: &Settings, sender: &Sender) -> Result<Splunk, String> {
        let mut headers = vec![("Authorization".to_owned(), format!("Splunk {}", c.token.read()?))];
        let channel = c.acknowledge.then(|| channel(&format!("{} {}", sender.host, settings.name)));
        if let Some(channel) = &channel {
            headers.push(("X-Splunk-Request-Channel".to_owned(), channel.clone()));
        }
        let url = c.url.trim_end_matches('/').to_owned();
        Ok(Splunk {
            http: Http::new(&settings.tls, settings.timeout, headers)?,
            url,
            index: c.index.clone(),
            sender: sender.clone(),
            channel,
        })
    }

    /// Sends what is ready; gives verdicts for these.
    fn post(&self, body: &str, n: usize) -> Vec<Verdict> {
        let url = format!("{}/services/collector/event", self.url);
        let reply = match self.http.send(Method::Post, &url, "application/json", body.as_bytes()) {
            Ok(reply) => reply,
            Err(fault) => return vec![Verdict::Again(fault); n],
        };
        if reply.fault().is_some() {
            return self.refused(&reply, n);
        }
        let answer = match reply.json() {
            Ok(answer) if answer.get("code").is_some() => answer,
            Ok(_) => return vec![Verdict::Again(Fault::new(FaultKind::Malformed, reply.start())); n],
            Err(fault) => return vec![Verdict::Again(fault); n],
        };
        match (&self.channel, answer.get("ackId").and_then(Value::as_u64)) {
            (None, _) => vec![Verdict::Done; n],
            (Some(_), None) => {
                let text = "no ackId in the answer: acknowledgement is not enabled for this token";
                vec![Verdict::Again(Fault::new(FaultKind::Config, text)); n]
            }
            (Some(channel), Some(id)) => match self.acknowledged(channel, id) {
                Ok(()) => vec![Verdict::Done; n],
                Err(fault) => vec![Verdict::Again(fault); n],
            },
        }
    }

    /// A 400 that names an event: those before it were taken, it itself never will be, those after it were not looked at.
    fn refused(&self, reply: &Reply, n: usize) -> Vec<Verdict> {
        let Some(mut fault) = reply.fault() else { return vec![Verdict::Done; n] };
        let answer = reply.json().unwrap_or_default();
        let code = answer.get("code").and_then(Value::as_u64);
        let at = answer.get("invalid-event-number").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        match (code, at) {
            // 7, 10, 11, 14, 16: index, channel or a switch is wrong: no event's fault.
            (Some(7 | 10 | 11 | 14 | 16), _) => {
                fault.kind = FaultKind::Config;
                vec![Verdict::Again(fault); n]
            }
            (Some(5 | 6 | 12 | 13 | 15), Some(at)) if at < n => (0..n)
                .map(|i| match i.cmp(&at) {
                    std::cmp::Ordering::Less => Verdict::Done,
                    std::cmp::Ordering::Equal => Verdict::Dead(fault.text.clone()),
                    std::cmp::Ordering::Greater => {
                        Verdict::Again(Fault::new(FaultKind::NotReached, "came after an event that was refused"))
                    }
                })
                .collect(),
            _ if n == 1 || fault.kind != FaultKind::Refused => vec![verdict(&fault); n],
            // Nobody says which event it is: one by one.
            _ => vec![Verdict::Again(Fault { kind: FaultKind::TooLarge, ..fault }); n],
        }
    }

    fn acknowledged(&self, channel: &str, id: u64) -> Result<(), Fault> {
        let url = format!("{}/services/collector/ack?channel={channel}", self.url);
        let body = json!({ "acks": [id] }).to_string();
        for n in 0..ASKED {
            let reply = self.http.send(Method::Post, &url, "application/json", body.as_bytes())?;
            if let Some(fault) = reply.fault() {
                return Err(fault);
            }
            if reply.json()?["acks"][id.to_string()].as_bool() == Some(true) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(u64::from(20 * (n + 1)).min(500)));
        }
        Err(Fault::new(FaultKind::Unavailable, "taken, but not acknowledged in time"))
    }
}

impl Destination for Splunk {
    fn batch(&self) -> usize {
        500
    }

    fn is_partial(&self) -> bool {
        true
    }

    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let mut out = Vec::with_capacity(items.len());
        let (mut body, mut n) = (String::new(), 0);
        for item in items {
            let text = match finding(item) {
                Ok(f) => cim::envelope(&f, &self.sender, self.index.as_deref()).to_string(),
                Err(reason) => {
                    if n > 0 {
                        out.extend(self.post(&body, n));
                        (body, n) = (String::new(), 0);
                    }
                    out.push(Verdict::Dead(reason));
                    continue;
                }
            };
            if n > 0 && body.len() + text.len() > REQUEST {
                out.extend(self.post(&body, n));
                (body, n) = (String::new(), 0);
                // After a failure nothing overtakes.
                if let Some(Verdict::Again(fault)) = out.last() {
                    let fault = Fault::new(FaultKind::NotReached, fault.text.clone());
                    let rest: Vec<&Item> = items[out.len()..].to_vec();
                    out.extend(all(&rest, &fault));
                    return out;
                }
            }
            body.push_str(&text);
            body.push('\n');
            n += 1;
        }
        if n > 0 {
            out.extend(self.post(&body, n));
        }
        out
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let reply = self.http.get(&format!("{}/services/collector/health", self.url))?;
        match reply.fault() {
            Some(fault) => Err(fault),
            None => Ok(reply.start()),
        }
    }
}

/// A channel of this installation and destination, as a UUID (version 8, RFC 9562: of our own making, the same after a restart).
fn channel(name: &str) -> String {
    let hash = hex(&Sha256::digest(name.as_bytes()));
    format!("{}-{}-8{}-8{}-{}", &hash[..8], &hash[8..12], &hash[12..15], &hash[15..18], &hash[18..30])
}
