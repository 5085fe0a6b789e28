//! The router: from a request to its route, with the checks that all share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST,
    HeaderName, HeaderValue, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use serde_json::{Value, json};
use state::{Role, Session, Store};

use crate::api::imports;
use crate::app::App;
use crate::call::{Call, Problem, Reply};
use crate::routes::{Handler, ROUTES, Route};
use crate::{metrics, openapi, sse, ui};

/// Largest body of a request (imports apart).
const BODY: usize = 1 << 20;
/// A sensor that said nothing for so long (ns) is not ready; it tells its state every other second.
const SILENT: i64 = 30 * 1_000_000_000;
const SESSION_COOKIE: &str = "gridwarden";
/// A browser sends this only from our own pages: others may not set it across sites.
const OURS: HeaderName = HeaderName::from_static("x-gridwarden");
/// No script but ours, nothing from elsewhere, in no frame.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Everything that is answered.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut by_path: Vec<(&'static str, MethodRouter<Arc<App>>)> = Vec::new();
    for route in ROUTES {
        let filter = match route.method {
            "GET" => MethodFilter::GET,
            "POST" => MethodFilter::POST,
            "PATCH" => MethodFilter::PATCH,
            _ => MethodFilter::DELETE,
        };
        let service = on(
            filter,
            move |State(app): State<Arc<App>>,
                  path: Path<HashMap<String, String>>,
                  query: Result<Query<HashMap<String, String>>, axum::extract::rejection::QueryRejection>,
                  headers: HeaderMap,
                  body: Bytes| async move {
                let query = query.map(|q| q.0).map_err(|e| Problem::bad(e.body_text()));
                answer(app, route, path.0, query, &headers, &body).await
            },
        );
        match by_path.iter().position(|(p, _)| *p == route.path) {
            Some(at) => {
                let (path, known) = by_path.swap_remove(at);
                by_path.push((path, known.merge(service)));
            }
            None => by_path.push((route.path, service)),
        }
    }
    let mut api = Router::new();
    for (path, service) in by_path {
        api = api.route(path, service);
    }
    let api = api
        .layer(DefaultBodyLimit::max(BODY))
        .route("/events", get(sse::events))
        .route("/imports", axum::routing::post(imports::upload).layer(DefaultBodyLimit::disable()))
        .route("/openapi.json", get(async || axum::Json(openapi::document())))
        .fallback(async || problem(&Problem::missing("such resource")))
        .method_not_allowed_fallback(not_allowed);
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics))
        .fallback(ui::file)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), shared))
        .with_state(app)
}

async fn not_allowed(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches("/api/v1").to_owned();
    let same = |r: &&Route| {
        let (a, b): (Vec<&str>, Vec<&str>) = (r.path.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let allowed: Vec<&str> = ROUTES.iter().filter(same).map(|r| r.method).collect();
    let mut response = problem(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this resource knows no such method"));
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// What holds for every request: the name it came by, headers of every answer.
async fn shared(
    State(app): State<Arc<App>>,
    ConnectInfo(_): ConnectInfo<SocketAddr>,
    request: Request<Body>,
    next: Next,
) -> Response {
    App::count(&app.counters.requests);
    // A page elsewhere may have its own name resolve to 127.0.0.1 (DNS rebinding).
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(n, port)| if port.ends_with(']') { host } else { n });
    let is_own = ["localhost", "127.0.0.1", "[::1]"].contains(&name) || name == app.address.ip().to_string();
    let mut response = if is_own {
        next.run(request).await
    } else {
        problem(&Problem::new(StatusCode::MISDIRECTED_REQUEST, "the console answers to `localhost` only"))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Ready while the state answers and, beside a platform, the sensor speaks.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let heard = app.heard.load(std::sync::atomic::Ordering::Relaxed);
    if heard != 0 && ledger::now().0 - heard > SILENT {
        return (StatusCode::SERVICE_UNAVAILABLE, "the sensor is silent\n").into_response();
    }
    match tokio::task::spawn_blocking(move || app.db.counts().map(|_| ())).await {
        Ok(Ok(())) => "ready\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the state database does not answer\n").into_response(),
    }
}

/// Who asks: the bearer of a token, or of a session's cookie. The secret is the session's.
pub(crate) fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<(Session, Option<String>), Problem> {
    let now = ledger::now().0;
    let refused = || Problem::new(StatusCode::UNAUTHORIZED, "log in first");
    if let Some(given) = headers.get(AUTHORIZATION) {
        let token = given.to_str().ok().and_then(|t| t.strip_prefix("Bearer ")).ok_or_else(refused)?;
        let session = app.db.token(token.trim(), now)?.ok_or_else(refused)?;
        return Ok((session, None));
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|c| c.to_str().ok()).flat_map(|c| c.split(';'));
    let secret = cookies
        .filter_map(|c| c.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.to_owned())
        .ok_or_else(refused)?;
    if *method != Method::GET && !headers.contains_key(OURS) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a change by a session needs the header `x-gridwarden`"));
    }
    let session = app.db.session(&secret, now)?.ok_or_else(refused)?;
    Ok((session, Some(secret)))
}

/// Whether somebody has the role that is needed.
pub(crate) fn permit(who: &Session, role: Role) -> Result<(), Problem> {
    if who.role >= role {
        return Ok(());
    }
    let text = format!("this needs the role {}, yours is {}", role.name(), who.role.name());
    Err(Problem::new(StatusCode::FORBIDDEN, text))
}

async fn answer(
    app: Arc<App>,
    route: &'static Route,
    path: HashMap<String, String>,
    query: Result<HashMap<String, String>, Problem>,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let (headers, body) = (headers.clone(), body.to_vec());
    let result = async move {
        let query = query?;
        let keep = Arc::clone(&app);
        let call = tokio::task::spawn_blocking(move || admit(&keep, route, path, query, &headers, &body)).await;
        let call =
            call.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request ended in a fault"))??;
        match route.handler {
            Handler::Later(f) => f(app, call).await,
            Handler::Store(f) => {
                let done = tokio::task::spawn_blocking(move || {
                    let reply = f(&app, &call)?;
                    record_change(&app, route, &call)?;
                    Ok(reply)
                });
                done.await
                    .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request ended in a fault"))?
            }
        }
    }
    .await;
    match result {
        Ok(reply) => respond(reply),
        Err(e) => problem(&e),
    }
}

/// Checks who asks and writes the access to the ledger before anything is done.
fn admit(
    app: &App,
    route: &Route,
    path: HashMap<String, String>,
    query: HashMap<String, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Call, Problem> {
    let method = Method::from_bytes(route.method.as_bytes()).unwrap_or_default();
    let (who, secret) = match route.role {
        None => (Session { actor: String::new(), role: Role::Viewer, expires: 0 }, None),
        Some(role) => {
            let (who, secret) = identify(app, &method, headers)?;
            if let Err(refusal) = permit(&who, role) {
                App::count(&app.counters.refused);
                app.record(
                    "access.refused",
                    &who.actor,
                    &json!({ "what": format!("{} {}", route.method, route.path) }),
                )?;
                return Err(refusal);
            }
            (who, secret)
        }
    };
    let is_json =
        headers.get(CONTENT_TYPE).and_then(|t| t.to_str().ok()).is_some_and(|t| t.starts_with("application/json"));
    let body = if body.is_empty() {
        Value::Null
    } else if !is_json {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON (content-type: application/json)",
        ));
    } else {
        serde_json::from_slice(body).map_err(|e| Problem::bad(format!("the body is no JSON: {e}")))?
    };
    let call = Call { who, secret, path, query, body, now: ledger::now().0 };
    if !route.audit.is_empty() && route.method == "GET" {
        let mut target: Vec<&str> = call.path.values().map(String::as_str).collect();
        target.sort_unstable();
        app.record_read(route.audit, &call.who.actor, &target.join(" "))?;
    }
    if matches!(route.handler, Handler::Later(_)) {
        // A search is written down before it runs.
        record_change(app, route, &call)?;
    }
    Ok(call)
}

/// Writes a change to the ledger: what was asked, without secrets.
fn record_change(app: &App, route: &Route, call: &Call) -> Result<(), Problem> {
    const SECRETS: [&str; 4] = ["password", "old", "new", "token"];
    if route.method == "GET" || route.audit.is_empty() {
        return Ok(());
    }
    let mut data = serde_json::Map::new();
    let mut path: Vec<_> = call.path.iter().collect();
    path.sort_unstable();
    data.extend(path.into_iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))));
    for (key, value) in call.body.as_object().into_iter().flatten() {
        let value = if SECRETS.contains(&key.as_str()) { json!("(not kept)") } else { value.clone() };
        data.insert(key.clone(), value);
    }
    let actor = if call.who.actor.is_empty() { "setup" } else { &call.who.actor };
    Ok(app.record(route.audit, actor, &Value::Object(data))?)
}

fn respond(reply: Reply) -> Response {
    let cookie = |value: &str, rest: &str| {
        HeaderValue::from_str(&format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{rest}"))
    };
    match reply {
        Reply::Json(value) => axum::Json(value).into_response(),
        Reply::File(ty, name, bytes) => {
            let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
            let headers =
                [(CONTENT_TYPE, ty.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
            (headers, bytes).into_response()
        }
        Reply::Login(value, secret) => match cookie(&secret, "; Max-Age=604800") {
            Ok(cookie) => ([(SET_COOKIE, cookie)], axum::Json(value)).into_response(),
            Err(_) => problem(&Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the session cannot begin")),
        },
        Reply::Logout(value) => match cookie("", "; Max-Age=0") {
            Ok(cookie) => ([(SET_COOKIE, cookie)], axum::Json(value)).into_response(),
            Err(_) => axum::Json(value).into_response(),
        },
    }
}

/// A refusal as JSON.
pub(crate) fn problem(problem: &Problem) -> Response {
    (problem.status, axum::Json(problem.json())).into_response()
}
