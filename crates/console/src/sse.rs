//! Server-sent events: findings as they are stored or decided about, and what else a page should not have to ask for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;
use state::Store;
use tokio::sync::{broadcast, watch};

use crate::app::{App, Notice};
use crate::call::Problem;
use crate::http::{identify, problem};

/// A listener is asked who he is again after this long: a session that ended ends its stream.
const RECHECK: Duration = Duration::from_secs(60);

struct Listener {
    app: Arc<App>,
    headers: HeaderMap,
    seq: i64,
    changes: watch::Receiver<i64>,
    notices: broadcast::Receiver<Notice>,
    ready: VecDeque<Event>,
    checked: tokio::time::Instant,
}

/// `GET /api/v1/events`.
pub(crate) async fn events(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let (keep, asked) = (Arc::clone(&app), headers.clone());
    let who = tokio::task::spawn_blocking(move || identify(&keep, &Method::GET, &asked)).await;
    match who {
        Ok(Ok(_)) => {}
        Ok(Err(e)) => return problem(&e),
        Err(e) => return problem(&Problem::bad(e.to_string())),
    }
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()?.parse().ok());
    let changes = app.changes.subscribe();
    let seq = last.unwrap_or(*changes.borrow());
    let listener = Listener {
        seq,
        notices: app.notices.subscribe(),
        ready: VecDeque::from([Event::default().event("hello").data(json!({ "seq": seq }).to_string())]),
        checked: tokio::time::Instant::now(),
        changes,
        headers,
        app,
    };
    let stream = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<Event, Infallible>(event), listener))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.checked.elapsed() > RECHECK {
                let (app, headers) = (Arc::clone(&self.app), self.headers.clone());
                tokio::task::spawn_blocking(move || identify(&app, &Method::GET, &headers)).await.ok()?.ok()?;
                self.checked = tokio::time::Instant::now();
            }
            if *self.changes.borrow_and_update() > self.seq {
                let (app, seq) = (Arc::clone(&self.app), self.seq);
                let found = tokio::task::spawn_blocking(move || app.db.findings_since(seq, 100)).await.ok()?.ok()?;
                if found.is_empty() {
                    // The number rose for something else.
                    self.seq = *self.changes.borrow();
                }
                for stored in found {
                    self.seq = stored.seq;
                    let data = serde_json::to_string(&stored).ok()?;
                    self.ready.push_back(Event::default().event("finding").id(stored.seq.to_string()).data(data));
                }
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                notice = self.notices.recv() => match notice {
                    Ok(notice) => return Some(Event::default().event(notice.event).data(&*notice.data)),
                    // Too slow for the feed's news: the next is as good.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(RECHECK) => {}
            }
        }
    }
}
