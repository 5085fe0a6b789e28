//! Checks of a playbook: the shape that the official schema of CACAO 2.0 demands, references that lead somewhere, and what we can run.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::playbook::OURSELVES;
use crate::playbook::model::{Playbook, StepKind};
use crate::playbook::variables::{fits, is_name, names};

/// Steps of a playbook at most.
const STEPS: usize = 500;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path in the document.
    pub at: String,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Reads and checks a playbook; all problems at once.
pub fn check(document: &Value) -> Result<Playbook, Vec<Problem>> {
    let mut found = Vec::new();
    let mut say = |at: &str, what: String| found.push(Problem { at: at.to_owned(), what });
    for (key, wanted) in [("type", "playbook"), ("spec_version", "cacao-2.0")] {
        if document[key] != wanted {
            say(key, format!("must be `{wanted}`"));
        }
    }
    for (key, kind) in [("id", "playbook"), ("created_by", "identity"), ("workflow_start", "start")] {
        if !document[key].as_str().is_some_and(|id| is_id(id, Some(kind))) {
            say(key, format!("must be `{kind}--` and a UUID of version 1 to 5"));
        }
    }
    for key in ["created", "modified"] {
        if !document[key].as_str().is_some_and(is_time) {
            say(key, "must be an RFC 3339 time in UTC, ending in Z".to_owned());
        }
    }
    for key in ["priority", "severity", "impact"] {
        if document.get(key).is_some_and(|v| v.as_u64().is_none_or(|n| n > 100)) {
            say(key, "must be a whole number from 0 to 100".to_owned());
        }
    }
    let workflow = document["workflow"].as_object();
    match workflow {
        None => say("workflow", "is missing".to_owned()),
        Some(steps) if steps.len() < 3 || steps.len() > STEPS => say("workflow", format!("has 3 to {STEPS} steps")),
        Some(steps) => {
            for (id, step) in steps {
                let kind = step["type"].as_str().unwrap_or("");
                if !is_id(id, Some(kind)) {
                    say(&format!("workflow.{id}"), format!("the id must be `{kind}--` and a UUID of version 1 to 5"));
                }
                let has = |k: &str| step.get(k).is_some();
                if has("on_completion") && (has("on_success") || has("on_failure")) {
                    say(&format!("workflow.{id}"), "`on_completion` excludes `on_success` and `on_failure`".to_owned());
                }
                if step.get("delay").is_some_and(|d| d.as_u64().is_none_or(|d| d < 1)) {
                    say(&format!("workflow.{id}.delay"), "is at least 1 ms".to_owned());
                }
            }
        }
    }
    if !found.is_empty() {
        return Err(found);
    }
    let playbook: Playbook = match serde_path(document) {
        Ok(playbook) => playbook,
        Err(problem) => return Err(vec![problem]),
    };
    references(&playbook, &mut found);
    if found.is_empty() { Ok(playbook) } else { Err(found) }
}

fn serde_path(document: &Value) -> Result<Playbook, Problem> {
    serde_json::from_value(document.clone()).map_err(|e| Problem { at: "playbook".to_owned(), what: e.to_string() })
}

fn references(playbook: &Playbook, found: &mut Vec<Problem>) {
    let mut say = |at: String, what: String| found.push(Problem { at, what });
    let count = |kind| playbook.workflow.values().filter(|s| s.kind == kind).count();
    if count(StepKind::Start) == 0 || count(StepKind::End) == 0 {
        say("workflow".to_owned(), "needs a start and an end".to_owned());
    }
    if count(StepKind::Action) + count(StepKind::PlaybookAction) == 0 {
        say("workflow".to_owned(), "needs at least one action".to_owned());
    }
    for (name, v) in &playbook.playbook_variables {
        if !is_name(name) {
            say(format!("playbook_variables.{name}"), "is no variable's name".to_owned());
        }
        if v.value.as_ref().is_some_and(|value| !fits(&v.kind, value)) {
            say(format!("playbook_variables.{name}"), format!("the value is no {}", v.kind));
        }
    }
    for (id, step) in &playbook.workflow {
        let at = |part: &str| format!("workflow.{id}.{part}");
        let mut next: Vec<(&str, &String)> = [
            ("on_completion", &step.on_completion),
            ("on_success", &step.on_success),
            ("on_failure", &step.on_failure),
            ("on_true", &step.on_true),
            ("on_false", &step.on_false),
        ]
        .into_iter()
        .filter_map(|(k, v)| Some((k, v.as_ref()?)))
        .collect();
        next.extend(step.next_steps.iter().map(|n| ("next_steps", n)));
        next.extend(step.cases.values().map(|n| ("cases", n)));
        for (key, to) in &next {
            if !playbook.workflow.contains_key(*to) {
                say(at(key), format!("there is no step `{to}`"));
            }
        }
        let leads_on = next.iter().any(|(k, _)| matches!(*k, "on_completion" | "on_success"));
        match step.kind {
            StepKind::End if !next.is_empty() => say(at("type"), "an end leads nowhere".to_owned()),
            StepKind::End => {}
            StepKind::Start if !leads_on => say(at("on_completion"), "is missing".to_owned()),
            StepKind::Action if !leads_on => say(at("on_completion"), "is missing".to_owned()),
            StepKind::IfCondition | StepKind::WhileCondition if step.condition.is_none() || step.on_true.is_none() => {
                say(at("condition"), "a condition needs `condition` and `on_true`".to_owned());
            }
            StepKind::Parallel if step.next_steps.len() < 2 => say(at("next_steps"), "needs two branches".to_owned()),
            StepKind::SwitchCondition if step.cases.is_empty() => say(at("cases"), "is empty".to_owned()),
            _ => {}
        }
        if step.kind == StepKind::Action {
            if step.commands.is_empty() {
                say(at("commands"), "is empty".to_owned());
            }
            match &step.agent {
                Some(agent) if playbook.agent_definitions.contains_key(agent) => {}
                Some(agent) => say(at("agent"), format!("there is no agent `{agent}`")),
                None => say(at("agent"), "is missing".to_owned()),
            }
        }
        for target in &step.targets {
            if !playbook.target_definitions.contains_key(target) && !playbook.agent_definitions.contains_key(target) {
                say(at("targets"), format!("there is no target `{target}`"));
            }
        }
        for text in
            step.commands.iter().flat_map(|c| [Some(&c.command), c.content.as_ref()]).flatten().chain(&step.condition)
        {
            for name in names(text) {
                if !playbook.playbook_variables.contains_key(name) && !step.step_variables.contains_key(name) {
                    say(at("commands"), format!("there is no variable `{name}`"));
                }
            }
        }
    }
    for id in playbook.agent_definitions.keys().chain(playbook.target_definitions.keys()) {
        let kind = playbook.agent_definitions.get(id).or(playbook.target_definitions.get(id)).map(|a| a.kind.as_str());
        if !is_id(id, kind) {
            say(format!("agent_definitions.{id}"), "the id is the agent's type, `--` and a UUID".to_owned());
        }
    }
    // What cannot be reached is a mistake of whoever wrote it.
    let (mut open, mut seen) = (vec![playbook.workflow_start.as_str()], BTreeSet::new());
    open.extend(playbook.workflow_exception.as_deref());
    while let Some(id) = open.pop() {
        let Some(step) = playbook.workflow.get(id).filter(|_| seen.insert(id)) else { continue };
        open.extend(
            [&step.on_completion, &step.on_success, &step.on_failure, &step.on_true, &step.on_false]
                .into_iter()
                .flatten()
                .map(String::as_str),
        );
        open.extend(step.next_steps.iter().chain(step.cases.values()).map(String::as_str));
    }
    for id in playbook.workflow.keys().filter(|id| !seen.contains(id.as_str())) {
        say(format!("workflow.{id}"), "is never reached".to_owned());
    }
}

/// What of a playbook we do not run; such a playbook can be kept, shown and handed on, but not started.
pub fn unrunnable(playbook: &Playbook) -> Vec<Problem> {
    let mut found = Vec::new();
    for (id, step) in &playbook.workflow {
        if step.kind == StepKind::PlaybookAction {
            found.push(Problem {
                at: format!("workflow.{id}"),
                what: "playbooks inside playbooks are not run".to_owned(),
            });
        }
        for c in &step.commands {
            let runs = match c.kind.as_str() {
                "manual" => true,
                "http-api" => step.agent.as_deref() == Some(OURSELVES),
                _ => false,
            };
            if !runs {
                let what = format!(
                    "a `{}` command of agent `{}` is not run here",
                    c.kind,
                    step.agent.as_deref().unwrap_or("none")
                );
                found.push(Problem { at: format!("workflow.{id}.commands"), what });
            }
        }
    }
    found
}

/// `type--UUID` with a UUID of version 1 to 5, as the official schema has it.
pub fn is_id(id: &str, kind: Option<&str>) -> bool {
    let Some((word, uuid)) = id.split_once("--") else { return false };
    let parts: Vec<&str> = uuid.split('-').collect();
    kind.is_none_or(|k| k == word)
        && parts.len() == 5
        && [8, 4, 4, 4, 12].iter().zip(&parts).all(|(n, p)| p.len() == *n && p.bytes().all(|b| b.is_ascii_hexdigit()))
        && matches!(parts[2].as_bytes()[0], b'1'..=b'5')
        && matches!(parts[3].as_bytes()[0], b'8' | b'9' | b'a' | b'b' | b'A' | b'B')
}

fn is_time(text: &str) -> bool {
    text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') && gwcore::time::parse_rfc3339(text).is_some()
}
