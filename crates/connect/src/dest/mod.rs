//! Destinations: one file each, all behind one trait.

mod elastic;
mod file;
mod mail;
mod servicenow;
mod splunk;
mod syslog;
mod webhook;
mod xsoar;

use respond::{Case, Finding};
use serde::Serialize;

use crate::config::{Kind, Settings, Text};
use crate::event::{Kind as EventKind, Sender};
use crate::format;
use crate::queue::Item;
use crate::{Fault, Verdict};

/// A system that takes events.
pub trait Destination: Send {
    /// Items of one request at most.
    fn batch(&self) -> usize {
        1
    }

    /// Whether of one request some items may arrive and others not: such a request holds each key once, so that its order is kept.
    fn is_partial(&self) -> bool {
        false
    }

    /// Sends items in their order; one verdict for each.
    fn send(&mut self, items: &[&Item]) -> Vec<Verdict>;

    /// Asks whether the system is there and accepts us, without sending an event; a sentence for a health page.
    fn probe(&mut self) -> Result<String, Fault>;

    /// Changes made to our tickets over there since the last call; nothing where the system has none.
    fn mirror(&mut self) -> Result<Vec<Mirrored>, Fault> {
        Ok(Vec::new())
    }
}

/// What became of one of our cases in another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mirrored {
    /// Our case.
    pub case: String,
    /// Its id there.
    pub ticket: String,
    /// `new`, `open`, `waiting`, `closed`.
    pub state: String,
    /// Close reason or code there.
    pub reason: String,
    /// Notes of whoever closed it.
    pub notes: String,
    /// Who did it there, where the system says.
    pub by: String,
}

/// The destination of these settings. Fails where a secret or certificate cannot be read.
pub fn build(settings: &Settings, sender: &Sender) -> Result<Box<dyn Destination>, String> {
    Ok(match &settings.kind {
        Kind::Splunk(c) => Box::new(splunk::Splunk::new(c, settings, sender)?),
        Kind::Elastic(c) => Box::new(elastic::Elastic::new(c, settings, sender)?),
        Kind::Syslog(c) => Box::new(syslog::Syslog::new(c, settings, sender)?),
        Kind::Webhook(c) => Box::new(webhook::Webhook::new(c, settings, sender)?),
        Kind::Mail(c) => Box::new(mail::Mail::new(c, settings, sender)?),
        Kind::ServiceNow(c) => Box::new(servicenow::ServiceNow::new(c, settings, sender)?),
        Kind::Xsoar(c) => Box::new(xsoar::Xsoar::new(c, settings, sender)?),
        Kind::File(c) => Box::new(file::ToFile::new(c, sender)),
    })
}

/// The finding of an item.
fn finding(item: &Item) -> Result<Finding, String> {
    let raw = serde_json::from_str(item.body.get()).map_err(|e| format!("no JSON: {e}"))?;
    Finding::from_json(raw).map_err(|e| format!("no finding: {e}"))
}

/// The case of an item.
fn case(item: &Item) -> Result<Case, String> {
    serde_json::from_str(item.body.get()).map_err(|e| format!("no case: {e}"))
}

/// An event as one line of text.
fn text(item: &Item, form: Text, sender: &Sender) -> Result<String, String> {
    if form == Text::Json || !matches!(item.kind, EventKind::Finding | EventKind::Test) {
        return Ok(item.body.get().to_owned());
    }
    let f = finding(item)?;
    Ok(match form {
        Text::Json => item.body.get().to_owned(),
        Text::Cef => format::cef::line(&f, sender),
        Text::Leef => format::leef::line(&f, sender),
        Text::Ocsf => format::ocsf::detection(&f, sender).to_string(),
        Text::Ecs => format::ecs::document(&f, sender, "gridwarden.finding", "default").to_string(),
    })
}

/// A verdict for a fault that concerns the whole request.
fn verdict(fault: &Fault) -> Verdict {
    match fault.kind {
        crate::FaultKind::Refused => Verdict::Dead(fault.text.clone()),
        _ => Verdict::Again(fault.clone()),
    }
}

/// The same verdict for all.
fn all(items: &[&Item], fault: &Fault) -> Vec<Verdict> {
    items.iter().map(|_| verdict(fault)).collect()
}
