//! The table of routes: who may, what it means, what it takes. Router, roles, audit log and OpenAPI derive from it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use state::Role;

use crate::api::{devices, findings, hunt, imports, people, system};
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
    GET "/system" Viewer "" "Version, folders and their sizes, limits, configuration." [] [] Store system::system;

    GET "/suppressions" Viewer "" "What is expected here and stays out of the queue." [] [] Store findings::suppressions;
    POST "/suppressions/preview" Viewer "" "What a suppression would have silenced in the last 30 days." [] [SCOPE] Store findings::preview;
    POST "/suppressions" Analyst "suppression.proposed" "Proposes a suppression; another person approves it." []
        [SCOPE, REASON, ("owner", "text", true, "Who answers for it."), ("expires", "time", true, "When it ends.")] Store findings::propose;
    POST "/suppressions/{id}/approve" Approver "suppression.approved" "Approves what somebody else proposed." [] [] Store findings::approve;
    POST "/suppressions/{id}/revoke" Analyst "suppression.revoked" "Takes a suppression back; its findings return." [] [] Store findings::revoke;

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
