//! The table of routes: who may, what it means, what it takes. Router, roles, audit log and OpenAPI derive from it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use state::Role;

use crate::api::{
    cases, devices, findings, hunt, imports, intelligence, maintenance, models, people, response, system,
};
use crate::app::App;
use crate::call::{Call, Problem, Reply};

/// What a handler returns.
pub(crate) type Answer = Result<Reply, Problem>;
type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How a route is answered.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// Reads or writes the store: runs where it may block.
    Store(fn(&App, &Call) -> Answer),
    /// Searches, or waits.
    Later(fn(Arc<App>, Call) -> Later),
}

/// A parameter or member: name, type (`text`, `integer`, `time`, `boolean`, `texts`, `object`), whether it is needed, meaning.
pub(crate) type Param = (&'static str, &'static str, bool, &'static str);

/// A route under `/api/v1`.
pub(crate) struct Route {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Path with `{name}` for its parameters.
    pub path: &'static str,
    /// Least role; none for routes before log-in.
    pub role: Option<Role>,
    /// Kind of its ledger entry; empty for reads of no evidence.
    pub audit: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Parameters of the query.
    pub query: &'static [Param],
    /// Members of the body.
    pub body: &'static [Param],
    /// What answers.
    pub handler: Handler,
}

macro_rules! routes {
    ($($method:ident $path:literal $role:ident $audit:literal $summary:literal [$($query:expr),*] [$($body:expr),*] $how:ident $handler:path;)+) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            role: routes!(@role $role),
            audit: $audit,
            summary: $summary,
            query: &[$($query),*],
            body: &[$($body),*],
            handler: Handler::$how($handler),
        }),+]
    };
    (@role Anyone) => { None };
    (@role $role:ident) => { Some(Role::$role) };
}

const CURSOR: Param = ("cursor", "text", false, "Where the page before ended.");
const LIMIT: Param = ("limit", "integer", false, "Rows of a page.");
const FROM: Param = ("from", "time", false, "Not before.");
const TO: Param = ("to", "time", false, "Before.");
const REASON: Param = ("reason", "text", true, "Why, in your words.");
const SCOPE: Param = (
    "scope",
    "object",
    true,
    "What is covered: `detector`, `dedup_key`, `src`, `dst`, `proto`; a source, a destination or a key is needed.",
);
const ROLE: Param = ("role", "text", true, "viewer, analyst, approver or admin.");

/// Every route.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = routes! {
    GET "/setup" Anyone "" "Whether the first administrator is still to be made." [] [] Store people::needs_setup;
    POST "/setup" Anyone "user.setup" "Makes the first administrator with the one-time token that `gridwarden run` printed." []
        [("token", "text", true, "The one-time token."), ("name", "text", true, "User name."), ("password", "text", true, "Twelve characters at least.")] Store people::setup;
    POST "/login" Anyone "" "Begins a session; five failures in a row lock the user out for a minute and longer." []
        [("name", "text", true, "User name."), ("password", "text", true, "Password.")] Store people::login;
    POST "/logout" Viewer "login.ended" "Ends the session." [] [] Store people::logout;
    GET "/me" Viewer "" "Who you are and what you may do." [] [] Store people::me;
    POST "/me/password" Viewer "user.password" "Changes your password; your sessions end." []
        [("old", "text", true, "The password until now."), ("new", "text", true, "Twelve characters at least.")] Store people::password;

    GET "/overview" Viewer "" "What needs a person now, how the feeds are, and what is not seen." [] [] Store system::overview;
    GET "/findings" Viewer "" "A page of findings."
        [("status", "text", false, "open, acknowledged, closed; several with commas."), ("severity", "text", false, "At least: info, low, medium, high or critical."),
         ("detector", "text", false, "Detector."), ("assignee", "text", false, "User; `-` for nobody's."), ("device", "text", false, "Device id or address at either end."),
         ("source", "text", false, "`live`, or the name of an import."), ("text", "text", false, "Words in the document."), FROM, TO,
         ("suppressed", "boolean", false, "Also those that are kept out of the queue."), ("sort", "text", false, "`newest` (default) or `gravest`."), CURSOR, LIMIT] [] Store findings::list;
    GET "/findings/{id}" Viewer "finding.viewed" "One finding with its revisions, decisions and similar ones." [] [] Store findings::one;
    POST "/findings/triage" Analyst "finding.triage" "Decides about findings: acknowledge, assign, close, reopen or note." []
        [("ids", "texts", true, "Findings, 500 at most."), ("action", "text", true, "acknowledge, assign, close, reopen or note."), ("to", "text", false, "Of assign: user name; none takes it away."),
         ("verdict", "text", false, "Of close: true, expected, maintenance or sensor-fault."), ("reason", "text", false, "Of close and reopen."), ("text", "text", false, "Of note.")] Store findings::triage;
    POST "/findings/undo" Analyst "finding.undo" "Takes a decision back unless a later one stands on it." [] [("batch", "integer", true, "As triage answered.")] Store findings::undo;
    GET "/findings/{id}/records" Viewer "finding.records" "The records of the finding's conversations around it." [] [] Later findings::records;

    GET "/findings/{id}/packets" Viewer "finding.packets" "The packets it cites and what its parties said around them, as pcapng." [] [] Store response::packets;

    GET "/cases" Viewer "" "A page of cases, the newest first, and how many there are in each state."
        [("state", "text", false, "new, open, waiting, closed, merged; several with commas."), ("owner", "text", false, "User; `-` for nobody's."), ("text", "text", false, "Words in the case."),
         ("finding", "text", false, "A finding that is part of it."), CURSOR, LIMIT] [] Store cases::list;
    POST "/cases" Analyst "case.make" "Makes a case of findings by hand." [] [("findings", "texts", true, "Findings, 500 at most.")] Store cases::make;
    GET "/cases/{id}" Viewer "case.viewed" "One case: findings with the reason of each join, timeline, who did what to whom, techniques, runs, actions, holds." [] [] Store cases::show;
    POST "/cases/{id}/assign" Analyst "case.assign" "Gives the case to a user." [] [("owner", "text", true, "User name.")] Store cases::assign;
    POST "/cases/{id}/state" Analyst "case.state" "Moves the case between the open states, or opens it again." [] [("state", "text", true, "new, open or waiting.")] Store cases::set_state;
    POST "/cases/{id}/note" Analyst "case.note" "Adds a note to the timeline." [] [("text", "text", true, "The note.")] Store cases::note;
    POST "/cases/{id}/close" Analyst "case.close" "Closes the case with a conclusion; a person does, never a token." []
        [("conclusion", "text", true, "true-positive, benign, expected-work, false-positive or undetermined."), ("method", "text", true, "The procedure that was followed."), ("action", "text", false, "What is done further.")] Store cases::close;
    POST "/cases/{id}/determine" Analyst "case.determine" "Records what a person determined; only this makes a case an incident." []
        [("what", "text", true, "reportable, attempt, not-reportable or no-incident."), REASON] Store cases::determine;
    POST "/cases/{id}/merge" Analyst "case.merge" "Takes over all findings of another case." [] [("other", "text", true, "The case that goes into it.")] Store cases::merge;
    POST "/cases/{id}/split" Analyst "case.split" "Takes findings out into a case of their own." [] [("findings", "texts", true, "Findings of the case.")] Store cases::split;
    POST "/cases/{id}/evidence" Analyst "case.evidence" "The evidence as a tar archive that opens without us: findings, packets, records, hashes, manifest." [] [] Store cases::evidence;

    GET "/playbooks" Viewer "" "Playbooks that can be proposed, with their steps." [] [] Store response::playbooks;
    GET "/runs" Viewer "" "Runs of playbooks, newest first." [("case", "text", false, "Of this case."), ("state", "text", false, "running, waiting, done, failed, stopped; several with commas."), CURSOR, LIMIT] [] Store response::runs;
    POST "/runs" Analyst "response.propose" "Proposes a run: dry unless `live`; what changes something outside waits for approvals." []
        [("case", "text", true, "The case."), ("playbook", "text", false, "Its name; without it the one that fits."), ("live", "boolean", false, "Does it, after approvals."), ("values", "object", false, "Variables by name.")] Store response::propose;
    GET "/runs/{id}" Viewer "" "One run with its log." [] [] Store response::run;
    POST "/runs/{id}/approve" Approver "response.approve" "Approves what somebody else proposed; the control network needs two people." [] [] Store response::approve;
    POST "/runs/{id}/refuse" Approver "response.refuse" "Refuses it: the run ends." [] [REASON] Store response::refuse;
    POST "/runs/{id}/answer" Analyst "response.answer" "Answers what the run asks of people." [] [("answer", "boolean", true, "Yes or no.")] Store response::answer;
    POST "/runs/{id}/stop" Analyst "response.stop" "Stops the run; what is in force stays until its time or until it is undone." [] [REASON] Store response::stop;
    GET "/actions" Viewer "" "What was put in force, newest first, with its end." [CURSOR, LIMIT] [] Store response::actions;
    POST "/actions/{id}/undo" Analyst "response.undo" "Takes an action back before its time." [] [] Store response::undo;
    GET "/kill-switch" Viewer "" "Whether the kill switch is on, and by whom." [] [] Store response::kill_switch;
    POST "/kill-switch" Analyst "response.kill-switch" "On: stops every run and takes back everything in force. Off: an approver." [] [("on", "boolean", true, "On or off."), REASON] Store response::kill;

    GET "/destinations" Viewer "" "Where events are sent, how each does, what waits and what was refused." [] [] Store response::destinations;
    POST "/destinations/{name}/probe" Analyst "destination.probe" "Asks whether it is there and accepts us; sends nothing." [] [] Store response::probe;
    POST "/destinations/{name}/test" Analyst "destination.test" "Sends one event that says of itself that it is a test." [] [] Store response::test;
    GET "/destinations/{name}/dead" Viewer "" "Events that it refused for good, oldest first." [CURSOR, LIMIT] [] Store response::dead;
    POST "/destinations/{name}/resend" Analyst "destination.resend" "Puts refused events back into the queue: these, or all." [] [("ids", "texts", false, "Ids of events; without any all.")] Store response::resend;

    GET "/models" Viewer "" "Models with their versions, which is active, and every change of that." [] [] Store models::list;
    GET "/models/{name}/versions/{version}" Viewer "" "One version: manifest, card, what validation said." [] [] Store models::one;
    POST "/models/{name}/promote" Approver "model.promote" "Makes a version the active one; not by whoever registered it." [] [("version", "integer", true, "Its number."), REASON] Store models::promote;
    POST "/models/{name}/rollback" Approver "model.rollback" "Goes back to the version that was active before." [] [REASON] Store models::rollback;
    GET "/intelligence" Viewer "" "Sources of known-bad values, what of them is used and ends soon, and what was met." [] [] Store intelligence::overview;

    GET "/devices" Viewer "" "A page of devices." [("text", "text", false, "Text in the document."), CURSOR, LIMIT] [] Store devices::list;
    GET "/devices/{id}" Viewer "device.viewed" "One device with its findings." [] [] Store devices::one;
    PATCH "/devices/{id}" Analyst "device.described" "Sets owner, criticality and notes; an empty text takes one away." []
        [("owner", "text", false, "Who answers for it."), ("criticality", "text", false, "low, medium, high or critical."), ("notes", "text", false, "Remarks.")] Store devices::describe;
    GET "/devices/{id}/peers" Viewer "" "Whom the device talks with." [] [] Later devices::peers;
    GET "/points" Viewer "" "Points with their last value." [("server", "text", false, "Address of the device that serves them."), LIMIT] [] Later devices::points;
    GET "/points/values" Viewer "point.viewed" "Values of one point over time, commands among them."
        [("server", "text", true, "IP or MAC address."), ("proto", "text", true, "Protocol."), ("table", "text", true, "Kind of point."), ("unit", "integer", true, "Device address inside the protocol."),
         ("address", "integer", true, "Index, register or object address."), FROM, TO] [] Later devices::point_values;

    POST "/hunt" Analyst "hunt.searched" "Searches with SQL; read only." []
        [("sql", "text", true, "The statement."), ("format", "text", false, "json (default), csv, parquet or arrow."), ("limit", "integer", false, "Rows at most; 10,000 by default, 1,000,000 for files.")] Later hunt::search;
    GET "/hunt/tables" Viewer "" "Tables with their columns, and functions." [] [] Later hunt::tables;
    GET "/searches" Viewer "" "Saved searches." [] [] Store hunt::saved;
    POST "/searches" Analyst "search.saved" "Saves a search." [] [("name", "text", true, "Its name."), ("sql", "text", true, "The statement.")] Store hunt::save;
    DELETE "/searches/{id}" Analyst "search.dropped" "Forgets a saved search." [] [] Store hunt::forget;

    GET "/feeds" Viewer "" "The interfaces: newest minute, last hour, losses by cause." [] [] Store system::feeds;
    GET "/minutes" Viewer "" "What each interface saw by the minute." [FROM, TO] [] Store system::minutes;
    GET "/gaps" Viewer "" "What was not seen, newest first." [LIMIT] [] Store system::gaps;
    GET "/baseline" Viewer "" "Whether the site observes or is watched, and what the baseline is worth." [] [] Store system::baseline;
    POST "/baseline/approve" Approver "baseline.approve" "Approves what the sensor proposes as normal; what stands in a finding is left out unless it is accepted." []
        [("sha256", "text", true, "Of the proposal that was looked at; another one is refused."), ("accept", "texts", false, "Entries under suspicion that are taken in."), ("leave_out", "texts", false, "Entries that are left out.")] Store response::approve_baseline;
    GET "/system" Viewer "" "Version, folders and their sizes, limits, configuration." [] [] Store system::system;

    GET "/suppressions" Viewer "" "What is expected here and stays out of the queue." [] [] Store findings::suppressions;
    POST "/suppressions/preview" Viewer "" "What a suppression would have silenced in the last 30 days." [] [SCOPE] Store findings::preview;
    POST "/suppressions" Analyst "suppression.proposed" "Proposes a suppression; another person approves it." []
        [SCOPE, REASON, ("owner", "text", true, "Who answers for it."), ("expires", "time", true, "When it ends.")] Store findings::propose;
    POST "/suppressions/{id}/approve" Approver "suppression.approved" "Approves what somebody else proposed." [] [] Store findings::approve;
    POST "/suppressions/{id}/revoke" Analyst "suppression.revoked" "Takes a suppression back; its findings return." [] [] Store findings::revoke;

    GET "/maintenance" Viewer "" "Declared work, the latest first, with how many open findings lie inside." [CURSOR, LIMIT] [] Store maintenance::list;
    POST "/maintenance" Approver "maintenance.declared" "Declares work: what would be an alarm inside speaks one step lower, never below low." []
        [("start", "time", true, "First moment."), ("end", "time", true, "Last moment, within 31 days."), ("device", "text", false, "Address, MAC, id or name; without it all devices."), REASON] Store maintenance::declare;
    POST "/maintenance/import" Approver "maintenance.imported" "Declares the windows of a CSV file (`start,end,asset,reason`), all or none." [] [("csv", "text", true, "Text of the file.")] Store maintenance::import;
    GET "/maintenance/file" Viewer "" "The windows that hold, as a CSV file that `--maintenance` takes." [] [] Store maintenance::file;
    POST "/maintenance/{id}/withdraw" Approver "maintenance.withdrawn" "Takes a window back." [] [] Store maintenance::withdraw;
    POST "/maintenance/{id}/close" Analyst "maintenance.closed" "Closes the open findings inside as maintenance; undone like any decision." [] [] Store maintenance::close;

    GET "/imports" Viewer "" "Imported captures, newest first." [] [] Store imports::list;
    GET "/users" Viewer "" "Users." [] [] Store people::users;
    POST "/users" Admin "user.added" "Makes a user." [] [("name", "text", true, "User name."), ROLE, ("password", "text", true, "Twelve characters at least.")] Store people::add_user;
    PATCH "/users/{name}" Admin "user.changed" "Changes role, password or state of a user; his sessions end." []
        [("role", "text", false, "viewer, analyst, approver or admin."), ("password", "text", false, "Twelve characters at least."), ("disabled", "boolean", false, "Whether he may not log in.")] Store people::change_user;
    GET "/tokens" Admin "" "Tokens for programs; their secrets are not kept." [] [] Store people::tokens;
    POST "/tokens" Admin "token.added" "Makes a token; its secret is answered once." []
        [("name", "text", true, "What it is for."), ROLE, ("expires", "time", true, "When it ends.")] Store people::add_token;
    DELETE "/tokens/{id}" Admin "token.revoked" "Ends a token." [] [] Store people::revoke_token;
    GET "/audit" Viewer "audit.viewed" "The ledger, newest first."
        [("before", "integer", false, "Entry number to go on from."), ("kind", "text", false, "Beginning of the kind."), ("actor", "text", false, "Who."), LIMIT] [] Store system::audit;
    POST "/audit/verify" Viewer "audit.verified" "Recomputes the ledger's chain and names the first break." [] [] Store system::verify;
};
