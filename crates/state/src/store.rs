//! The trait that every backend of the store has, and SQLite's.

use serde_json::Value;

use crate::{
    Change, Db, DeviceRow, Filter, Gap, Login, Minute, Page, Result, Role, Scope, Search, Session, Stored, Suppression,
    Token, Triage, Upserted, User, findings, people, rules, things,
};

macro_rules! store {
    ($($(#[doc = $doc:literal])+ fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $at:path;)+) => {
        /// What the centre keeps. Times are ns UTC; `now` is the machine's clock as the caller read it.
        pub trait Store: Send + Sync {
            $($(#[doc = $doc])+ fn $name(&self, $($arg: $ty),*) -> Result<$out>;)+
        }

        impl Store for Db {
            $(fn $name(&self, $($arg: $ty),*) -> Result<$out> {
                $at(self, $($arg),*)
            })+
        }
    };
}

store! {
    /// Stores a finding's revision (a line of `alerts.ndjson`); an older or known one changes nothing. `ended`: the sensor closed it.
    fn upsert_finding(doc: &Value, ended: bool, source: &str, now: i64) -> Upserted = findings::upsert;
    /// A page of findings after `cursor`, at most `limit` (500).
    fn findings(filter: &Filter, cursor: Option<&str>, limit: usize) -> Page = findings::list;
    /// One finding.
    fn finding(id: &str) -> Option<Stored> = findings::one;
    /// Findings whose `seq` is greater, in its order, at most `limit` (500): what those who follow changes ask for.
    fn findings_since(seq: i64, limit: usize) -> Vec<Stored> = findings::since;
    /// Revisions of a finding with the time each was stored.
    fn revisions(id: &str) -> Vec<(i64, i64)> = findings::revisions;
    /// Decides about findings, all or none; returns the number by which it can be undone.
    fn triage(ids: &[String], what: &Triage, actor: &str, now: i64) -> i64 = findings::triage;
    /// Takes a decision back unless a later one stands on it; the findings it was about.
    fn undo(batch: i64, actor: &str, now: i64) -> Vec<String> = findings::undo;
    /// Every decision about a finding, oldest first.
    fn history(id: &str) -> Vec<Change> = findings::history;
    /// Findings in the queue by (severity, status).
    fn counts() -> Vec<(String, String, i64)> = findings::counts;

    /// Makes a user.
    fn add_user(name: &str, role: Role, password: &str, by: &str, now: i64) -> () = people::add;
    /// Changes what is given of a user and ends his sessions; the last admin stays one.
    fn change_user(name: &str, role: Option<Role>, password: Option<&str>, disabled: Option<bool>) -> () = people::change;
    /// All users.
    fn users() -> Vec<User> = people::list;
    /// Tries a log-in; five failures in a row lock the user out for a minute and longer.
    fn login(name: &str, password: &str, now: i64) -> Login = people::login;
    /// Who has this session.
    fn session(secret: &str, now: i64) -> Option<Session> = people::session;
    /// Ends a session.
    fn logout(secret: &str) -> () = people::logout;
    /// Makes a token: (id, secret); the secret is not kept.
    fn add_token(name: &str, role: Role, expires: i64, by: &str, now: i64) -> (String, String) = people::add_token;
    /// All tokens.
    fn tokens() -> Vec<Token> = people::tokens;
    /// Who bears this token.
    fn token(secret: &str, now: i64) -> Option<Session> = people::token;
    /// Ends a token.
    fn revoke_token(id: &str, now: i64) -> () = people::revoke_token;

    /// Stores a device (a line of `assets.ndjson`).
    fn upsert_device(doc: &Value, source: &str) -> () = things::upsert_device;
    /// Devices whose document holds `text`, by id after `cursor`, at most `limit` (1,000), and where to go on.
    fn devices(text: &str, cursor: &str, limit: usize) -> (Vec<DeviceRow>, Option<String>) = things::devices;
    /// One device.
    fn device(id: &str) -> Option<DeviceRow> = things::device;
    /// Forgets a device that turned out to be another.
    fn drop_device(id: &str) -> () = things::drop_device;
    /// Sets owner, criticality and notes where given; an empty text takes one away.
    fn describe_device(id: &str, owner: Option<&str>, criticality: Option<&str>, notes: Option<&str>) -> () = things::describe_device;
    /// Stores what an interface saw in a minute.
    fn add_minute(doc: &Value) -> () = things::add_minute;
    /// Minutes of a span, oldest first.
    fn minutes(from: i64, to: i64) -> Vec<Minute> = things::minutes;
    /// Stores a gap.
    fn add_gap(doc: &Value) -> () = things::add_gap;
    /// The newest gaps.
    fn gaps(limit: usize) -> Vec<Gap> = things::gaps;
    /// Saves a search.
    fn save_search(name: &str, sql: &str, owner: &str, now: i64) -> String = things::save_search;
    /// All saved searches.
    fn searches() -> Vec<Search> = things::searches;
    /// Forgets a saved search.
    fn drop_search(id: &str) -> () = things::drop_search;
    /// A setting.
    fn setting(key: &str) -> Option<Value> = things::setting;
    /// Sets a setting.
    fn set(key: &str, value: &Value, by: &str, now: i64) -> () = things::set;

    /// Proposes a suppression.
    fn propose_suppression(scope: &Scope, reason: &str, owner: &str, expires: i64, by: &str, now: i64) -> String = rules::propose;
    /// Approves (`true`) or takes back (`false`) a suppression; stored findings follow. How many it concerned.
    fn decide_suppression(id: &str, approve: bool, by: &str, now: i64) -> usize = rules::decide;
    /// All suppressions, newest first.
    fn suppressions() -> Vec<Suppression> = rules::list;
    /// Findings since a moment that a scope covers.
    fn covered(scope: &Scope, since: i64) -> Vec<Stored> = rules::preview;
    /// Lets go of what ended suppressions held back.
    fn expire_suppressions(now: i64) -> usize = rules::expire;
}
