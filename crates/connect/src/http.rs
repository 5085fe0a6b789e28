//! HTTP for connectors: one client per destination, no redirect, no proxy of the environment, bounded answers, faults sorted by what helps.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig, TlsProvider};

use crate::tls::Tls;
use crate::{Fault, FaultKind};

/// Bytes of an answer that are read.
const ANSWER: u64 = 8 << 20;
/// Longest time for which a receiver may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A client of one destination.
pub struct Http {
    agent: ureq::Agent,
    headers: Vec<(String, String)>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Body, at most 8 MiB.
    pub body: Vec<u8>,
    /// How long the receiver asks us to wait.
    pub wait: Option<Duration>,
    /// Content type in lower case, empty where there is none.
    pub content_type: String,
}

impl Reply {
    /// The body as JSON; a fault where it is none.
    pub fn json(&self) -> Result<serde_json::Value, Fault> {
        serde_json::from_slice(&self.body).map_err(|e| {
            Fault::new(
                FaultKind::Malformed,
                format!("status {} with a body that is no JSON ({e}): {}", self.status, self.start()),
            )
        })
    }

    /// The start of the body as text.
    pub fn start(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        clean.trim().to_owned()
    }

    /// None for 2xx, else what the status means.
    pub fn fault(&self) -> Option<Fault> {
        let kind = match self.status {
            200..=299 => return None,
            401 | 403 | 407 => FaultKind::Unauthorized,
            404 | 405 | 410 | 300..=399 => FaultKind::Config,
            408 | 425 | 429 => FaultKind::Throttled,
            413 => FaultKind::TooLarge,
            500..=599 => FaultKind::Unavailable,
            _ => FaultKind::Refused,
        };
        Some(Fault { kind, text: format!("status {}: {}", self.status, self.start()), wait: self.wait })
    }
}

impl Http {
    /// A client that sends these headers with every request.
    pub fn new(tls: &Tls, timeout: Duration, headers: Vec<(String, String)>) -> Result<Http, String> {
        let roots = tls.authorities()?.iter().map(|c| Certificate::from_der(c).to_owned()).collect();
        let client = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                let read = |p: &std::path::Path| std::fs::read(p).map_err(|e| format!("`{}`: {e}", p.display()));
                let chain = crate::tls::certificates(certificate)?
                    .iter()
                    .map(|c| Certificate::from_der(c).to_owned())
                    .collect::<Vec<_>>();
                let key = ureq::tls::PrivateKey::from_pem(&read(key)?).map_err(|e| e.to_string())?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
            _ => None,
        };
        let config = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(client)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(config)
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("Gridwarden/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Http { agent, headers })
    }

    /// GET.
    pub fn get(&self, url: &str) -> Result<Reply, Fault> {
        let mut request = self.agent.get(url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        reply(request.call())
    }

    /// POST, PUT or PATCH with a body.
    pub fn send(&self, method: Method, url: &str, content_type: &str, body: &[u8]) -> Result<Reply, Fault> {
        self.send_with(method, url, content_type, &[], body)
    }

    /// The same with headers of this request alone.
    pub fn send_with(
        &self,
        method: Method,
        url: &str,
        content_type: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Reply, Fault> {
        let mut request = match method {
            Method::Post => self.agent.post(url),
            Method::Put => self.agent.put(url),
            Method::Patch => self.agent.patch(url),
        };
        for (name, value) in self.headers.iter().chain(headers) {
            request = request.header(name, value);
        }
        reply(request.header("Content-Type", content_type).send(body))
    }
}

/// Methods with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

fn reply(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Reply, Fault> {
    let mut response = result.map_err(|e| failure(&e))?;
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let wait = header("retry-after").trim().parse().ok().map(|s| Duration::from_secs(s).min(LONGEST_WAIT));
    let content_type = header("content-type").to_lowercase();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER).read_to_vec().map_err(|e| failure(&e))?;
    Ok(Reply { status, body, wait, content_type })
}

fn failure(e: &ureq::Error) -> Fault {
    let kind = match e {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => FaultKind::Config,
        ureq::Error::BodyExceedsLimit(_) => FaultKind::Malformed,
        _ => FaultKind::Unavailable,
    };
    Fault::new(kind, e.to_string())
}
