//! Log-in, users, tokens.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Login, Role, Store};

use crate::app::{App, lock};
use crate::call::{Call, Problem, Reply, short};
use crate::routes::Answer;

pub(crate) fn needs_setup(app: &App, _: &Call) -> Answer {
    Ok(json!({ "needed": app.setup_token().is_some() }).into())
}

#[derive(Deserialize)]
struct Setup {
    token: String,
    name: String,
    password: String,
}

pub(crate) fn setup(app: &App, call: &Call) -> Answer {
    let setup: Setup = call.body()?;
    if !app.is_setup_token(&setup.token) {
        app.record("login.failed", "setup", &json!({ "why": "set-up token" }))?;
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "this is not the one-time token, or it has been used"));
    }
    app.db.add_user(&setup.name, Role::Admin, &setup.password, "setup", call.now)?;
    app.end_setup();
    begin(app, &setup.name, &setup.password, call.now)
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

pub(crate) fn login(app: &App, call: &Call) -> Answer {
    let given: Credentials = call.body()?;
    begin(app, &given.name, &given.password, call.now)
}

fn begin(app: &App, name: &str, password: &str, now: i64) -> Answer {
    let turn = lock(&app.hashing);
    let came = app.db.login(name, password, now)?;
    drop(turn);
    match came {
        Login::Ok(secret) => {
            app.record("login.ok", name, &json!({}))?;
            let who = app.db.session(&secret, now)?.ok_or_else(|| Problem::missing("session"))?;
            Ok(Reply::Login(json!({ "name": who.actor, "role": who.role }), secret))
        }
        Login::Wrong => {
            app.record("login.failed", &short(name), &json!({}))?;
            Err(Problem::new(StatusCode::UNAUTHORIZED, "name or password is wrong"))
        }
        Login::Locked(until) => {
            app.record("login.locked", &short(name), &json!({ "until": gwcore::Ts(until).to_string() }))?;
            let seconds = (until - now) / 1_000_000_000 + 1;
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many failures: locked out for {seconds} s")))
        }
    }
}

pub(crate) fn logout(app: &App, call: &Call) -> Answer {
    if let Some(secret) = &call.secret {
        app.db.logout(secret)?;
    }
    Ok(Reply::Logout(json!({})))
}

pub(crate) fn me(_: &App, call: &Call) -> Answer {
    Ok(json!({ "name": call.who.actor, "role": call.who.role, "expires": call.who.expires }).into())
}

#[derive(Deserialize)]
struct Passwords {
    old: String,
    new: String,
}

pub(crate) fn password(app: &App, call: &Call) -> Answer {
    let given: Passwords = call.body()?;
    match app.db.login(&call.who.actor, &given.old, call.now)? {
        Login::Ok(_) => {}
        _ => return Err(Problem::new(StatusCode::FORBIDDEN, "the old password is wrong")),
    }
    app.db.change_user(&call.who.actor, None, Some(&given.new), None)?;
    Ok(Reply::Logout(json!({})))
}

fn role(word: &str) -> Result<Role, Problem> {
    Role::of(word)
        .ok_or_else(|| Problem::bad(format!("`{}` is no role: viewer, analyst, approver or admin", short(word))))
}

pub(crate) fn users(app: &App, _: &Call) -> Answer {
    Ok(json!({ "items": app.db.users()? }).into())
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    role: String,
    password: String,
}

pub(crate) fn add_user(app: &App, call: &Call) -> Answer {
    let new: NewUser = call.body()?;
    app.db.add_user(&new.name, role(&new.role)?, &new.password, &call.who.actor, call.now)?;
    Ok(json!({}).into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChange {
    role: Option<String>,
    password: Option<String>,
    disabled: Option<bool>,
}

pub(crate) fn change_user(app: &App, call: &Call) -> Answer {
    let change: UserChange = call.body()?;
    let role = change.role.as_deref().map(role).transpose()?;
    app.db.change_user(call.part("name"), role, change.password.as_deref(), change.disabled)?;
    Ok(json!({}).into())
}

pub(crate) fn tokens(app: &App, _: &Call) -> Answer {
    Ok(json!({ "items": app.db.tokens()? }).into())
}

#[derive(Deserialize)]
struct NewToken {
    name: String,
    role: String,
    expires: Value,
}

pub(crate) fn add_token(app: &App, call: &Call) -> Answer {
    let new: NewToken = call.body()?;
    let expires = match &new.expires {
        Value::String(text) => gwcore::time::parse_rfc3339(text).map(|t| t.0),
        other => other.as_i64(),
    };
    let expires =
        expires.filter(|e| *e > call.now).ok_or_else(|| Problem::bad("`expires` is no time to come (RFC 3339)"))?;
    let (id, secret) = app.db.add_token(&new.name, role(&new.role)?, expires, &call.who.actor, call.now)?;
    Ok(json!({ "id": id, "secret": secret }).into())
}

pub(crate) fn revoke_token(app: &App, call: &Call) -> Answer {
    app.db.revoke_token(call.part("id"), call.now)?;
    Ok(json!({}).into())
}
