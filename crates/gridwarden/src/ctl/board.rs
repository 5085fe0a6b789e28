//! What the sensor told last, for whoever asks the centre.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Shared between the thread that hears the sensor and those that are asked.
#[derive(Clone)]
pub struct Board(Arc<(Mutex<Told>, Condvar)>);

struct Told {
    began: Instant,
    heard: Option<Instant>,
    state: Value,
    starts: u64,
    findings: u64,
    problems: u64,
    last_problem: Option<String>,
    /// The answer to the last reload, by its number.
    reloaded: Option<Value>,
    /// The source is over: nothing more is to be heard.
    over: bool,
}

impl Default for Board {
    fn default() -> Board {
        let told = Told {
            began: Instant::now(),
            heard: None,
            state: Value::Null,
            starts: 0,
            findings: 0,
            problems: 0,
            last_problem: None,
            reloaded: None,
            over: false,
        };
        Board(Arc::new((Mutex::new(told), Condvar::new())))
    }
}

impl Board {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a message.
    pub fn see(&self, message: &Value) {
        let mut told = self.told();
        told.heard = Some(Instant::now());
        match message.get("type").and_then(Value::as_str) {
            Some("state") => told.state = message.clone(),
            Some("started") => told.starts += 1,
            Some("ended") => told.over = true,
            Some("finding") if message["change"] == "opened" => told.findings += 1,
            Some("problem") => {
                told.problems += 1;
                told.last_problem = message["what"].as_str().map(str::to_owned);
            }
            Some("reloaded") => {
                told.reloaded = Some(message.clone());
                self.0.1.notify_all();
            }
            _ => {}
        }
    }

    /// Whether a sensor is at work.
    pub fn is_watching(&self) -> bool {
        self.told().starts > 0
    }

    /// Whether the sensor spoke within this time, or has nothing more to say.
    pub fn is_alive(&self, within: Duration) -> bool {
        let told = self.told();
        told.over || told.heard.unwrap_or(told.began).elapsed() < within
    }

    /// Waits for the answer to a reload.
    pub fn reloaded(&self, number: u64, patience: Duration) -> Option<Value> {
        let began = Instant::now();
        let mut told = self.told();
        loop {
            if let Some(answer) = told.reloaded.take_if(|a| a["number"] == json!(number)) {
                return Some(answer);
            }
            let left = patience.checked_sub(began.elapsed())?;
            told = self.0.1.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// As JSON.
    pub fn stats(&self) -> Value {
        let told = self.told();
        json!({
            "version": env!("CARGO_PKG_VERSION"), "up_seconds": told.began.elapsed().as_secs(), "sensor_starts": told.starts,
            "silent_seconds": told.heard.map(|h| h.elapsed().as_secs()), "sensor": told.state, "findings": told.findings,
            "problems": told.problems, "last_problem": told.last_problem,
        })
    }
}
