//! What a record shows as objects of STIX, so that patterns can be evaluated over it.

use gwcore::{Addr, AnyRows, Body, FlowConst, FlowRef, Out, Stamp, Value};

use crate::pattern::{Observed, Seen};

/// Gives each observation of a batch in the order of its key: conversations that begin, and rows of the kinds below.
pub(crate) fn each(out: &Out, give: &mut dyn FnMut(&Stamp, &'static str, &Observed<'_>)) {
    let kinds = out.kinds();
    let mut order: Vec<(gwcore::Key, usize, usize)> = Vec::new();
    let starts = out.facts.iter().enumerate().filter(|(_, f)| matches!(f.body, Body::FlowStart));
    order.extend(starts.map(|(i, f)| (f.key, usize::MAX, i)));
    for (k, rows) in kinds.iter().enumerate() {
        if matches!(rows.kind().name, "dns" | "http" | "tls" | "ftp") {
            order.extend(rows.stamps().iter().enumerate().map(|(row, s)| (s.key, k, row)));
        }
    }
    order.sort_unstable();
    let mut seen = Observed::default();
    for (_, kind, row) in order {
        seen.clear();
        match kinds.get(kind) {
            None => {
                let Some(fact) = out.facts.get(row) else { continue };
                let Some(flow) = out.flows.get(fact.flow.index()) else { continue };
                conversation(flow, "", &mut seen);
                let stamp = Stamp {
                    key: fact.key,
                    ts: fact.ts,
                    frame: fact.frame,
                    flow: FlowRef(fact.flow.0 & !1),
                    repeat: false,
                };
                give(&stamp, "conn", &seen);
            }
            Some(rows) => {
                let Some(stamp) = rows.stamps().get(row) else { continue };
                let columns = rows.columns();
                let field = |name: &str| {
                    let place = rows.kind().fields.iter().position(|f| f.name == name)?;
                    Some(columns.get(place)?.value(row)).filter(|v| !matches!(v, Value::Null))
                };
                let flow = out.flows.get(stamp.flow.index());
                record(*rows, &field, flow, &mut seen);
                if !seen.is_empty() {
                    give(stamp, rows.kind().name, &seen);
                }
            }
        }
    }
}

fn conversation(flow: &FlowConst, service: &'static str, seen: &mut Observed<'_>) {
    for (n, addr) in [flow.src, flow.dst].into_iter().enumerate() {
        if !addr.is_none() {
            seen.push(if addr.is_v4() { "ipv4-addr" } else { "ipv6-addr" }, n as u8, "value", Seen::Addr(addr));
        }
    }
    for (n, mac) in [flow.src_mac, flow.dst_mac].into_iter().enumerate() {
        if !mac.is_none() {
            seen.push("mac-addr", n as u8, "value", Seen::Owned(mac.to_string()));
        }
    }
    let family = |a: Addr| Seen::Text(if a.is_v4() { "ipv4-addr" } else { "ipv6-addr" });
    let mut traffic = |path, value| seen.push("network-traffic", 0, path, value);
    if !flow.src.is_none() {
        traffic("src_ref.value", Seen::Addr(flow.src));
        traffic("src_ref.type", family(flow.src));
        traffic("protocols[*]", Seen::Text(if flow.src.is_v4() { "ipv4" } else { "ipv6" }));
    }
    if !flow.dst.is_none() {
        traffic("dst_ref.value", Seen::Addr(flow.dst));
        traffic("dst_ref.type", family(flow.dst));
    }
    if gwcore::common::has_ports(flow.ip_proto) {
        traffic("src_port", Seen::Int(flow.src_port.into()));
        traffic("dst_port", Seen::Int(flow.dst_port.into()));
    }
    let transport = match flow.ip_proto {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "ipv6-icmp",
        132 => "sctp",
        _ => "",
    };
    for name in [transport, service].into_iter().filter(|n| !n.is_empty()) {
        traffic("protocols[*]", Seen::Text(name));
    }
}

fn record<'a>(
    rows: &dyn AnyRows,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    flow: Option<&FlowConst>,
    seen: &mut Observed<'a>,
) {
    let kind = rows.kind().name;
    if let Some(flow) = flow {
        conversation(flow, kind, seen);
    }
    let mut add = |object, n, path, name: &str, lower: bool| match field(name) {
        Some(Value::Text(t)) if lower => {
            seen.push(object, n, path, Seen::Owned(t.trim_end_matches('.').to_lowercase()))
        }
        Some(Value::Text(t)) => seen.push(object, n, path, Seen::Text(t)),
        Some(Value::Hex(b)) => seen.push(object, n, path, Seen::Owned(b.iter().map(|b| format!("{b:02x}")).collect())),
        Some(Value::U64(v)) => seen.push(object, n, path, Seen::Int(v as i64)),
        Some(Value::Ts(t)) => seen.push(object, n, path, Seen::Time(t)),
        _ => {}
    };
    match kind {
        "dns" => {
            add("domain-name", 0, "value", "query", true);
            answers(field, seen);
        }
        "http" => {
            const TRAFFIC: &str = "network-traffic";
            add(TRAFFIC, 0, "extensions.http-request-ext.request_method", "method", false);
            add(TRAFFIC, 0, "extensions.http-request-ext.request_value", "uri", false);
            add(TRAFFIC, 0, "extensions.http-request-ext.request_version", "version", false);
            add(TRAFFIC, 0, "extensions.http-request-ext.request_header.User-Agent", "user_agent", false);
            add(TRAFFIC, 0, "extensions.http-request-ext.request_header.Host", "host", false);
            add(TRAFFIC, 0, "extensions.http-request-ext.request_header.Referer", "referrer", false);
            add("file", 0, "hashes.MD5", "resp_md5", false);
            add("file", 0, "hashes.SHA-1", "resp_sha1", false);
            add("file", 0, "hashes.SHA-256", "resp_sha256", false);
            add("file", 0, "size", "response_body_len", false);
            add("file", 1, "hashes.SHA-256", "orig_sha256", false);
            add("user-account", 0, "user_id", "username", false);
            add("user-account", 0, "account_login", "username", false);
            add("domain-name", 0, "value", "host", true);
            if let (Some(Value::Text(host)), Some(Value::Text(uri))) = (field("host"), field("uri")) {
                seen.push("url", 0, "value", Seen::Owned(format!("http://{}{uri}", host.to_lowercase())));
            }
        }
        "tls" => {
            add("domain-name", 0, "value", "server_name", true);
            add("x509-certificate", 0, "hashes.SHA-1", "cert_sha1", false);
            add("x509-certificate", 0, "serial_number", "serial", false);
            add("x509-certificate", 0, "subject", "subject", false);
            add("x509-certificate", 0, "issuer", "issuer", false);
            add("x509-certificate", 0, "validity_not_before", "not_before", false);
            add("x509-certificate", 0, "validity_not_after", "not_after", false);
            if let Some(Value::List(inner, from, to)) = field("cert_fps")
                && let (true, Value::Text(t)) = (from < to, inner.value(from))
            {
                seen.push("x509-certificate", 0, "hashes.SHA-256", Seen::Text(t));
            }
        }
        _ => {
            add("user-account", 0, "user_id", "user", false);
            add("user-account", 0, "account_login", "user", false);
        }
    }
}

fn answers<'a>(field: &dyn Fn(&str) -> Option<Value<'a>>, seen: &mut Observed<'a>) {
    let Some(Value::List(inner, from, to)) = field("answers") else { return };
    for n in from..to.min(from + 64) {
        let Value::Text(text) = inner.value(n) else { continue };
        let number = (n - from + 2) as u8;
        match text.parse::<std::net::IpAddr>().map(Addr::from) {
            Ok(addr) => {
                seen.push("domain-name", 0, "resolves_to_refs[*].value", Seen::Addr(addr));
                seen.push(if addr.is_v4() { "ipv4-addr" } else { "ipv6-addr" }, number, "value", Seen::Addr(addr));
            }
            Err(_) => {
                let name = text.trim_end_matches('.').to_lowercase();
                seen.push("domain-name", 0, "resolves_to_refs[*].value", Seen::Owned(name));
            }
        }
    }
}
