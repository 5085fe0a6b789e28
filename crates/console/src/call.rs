//! A request as handlers see it, and what they answer.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use state::{Role, Session};

/// A request: who asks, for what.
pub(crate) struct Call {
    /// Who; of routes without a role an empty actor with the least rights.
    pub who: Session,
    /// Secret of the session, where there is one.
    pub secret: Option<String>,
    /// Parameters of the path.
    pub path: HashMap<String, String>,
    /// Parameters of the query.
    pub query: HashMap<String, String>,
    /// Body; null where there is none.
    pub body: Value,
    /// The moment (ns UTC).
    pub now: i64,
}

impl Call {
    /// A parameter of the path.
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query, if it is there and not empty.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A number of the query.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.asked(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Problem::bad(format!("`{name}` is no number: `{}`", short(text))))
    }

    /// A time of the query: RFC 3339, or ns since 1970.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.asked(name) else { return Ok(None) };
        let ts = gwcore::time::parse_rfc3339(text).map(|t| t.0).or_else(|| text.parse().ok());
        ts.map(Some).ok_or_else(|| Problem::bad(format!("`{name}` is no time (RFC 3339): `{}`", short(text))))
    }

    /// The body as a type.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.body.is_object() {
            return Err(Problem::bad("the body must be a JSON object"));
        }
        serde_json::from_value(self.body.clone()).map_err(|e| Problem::bad(format!("the body does not fit: {e}")))
    }

    /// Whether the asker may do what needs a role.
    pub fn may(&self, role: Role) -> bool {
        self.who.role >= role
    }
}

/// The beginning of a text that somebody sent.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// An answer.
pub(crate) enum Reply {
    /// 200 with JSON.
    Json(Value),
    /// 200 with bytes to keep: type, file name, bytes.
    File(&'static str, String, Vec<u8>),
    /// 200 with JSON, and a session begins.
    Login(Value, String),
    /// 200 with JSON, and the session ends.
    Logout(Value),
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        Reply::Json(value)
    }
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub text: String,
}

impl Problem {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Problem {
        Problem { status, text: text.into() }
    }

    pub fn bad(text: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, text)
    }

    pub fn missing(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    pub fn json(&self) -> Value {
        json!({ "error": self.text })
    }
}

impl From<state::Error> for Problem {
    fn from(e: state::Error) -> Self {
        let status = match &e {
            state::Error::Refused(_) => StatusCode::BAD_REQUEST,
            state::Error::Missing(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, e.to_string())
    }
}

impl From<ledger::Error> for Problem {
    fn from(e: ledger::Error) -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
    }
}

impl From<query::Error> for Problem {
    fn from(e: query::Error) -> Self {
        let status = match &e {
            query::Error::Sql(_) => StatusCode::BAD_REQUEST,
            query::Error::Memory { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            query::Error::Data(_) => StatusCode::UNPROCESSABLE_ENTITY,
            query::Error::Output(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, e.to_string())
    }
}
