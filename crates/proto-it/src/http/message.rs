//! Heads of requests and responses, and what follows from them.

use gwcore::Limit;
use proto::{Cx, Mark, Parser};

use super::body::{BodyReader, BodySummary};
use super::fields::{Framing, basic_user, coding, framing, has_default_password, keep_uri, names, proxied};
use super::parse::{Fields, StartLine, fields, head_end, is_version, line, line_from, request_line, status_line};
use super::state::{Request, Response};
use super::{Http, Phase, Progress, head_limit};
use crate::text::keep;

/// What a head's fields are cut from, or why not.
enum Head<'a> {
    Whole(Fields<'a>, usize),
    Wait,
    TooLong(Fields<'a>),
}

impl Http {
    pub(super) fn request_head(&mut self, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        if let [b'\r' | b'\n', ..] = data {
            return Progress::Took(1);
        }
        let resumed = self.sides[0].in_fields;
        if resumed && self.waits(0, data, cx) {
            return Progress::Wait;
        }
        // Only the search for the first line's end may be taken up again: that for the head's end went past it.
        let from = if resumed { 0 } else { self.sides[0].searched };
        let Some((first, _)) = line_from(data, from) else { return self.long_line(0, data, cx) };
        let Some(StartLine::Request { method, target, version }) = request_line(first) else {
            cx.anomaly(Self::NAME, "bad_request_line", first.get(..64).unwrap_or(first));
            return Progress::Lost;
        };
        let head = if version.is_some() { self.head(0, data, cx) } else { Head::Whole(Fields::default(), first.len()) };
        let (mut fields, used) = match head {
            Head::Wait => return Progress::Wait,
            Head::Whole(fields, used) => (fields, Some(used)),
            Head::TooLong(fields) => (fields, None),
        };
        let framing = framing(&mut fields);
        self.odd(&fields, cx);
        if version.is_some_and(|v| !is_version(v)) {
            cx.anomaly(Self::NAME, "bad_request_version", first.get(..64).unwrap_or(first));
        }
        if target.contains(&b' ') {
            cx.anomaly(Self::NAME, "space_in_target", b"");
        }
        let request = request(method, target, version, &fields);
        let client = self.client.unwrap_or_default();
        self.sides[0].exchange = self.exchanges.request(request, cx, client);
        let Some(used) = used else { return self.unframed(0) };
        match framing {
            None | Some(Framing::Length(0)) => self.message_ends(0, cx),
            Some(Framing::Length(n)) => self.body_begins(0, Phase::Length(n), &fields, cx),
            Some(Framing::Chunked) => self.body_begins(0, Phase::ChunkSize, &fields, cx),
            // A request cannot end with the stream (RFC 9112 §6.3); where its body ends is not known.
            Some(Framing::Close) => return self.unframed(0),
        }
        Progress::Took(used)
    }

    pub(super) fn response_head(&mut self, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        let client = self.client.unwrap_or_default();
        let simple = self.exchanges.awaits_simple();
        if simple && !data.starts_with(b"HTTP/") && !b"HTTP/".starts_with(data) {
            self.sides[1].exchange = self.exchanges.awaiting(cx, client);
            self.body_begins(1, Phase::UntilClose, &Fields::default(), cx);
            return Progress::Took(0);
        }
        if let [b'\r' | b'\n', ..] = data {
            return Progress::Took(1);
        }
        let resumed = self.sides[1].in_fields;
        if resumed && self.waits(1, data, cx) {
            return Progress::Wait;
        }
        // Only the search for the first line's end may be taken up again: that for the head's end went past it.
        let from = if resumed { 0 } else { self.sides[1].searched };
        let Some((first, _)) = line_from(data, from) else { return self.long_line(1, data, cx) };
        let Some(StartLine::Response { version, code, reason }) = status_line(first) else {
            cx.anomaly(Self::NAME, "bad_status_line", first.get(..64).unwrap_or(first));
            return Progress::Lost;
        };
        let (mut fields, used) = match self.head(1, data, cx) {
            Head::Wait => return Progress::Wait,
            Head::Whole(fields, used) => (fields, Some(used)),
            Head::TooLong(fields) => (fields, None),
        };
        let framing = framing(&mut fields);
        self.odd(&fields, cx);
        let method = self.exchanges.awaited_method();
        let (is_head, is_connect) = (method == Some(b"HEAD"), method == Some(b"CONNECT"));
        let number = self.exchanges.awaiting(cx, client);
        self.sides[1].exchange = number;
        let mark = cx.mark();
        let Some(exchange) = self.exchanges.get(number) else { return Progress::Lost };
        let interim = (100..200).contains(&code) && code != 101;
        if interim {
            exchange.info = Some((code, keep(reason), mark));
        } else {
            exchange.response.head = Some((response(version, code, reason, &fields), mark));
        }
        self.exchanges.responses_lost = false;
        let Some(used) = used else { return self.unframed(1) };
        if interim {
            return Progress::Took(used);
        }
        let bodiless = is_head || code == 204 || code == 304;
        let switched = code == 101 || (is_connect && (200..300).contains(&code));
        self.response_body(switched, bodiless, framing, &fields, cx);
        Progress::Took(used)
    }

    /// A head of which no more will come: its whole lines count, and of its body nothing is known.
    pub(super) fn head_cut(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) {
        let lines = data.iter().rposition(|b| *b == b'\n').and_then(|end| data.get(..=end));
        let Some(lines) = lines.filter(|_| self.sides[server].phase == Phase::Head) else { return };
        (self.sides[server].searched, self.sides[server].in_fields) = (0, false);
        let head = [lines, b"\r\n"].concat();
        if server == 0 {
            self.request_head(&head, cx)
        } else {
            self.response_head(&head, cx)
        };
        self.end_body(server, false, None, cx);
    }

    /// What follows a response's head (RFC 9112 §6.3).
    fn response_body(
        &mut self,
        switched: bool,
        bodiless: bool,
        framing: Option<Framing>,
        fields: &Fields<'_>,
        cx: &mut Cx<'_>,
    ) {
        match framing {
            _ if switched => {
                self.message_ends(1, cx);
                self.tunnel = true;
            }
            _ if bodiless => self.message_ends(1, cx),
            Some(Framing::Length(0)) => self.message_ends(1, cx),
            Some(Framing::Length(n)) => self.body_begins(1, Phase::Length(n), fields, cx),
            Some(Framing::Chunked) => self.body_begins(1, Phase::ChunkSize, fields, cx),
            None | Some(Framing::Close) => self.body_begins(1, Phase::UntilClose, fields, cx),
        }
    }

    /// The fields of a head, once all of it is there or too much of it.
    fn head<'a>(&mut self, server: usize, data: &'a [u8], cx: &mut Cx<'_>) -> Head<'a> {
        if self.waits(server, data, cx) {
            return Head::Wait;
        }
        let (limit, side) = (head_limit(cx), &mut self.sides[server]);
        let end = head_end(data, side.searched);
        (side.searched, side.in_fields) = (0, false);
        let body = |to: usize| {
            let head = data.get(..to).unwrap_or(data);
            fields(line(head).and_then(|(_, next)| head.get(next..)).unwrap_or_default())
        };
        match end {
            Some(end) if end <= limit => Head::Whole(body(end), end),
            _ => {
                cx.hit(Limit::ParserBytes);
                cx.anomaly(Self::NAME, "header_too_long", b"");
                Head::TooLong(body(limit))
            }
        }
    }

    /// Whether a head with a good first line has not ended yet; what was searched is not searched again.
    fn waits(&mut self, server: usize, data: &[u8], cx: &Cx<'_>) -> bool {
        let (limit, side) = (head_limit(cx), &mut self.sides[server]);
        side.in_fields = data.len() <= limit && head_end(data, side.searched).is_none();
        if side.in_fields {
            // The empty line may have begun.
            side.searched = data.len().saturating_sub(2);
        }
        side.in_fields
    }

    /// A first line that has not ended yet.
    fn long_line(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        if data.len() <= head_limit(cx) {
            self.sides[server].searched = data.len();
            return Progress::Wait;
        }
        self.sides[server].searched = 0;
        cx.hit(Limit::ParserBytes);
        let name = if server == 0 { "bad_request_line" } else { "bad_status_line" };
        cx.anomaly(Self::NAME, name, data.get(..64).unwrap_or(data));
        Progress::Lost
    }

    /// Where the message ends cannot be known: it is over, and the next one is looked for.
    fn unframed(&mut self, server: usize) -> Progress {
        self.sides[server].phase = Phase::UntilClose;
        Progress::Lost
    }

    fn odd(&self, fields: &Fields<'_>, cx: &mut Cx<'_>) {
        for reason in &fields.odd {
            cx.anomaly(Self::NAME, reason, b"");
        }
    }

    fn body_begins(&mut self, server: usize, phase: Phase, fields: &Fields<'_>, cx: &mut Cx<'_>) {
        let side = &mut self.sides[server];
        side.phase = phase;
        side.trailer = 0;
        let reader = BodyReader::new(coding(fields), cx.limits.get(Limit::InflatedBytes), server == 1);
        side.body = Some(Box::new(reader));
    }

    /// The body under way is over, where known at `end`.
    pub(super) fn end_body(&mut self, server: usize, whole: bool, end: Option<Mark>, cx: &mut Cx<'_>) {
        let side = &mut self.sides[server];
        let started = side.phase != Phase::Head || end.is_some();
        side.phase = Phase::Head;
        (side.searched, side.in_fields) = (0, false);
        let summary = side.body.take().map_or_else(BodySummary::default, |b| b.finish(whole));
        if summary.over_limit {
            cx.hit(Limit::InflatedBytes);
        }
        if summary.bad_coding {
            cx.anomaly(Self::NAME, "bad_content_coding", b"");
        }
        let Some(exchange) = self.exchanges.get(side.exchange).filter(|_| started) else { return };
        if server == 0 {
            (exchange.request.body, exchange.request.end, exchange.request.over) = (summary, end, true);
        } else {
            (exchange.response.body, exchange.response.end, exchange.response.over) = (summary, end, true);
        }
    }
}

fn request(method: &[u8], target: &[u8], version: Option<&[u8]>, fields: &Fields<'_>) -> Request {
    let text = |name| fields.get(name).map(keep);
    let form = fields.get("content-type").unwrap_or_default();
    Request {
        method: keep(method),
        uri: keep_uri(target),
        version: keep(version.unwrap_or(b"0.9")),
        host: text("host"),
        referrer: fields.get("referer").map(keep_uri),
        user_agent: text("user-agent"),
        origin: text("origin"),
        username: fields.get("authorization").and_then(basic_user),
        has_default_password: fields.get("authorization").is_some_and(has_default_password),
        proxied: proxied(fields),
        names: names(fields),
        is_form: form.get(..33).is_some_and(|f| f.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")),
    }
}

fn response(version: &[u8], code: u16, reason: &[u8], fields: &Fields<'_>) -> Response {
    let text = |name| fields.get(name).map(keep);
    Response {
        version: keep(version),
        code,
        reason: keep(reason),
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        location: fields.get("location").map(keep_uri),
        server: text("server"),
        names: names(fields),
    }
}
