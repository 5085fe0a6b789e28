//! A model of another program is first run in a process of its own, with little memory and little time: whatever it does, it does it there.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use ::models::{Form, Schema, Scorer};
use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Memory of the worker, in KiB (`ulimit -v`).
const MEMORY: u64 = 2 << 20;
/// Processor time of the worker, in seconds (`ulimit -t`), and the time it may take altogether.
const SECONDS: u64 = 30;

/// What the worker is to check.
#[derive(Serialize, Deserialize)]
struct Ask {
    form: Form,
    schema: Schema,
    /// Bytes of the model that follow.
    bytes: usize,
}

/// What it found: the names of the features, or what is wrong.
#[derive(Serialize, Deserialize)]
struct Answer {
    features: Vec<String>,
    error: Option<String>,
}

/// Opens a model in a worker and runs its golden samples there. The names of its features.
pub fn check(form: Form, model: &[u8], schema: &Schema) -> anyhow::Result<Vec<String>> {
    let own = std::env::current_exe().context("cannot find this program to start a worker")?;
    let limits = format!("ulimit -v {MEMORY} && ulimit -t {SECONDS} && exec \"$0\" model-worker");
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(limits)
        .arg(&own)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a worker")?;
    let ask = serde_json::to_vec(&Ask { form, schema: schema.clone(), bytes: model.len() })?;
    let (mut to, mut from) = (child.stdin.take(), child.stdout.take());
    let model = model.to_vec();
    let writer = std::thread::spawn(move || {
        let Some(to) = &mut to else { return };
        // A worker that died has closed the pipe; its end says so.
        let _ = to
            .write_all(&(ask.len() as u64).to_le_bytes())
            .and_then(|()| to.write_all(&ask))
            .and_then(|()| to.write_all(&model));
    });
    let reader = std::thread::spawn(move || {
        let mut answer = Vec::new();
        // No answer is longer: a feature's name has a thousand bytes at most.
        let read = from.as_mut().map(|f| f.take(256 << 20).read_to_end(&mut answer));
        read.and_then(Result::ok).map(|_| answer)
    });
    let mut status = None;
    for _ in 0..SECONDS * 2 * 20 {
        status = child.try_wait().context("cannot wait for the worker")?;
        if status.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
        anyhow::bail!("it took longer than {} s and was ended (deadline)", SECONDS * 2);
    }
    let _ = writer.join();
    let answer = reader.join().ok().flatten().unwrap_or_default();
    let answer: Answer = serde_json::from_slice(&answer).ok().with_context(|| {
        format!(
            "its worker ended without an answer: more than {} MiB of memory or {SECONDS} s of a processor",
            MEMORY >> 10
        )
    })?;
    match answer.error {
        Some(e) => anyhow::bail!("{e}"),
        None => Ok(answer.features),
    }
}

/// The worker itself.
pub fn serve() -> anyhow::Result<u8> {
    let mut input = std::io::stdin().lock();
    let mut length = [0u8; 8];
    input.read_exact(&mut length)?;
    let mut ask = Vec::new();
    (&mut input).take(u64::from_le_bytes(length).min(256 << 20)).read_to_end(&mut ask)?;
    let ask: Ask = serde_json::from_slice(&ask)?;
    let mut model = Vec::new();
    input.take(ask.bytes as u64).read_to_end(&mut model)?;
    let answer = match Scorer::open(ask.form, &model, &ask.schema) {
        Ok(s) => Answer { features: s.features, error: None },
        Err(e) => Answer { features: Vec::new(), error: Some(e.to_string()) },
    };
    std::io::stdout().lock().write_all(&serde_json::to_vec(&answer)?)?;
    Ok(0)
}
