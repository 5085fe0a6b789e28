//! Exchanges under way in one flow: requests wait for their responses in order, bounded in number and bytes.

use std::collections::VecDeque;
use std::net::IpAddr;

use gwcore::{Addr, Body, Limit, Span};
use proto::{Cx, Dir, Mark};

use super::body::BodySummary;
use super::fields::Texts;
use super::record::HttpRecord;
use crate::text::fact_text;

/// A request as far as it is kept.
#[derive(Debug, Default)]
pub struct Request {
    pub method: Box<[u8]>,
    pub uri: Box<[u8]>,
    pub version: Box<[u8]>,
    pub host: Option<Box<[u8]>>,
    pub referrer: Option<Box<[u8]>>,
    pub user_agent: Option<Box<[u8]>>,
    pub origin: Option<Box<[u8]>>,
    pub username: Option<Box<[u8]>>,
    /// The password of Basic authentication is one that makers ship; the password itself is not kept.
    pub has_default_password: bool,
    pub proxied: Texts,
    pub names: Texts,
    /// The body is a form.
    pub is_form: bool,
}

/// A response as far as it is kept.
#[derive(Debug, Default)]
pub struct Response {
    pub version: Box<[u8]>,
    pub code: u16,
    pub reason: Box<[u8]>,
    pub content_type: Option<Box<[u8]>>,
    pub content_encoding: Option<Box<[u8]>>,
    pub location: Option<Box<[u8]>>,
    pub server: Option<Box<[u8]>>,
    pub names: Texts,
}

/// One side of an exchange: its head, where that was, its body, where it ended.
#[derive(Debug)]
pub struct Half<T> {
    pub head: Option<(T, Mark)>,
    pub body: BodySummary,
    pub end: Option<Mark>,
    /// Nothing more of it will come.
    pub over: bool,
}

impl<T> Default for Half<T> {
    fn default() -> Self {
        Half { head: None, body: BodySummary::default(), end: None, over: false }
    }
}

/// A request and its response.
#[derive(Debug, Default)]
pub struct Exchange {
    pub request: Half<Request>,
    pub response: Half<Response>,
    pub info: Option<(u16, Box<[u8]>, Mark)>,
    bytes: usize,
}

impl Exchange {
    fn is_over(&self) -> bool {
        (self.request.head.is_none() || self.request.over) && self.response.over
    }
}

/// All exchanges of a flow that are not yet written. Numbers are consecutive: the first in the queue has number `first`.
#[derive(Debug, Default)]
pub struct Exchanges {
    queue: VecDeque<Exchange>,
    first: u64,
    bytes: usize,
    /// Responses were lost: those of requests before the next one are not waited for.
    pub responses_lost: bool,
    host: Box<[u8]>,
    user_agent: Box<[u8]>,
    server: Box<[u8]>,
}

impl Exchanges {
    /// The exchange of a number, unless it was written already.
    pub fn get(&mut self, number: u64) -> Option<&mut Exchange> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.queue.get_mut(index)
    }

    /// The exchange that the next response belongs to: the first without one, or a new one without a request.
    pub fn awaiting(&mut self, cx: &mut Cx<'_>, client: Dir) -> u64 {
        let found = self.queue.iter().position(|e| e.response.head.is_none() && !e.response.over);
        match found {
            Some(index) => self.first.saturating_add(index as u64),
            None => self.push(Exchange::default(), cx, client),
        }
    }

    /// Method of the request that the next response answers.
    pub fn awaited_method(&self) -> Option<&[u8]> {
        let exchange = self.queue.iter().find(|e| e.response.head.is_none() && !e.response.over)?;
        exchange.request.head.as_ref().map(|(r, _)| &*r.method)
    }

    /// Whether the next response answers an HTTP/0.9 request and so has no head.
    pub fn awaits_simple(&self) -> bool {
        let exchange = self.queue.iter().find(|e| e.response.head.is_none() && !e.response.over);
        exchange.and_then(|e| e.request.head.as_ref()).is_some_and(|(r, _)| &*r.version == b"0.9")
    }

    /// The client has acknowledged bytes of the server that were not seen and sends data: no answer that comes now belongs to what it asked
    /// before.
    pub fn answered_unseen(&mut self, cx: &mut Cx<'_>, client: Dir) {
        for exchange in &mut self.queue {
            exchange.response.over = true;
        }
        self.flush(cx, client, false);
    }

    /// Bytes of the server are missing while several requests wait: which of them the next answer belongs to cannot be told.
    pub fn ambiguous(&mut self) {
        let waiting = |e: &Exchange| e.response.head.is_none() && !e.response.over;
        if self.queue.iter().filter(|e| waiting(e)).count() > 1 {
            self.queue.iter_mut().filter(|e| waiting(e)).for_each(|e| e.response.over = true);
        }
    }

    /// Takes in a request; its number.
    pub fn request(&mut self, request: Request, cx: &mut Cx<'_>, client: Dir) -> u64 {
        if std::mem::take(&mut self.responses_lost) {
            for exchange in &mut self.queue {
                exchange.response.over = true;
                exchange.request.over = true;
            }
            self.flush(cx, client, false);
        }
        self.facts_of_request(&request, cx, client);
        let mut exchange = Exchange { bytes: request_bytes(&request), ..Exchange::default() };
        exchange.request.head = Some((request, cx.mark()));
        self.push(exchange, cx, client)
    }

    fn push(&mut self, exchange: Exchange, cx: &mut Cx<'_>, client: Dir) -> u64 {
        self.bytes = self.bytes.saturating_add(exchange.bytes);
        self.queue.push_back(exchange);
        while self.queue.len() > cx.limits.get(Limit::Pending).max(1)
            || (self.queue.len() > 1 && self.bytes > cx.limits.get(Limit::ParserBytes))
        {
            cx.hit(Limit::Pending);
            self.write_first(cx, client);
        }
        self.first.saturating_add(self.queue.len() as u64).saturating_sub(1)
    }

    /// Writes what is over; with `all`, the rest too.
    pub fn flush(&mut self, cx: &mut Cx<'_>, client: Dir, all: bool) {
        while self.queue.front().is_some_and(|e| all || e.is_over()) {
            self.write_first(cx, client);
        }
    }

    fn write_first(&mut self, cx: &mut Cx<'_>, client: Dir) {
        let Some(exchange) = self.queue.pop_front() else { return };
        self.first = self.first.saturating_add(1);
        self.bytes = self.bytes.saturating_sub(exchange.bytes);
        if let Some((response, mark)) = &exchange.response.head {
            self.fact_of_server(response, *mark, cx);
        }
        facts_of_login(&exchange, cx);
        write(&exchange, self.first, cx, client);
    }

    fn facts_of_request(&mut self, request: &Request, cx: &mut Cx<'_>, client: Dir) {
        let direct = request.uri.starts_with(b"/");
        if let Some(host) = request.host.as_ref().filter(|h| direct && **h != self.host) {
            let name = without_port(host);
            if !name.is_empty() && std::str::from_utf8(name).is_ok_and(|n| n.parse::<IpAddr>().is_err()) {
                let (addr, name) = (server_addr(cx, client), fact_text(name));
                cx.fact(Body::Name { addr, mac: gwcore::Mac::default(), name, source: "http" });
            }
            self.host = host.clone();
        }
        if let Some(agent) = request.user_agent.as_ref().filter(|a| **a != self.user_agent) {
            cx.fact(Body::Identity { field: "software", value: fact_text(agent), source: "http" });
            self.user_agent = agent.clone();
        }
    }

    fn fact_of_server(&mut self, response: &Response, mark: Mark, cx: &mut Cx<'_>) {
        if let Some(server) = response.server.as_ref().filter(|s| **s != self.server && !s.is_empty()) {
            cx.fact_at(mark, Body::Identity { field: "software", value: fact_text(server), source: "http" });
            self.server = server.clone();
        }
    }
}

fn request_bytes(r: &Request) -> usize {
    let options = [&r.host, &r.referrer, &r.user_agent, &r.origin, &r.username];
    let texts = options.into_iter().flatten().chain([&r.method, &r.uri, &r.version]).map(|t| t.len()).sum::<usize>();
    size_of::<Exchange>() + texts + r.names.bytes() + r.proxied.bytes()
}

fn server_addr(cx: &Cx<'_>, client: Dir) -> Addr {
    if client == Dir::Orig { cx.flow.dst } else { cx.flow.src }
}

/// A host without its port and brackets.
pub fn without_port(host: &[u8]) -> &[u8] {
    if let Some(inner) = host.strip_prefix(b"[") {
        return inner.split(|b| *b == b']').next().unwrap_or_default();
    }
    host.split(|b| *b == b':').next().unwrap_or_default()
}

/// Log-ins by Basic authentication and by forms; accepted where the status code says so.
fn facts_of_login(exchange: &Exchange, cx: &mut Cx<'_>) {
    let Some((request, mark)) = &exchange.request.head else { return };
    let code = exchange.response.head.as_ref().map(|(r, _)| r.code);
    if let Some(user) = &request.username {
        let accepted = match code {
            Some(401 | 407) => Some(false),
            Some(200..=399) => Some(true),
            _ => None,
        };
        cx.fact_at(*mark, Body::Login { proto: "http", user: fact_text(user), cleartext: true, accepted });
        if request.has_default_password && accepted != Some(false) {
            let value = fact_text(user);
            cx.fact_at(*mark, Body::Stated { proto: "http", field: "default_password", value });
        }
    }
    if let Some(user) = request.is_form.then(|| super::fields::form_user(&exchange.request.body.head)).flatten() {
        let user = fact_text(&user);
        cx.fact_at(*mark, Body::Login { proto: "http", user, cleartext: true, accepted: None });
    }
}

fn write(exchange: &Exchange, depth: u64, cx: &mut Cx<'_>, client: Dir) {
    let (request, request_mark) = split(&exchange.request.head);
    let (response, response_mark) = split(&exchange.response.head);
    let info = exchange.info.as_ref();
    let Some(mark) = request_mark.or(response_mark).or(info.map(|i| i.2)) else { return };
    // The end of a request that is known by a gap alone is told later than its answer came.
    let end = exchange.request.end.filter(|end| response_mark.is_none_or(|r| end.ts <= r.ts));
    let asked = end.or(request_mark);
    let response_time = asked.zip(response_mark).map(|(a, b)| Span(b.ts.0.saturating_sub(a.ts.0).max(0)));
    let (sent, answered) = (&exchange.request.body, &exchange.response.body);
    let (client_names, server_names) = (request.map(|r| r.names.list()), response.map(|r| r.names.list()));
    let proxied = request.map(|r| r.proxied.list()).filter(|p| !p.is_empty());
    let (orig_mime, resp_mime) = (sent.mime.map(str::as_bytes), answered.mime.map(str::as_bytes));
    cx.emit_at(
        Mark { dir: client, ..mark },
        HttpRecord {
            trans_depth: depth,
            method: request.map(|r| &*r.method),
            host: request.and_then(|r| r.host.as_deref()),
            uri: request.map(|r| &*r.uri),
            referrer: request.and_then(|r| r.referrer.as_deref()),
            version: response.map(|r| &*r.version).or(request.map(|r| &*r.version)).filter(|v| !v.is_empty()),
            user_agent: request.and_then(|r| r.user_agent.as_deref()),
            origin: request.and_then(|r| r.origin.as_deref()),
            request_body_len: sent.len,
            response_body_len: answered.len,
            status_code: response.map(|r| r.code),
            status_msg: response.map(|r| &*r.reason),
            info_code: info.map(|i| i.0),
            info_msg: info.map(|i| &*i.1),
            username: request.and_then(|r| r.username.as_deref()),
            proxied: proxied.as_deref(),
            orig_mime_types: orig_mime.as_ref().map(std::slice::from_ref),
            resp_mime_types: resp_mime.as_ref().map(std::slice::from_ref),
            content_type: response.and_then(|r| r.content_type.as_deref()),
            content_encoding: response.and_then(|r| r.content_encoding.as_deref()),
            location: response.and_then(|r| r.location.as_deref()),
            server: response.and_then(|r| r.server.as_deref()),
            resp_md5: answered.md5.as_ref().map(|h| &h[..]),
            resp_sha1: answered.sha1.as_ref().map(|h| &h[..]),
            resp_sha256: answered.sha256.as_ref().map(|h| &h[..]),
            orig_sha256: sent.sha256.as_ref().map(|h| &h[..]),
            request_frame: request_mark.map(|m| m.frame),
            request_end_frame: end.map(|m| m.frame),
            info_frame: info.map(|i| i.2.frame),
            response_frame: response_mark.map(|m| m.frame),
            response_end_frame: exchange.response.end.map(|m| m.frame),
            response_time,
            client_header_names: client_names.as_deref(),
            server_header_names: server_names.as_deref(),
        },
    );
}

fn split<T>(head: &Option<(T, Mark)>) -> (Option<&T>, Option<Mark>) {
    (head.as_ref().map(|(t, _)| t), head.as_ref().map(|(_, m)| *m))
}
