//! `/metrics`: OpenMetrics 1.0, or the classic text format where that is asked for.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use state::Store;

use crate::app::App;
use crate::call::Problem;
use crate::http::{identify, problem};

/// Interfaces that are shown by name; the rest is `other`.
const INTERFACES: usize = 32;

struct Text {
    out: String,
    open: bool,
}

impl Text {
    fn family(&mut self, name: &str, ty: &str, help: &str) {
        let shown = if self.open || ty != "counter" { name.to_owned() } else { format!("{name}_total") };
        let ty = if !self.open && ty == "info" { "gauge" } else { ty };
        let shown = if !self.open && ty == "gauge" && name == "gridwarden_build" {
            "gridwarden_build_info".to_owned()
        } else {
            shown
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "# TYPE {shown} {ty}\n# HELP {shown} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let escape = |v: &str| v.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{name}{labels} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(&format!("{name}_total"), &[], value as f64);
    }
}

/// `GET /metrics`: from this machine without a token.
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let open =
        headers.get(ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("application/openmetrics-text"));
    let done = tokio::task::spawn_blocking(move || {
        if !from.ip().is_loopback() {
            identify(&app, &Method::GET, &headers)?;
        }
        text(&app, open)
    })
    .await;
    match done {
        Ok(Ok(text)) => {
            let ty = if open {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            } else {
                "text/plain; version=0.0.4; charset=utf-8"
            };
            ([(CONTENT_TYPE, ty)], text).into_response()
        }
        Ok(Err(e)) => problem(&e),
        Err(e) => problem(&Problem::bad(e.to_string())),
    }
}

fn text(app: &App, open: bool) -> Result<String, Problem> {
    let mut t = Text { out: String::new(), open };
    let c = &app.counters;
    let get = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
    t.family("gridwarden_build", "info", "Version of the centre.");
    t.sample("gridwarden_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    t.counter("gridwarden_console_requests", "Requests to the console.", get(&c.requests));
    t.counter("gridwarden_console_refused", "Requests refused for want of a role.", get(&c.refused));
    t.counter("gridwarden_sensor_messages", "Messages taken from the sensor.", get(&c.messages));
    t.counter(
        "gridwarden_sensor_messages_refused",
        "Messages of the sensor that could not be stored.",
        get(&c.bad_messages),
    );
    t.counter("gridwarden_searches", "Searches begun.", get(&c.searches));
    t.counter("gridwarden_searches_failed", "Searches that failed.", get(&c.searches_failed));
    t.counter("gridwarden_findings_opened", "Live findings stored for the first time.", get(&c.findings_new));
    t.family(
        "gridwarden_finding_delay_seconds",
        "counter",
        "Seconds from the packet that sufficed to the stored finding, summed over live findings.",
    );
    t.sample("gridwarden_finding_delay_seconds_total", &[], get(&c.delay) as f64 / 1e9);
    t.family("gridwarden_findings", "gauge", "Stored findings outside suppressions.");
    for (severity, status, n) in app.db.counts()? {
        t.sample("gridwarden_findings", &[("severity", &severity), ("status", &status)], n as f64);
    }
    let sums: Vec<(String, i64, i64, i64)> = app.db.read(|c| {
        let mut s = c.prepare(
            "SELECT interface, sum(packets), sum(bytes), sum(dropped) FROM minute GROUP BY 1 ORDER BY 2 DESC",
        )?;
        let rows = s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })?;
    let names =
        [("packets", "Packets received."), ("bytes", "Bytes received."), ("dropped", "Packets dropped, all causes.")];
    for (at, (name, help)) in names.iter().enumerate() {
        let family = format!("gridwarden_capture_{name}");
        t.family(&family, "counter", help);
        let mut other = 0;
        for (n, (interface, packets, bytes, dropped)) in sums.iter().enumerate() {
            let value = [packets, bytes, dropped][at];
            if n < INTERFACES {
                t.sample(&format!("{family}_total"), &[("interface", interface)], *value as f64);
            } else {
                other += value;
            }
        }
        if other > 0 {
            t.sample(&format!("{family}_total"), &[("interface", "other")], other as f64);
        }
    }
    if open {
        t.out.push_str("# EOF\n");
    }
    Ok(t.out)
}
