//! Other people's systems as far as a connector speaks to them, on loopback, with faults on order. `show/40-connectors` has the vendor's or the
//! community's own client speak to each but the webhook, so that it is not only our idea of them.

mod elastic;
mod http;
mod servicenow;
mod splunk;
mod xsoar;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

pub use http::{Request, Response};

/// What a mock does with one request, instead of answering it properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Answers properly.
    Fine,
    /// Answers with this status; `429` and `503` ask for a second's patience.
    Status(u16),
    /// Closes the connection without an answer; the request had no effect.
    Cut,
    /// Takes the request and closes the connection without an answer: the sender must send again, and the receiver has it already.
    TakeAndCut,
    /// Answers properly after so many milliseconds.
    Slow(u64),
    /// Answers 200 with a page.
    Page,
    /// Answers 200 with JSON that makes no sense here.
    Nonsense,
    /// The system's own partial failure. Elasticsearch refuses the first item of a bulk request for now; Splunk takes the first event, refuses the second
    /// for good and looks at none after it. The others answer one event a request and have none.
    Partial,
}

impl Act {
    /// From a word: `fine`, `429`, `cut`, `take-and-cut`, `slow:MS`, `page`, `nonsense`, `partial`.
    pub fn parse(word: &str) -> Option<Act> {
        Some(match word {
            "fine" => Act::Fine,
            "cut" => Act::Cut,
            "take-and-cut" => Act::TakeAndCut,
            "page" => Act::Page,
            "nonsense" => Act::Nonsense,
            "partial" => Act::Partial,
            word => match word.strip_prefix("slow:") {
                Some(ms) => Act::Slow(ms.parse().ok()?),
                None => Act::Status(word.parse().ok().filter(|s| (400..600).contains(s))?),
            },
        })
    }
}

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Splunk HTTP Event Collector; the token is [`KEY`].
    Splunk,
    /// The same, with indexer acknowledgement.
    SplunkAck,
    /// Elasticsearch; the API key is [`KEY`].
    Elastic,
    /// ServiceNow; user `gridwarden`, password [`KEY`].
    ServiceNow,
    /// Cortex XSOAR 6; the key is [`KEY`].
    Xsoar6,
    /// Cortex XSOAR 8 with an advanced key, id `7`.
    Xsoar8,
    /// A webhook; `Authorization` is [`KEY`].
    Webhook,
}

/// The credentials that every mock accepts.
pub const KEY: &str = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0";

/// What a mock has taken, and what it will do.
#[derive(Debug, Default)]
pub struct State {
    /// What it holds, in the order in which it came: events, documents, tickets.
    pub records: Vec<Value>,
    /// Acts for the next requests; empty: all fine.
    pub plan: VecDeque<Act>,
    /// Requests with their outcome: `METHOD path status`.
    pub log: Vec<String>,
    /// Counts up for ids.
    pub next: u64,
    /// Acknowledgements not yet given: id and how often it was asked for.
    pub acks: Vec<(u64, u32)>,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// A running mock; it ends when dropped.
pub struct Mock {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Mock {
    /// Starts one on a free port of loopback, or on the port given.
    pub fn start(system: System, port: u16) -> std::io::Result<Mock> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let (state, stop) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (s, e) = (state.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if e.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), s) = (stream, s.clone()) else { continue };
                // A client that goes away in the middle is the client's affair.
                std::thread::spawn(move || drop(http::serve(stream, &mut |request| answer(system, request, &s))));
            }
        });
        Ok(Mock { address, state, stop })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it holds and will do.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what it does with the next requests.
    pub fn plan(&self, acts: impl IntoIterator<Item = Act>) {
        self.state().plan = acts.into_iter().collect();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(std::net::TcpStream::connect(self.address));
    }
}

/// The answer to a request, or none where the connection is cut.
fn answer(system: System, request: &Request, state: &Mutex<State>) -> Option<Response> {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rest) = request.path.strip_prefix("/_mock/") {
        return Some(control(rest, request, &mut lock()));
    }
    let act = lock().plan.pop_front().unwrap_or(Act::Fine);
    if let Act::Slow(ms) = act {
        std::thread::sleep(Duration::from_millis(ms));
    }
    let mut guard = lock();
    let proper = |state: &mut State, act: &Act| match system {
        System::Splunk => splunk::answer(request, state, false, *act == Act::Partial),
        System::SplunkAck => splunk::answer(request, state, true, *act == Act::Partial),
        System::Elastic => elastic::answer(request, state, *act == Act::Partial),
        System::ServiceNow => servicenow::answer(request, state),
        System::Xsoar6 => xsoar::answer(request, state, false),
        System::Xsoar8 => xsoar::answer(request, state, true),
        System::Webhook => webhook(request, state),
    };
    let response = match &act {
        Act::Fine | Act::Slow(_) | Act::Partial => Some(proper(&mut guard, &act)),
        Act::Cut => None,
        Act::TakeAndCut => {
            proper(&mut guard, &act);
            None
        }
        Act::Page => Some(Response::new(200, "text/html", "<html>Your instance is hibernating</html>")),
        Act::Nonsense => Some(Response::json(200, &json!({ "hello": "world" }))),
        Act::Status(status) => {
            let mut response = Response::json(
                *status,
                &json!({ "error": { "message": "on order", "detail": "mock" }, "status": "failure" }),
            );
            if matches!(status, 429 | 503) {
                response.headers.push(("Retry-After".to_owned(), "1".to_owned()));
            }
            Some(response)
        }
    };
    let status = response.as_ref().map_or("cut".to_owned(), |r| r.status.to_string());
    guard.log.push(format!("{} {} {status}", request.method, request.path));
    response
}

/// `GET /_mock/records`, `GET /_mock/log`, `POST /_mock/plan` with words, for scripts.
fn control(what: &str, request: &Request, state: &mut State) -> Response {
    match what {
        "records" => Response::json(200, &Value::Array(state.records.clone())),
        "log" => Response::json(200, &json!(state.log)),
        "plan" => {
            let words = String::from_utf8_lossy(&request.body).into_owned();
            let acts: Option<VecDeque<Act>> =
                words.split([',', ' ', '\n']).filter(|w| !w.is_empty()).map(Act::parse).collect();
            match acts {
                Some(acts) => {
                    state.plan = acts;
                    Response::json(200, &json!({ "planned": state.plan.len() }))
                }
                None => Response::json(400, &json!({ "error": words })),
            }
        }
        _ => Response::json(404, &json!({})),
    }
}

fn webhook(request: &Request, state: &mut State) -> Response {
    if request.method == "GET" {
        return Response::new(405, "text/plain", "POST only");
    }
    if request.header("authorization") != Some(KEY) {
        return Response::new(401, "text/plain", "who are you");
    }
    match serde_json::from_slice(&request.body) {
        Ok(value) => {
            state.records.push(value);
            Response::new(204, "text/plain", "")
        }
        Err(_) => Response::new(400, "text/plain", "no JSON"),
    }
}
