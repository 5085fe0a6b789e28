//! The web console's files, built from `ui/` and embedded; nothing is fetched from elsewhere.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// Path, type, content.
static FILES: &[(&str, &str, &[u8])] = &[
    ("/index.html", "text/html; charset=utf-8", include_bytes!("../ui-dist/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("../ui-dist/app.js")),
    ("/app.css", "text/css; charset=utf-8", include_bytes!("../ui-dist/app.css")),
    ("/icon.svg", "image/svg+xml", include_bytes!("../ui-dist/icon.svg")),
];

/// A file; pages of the console are all `index.html`, which finds its page by the path.
pub(crate) async fn file(uri: Uri) -> Response {
    let path = uri.path();
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let wanted = if is_page { "/index.html" } else { path };
    match FILES.iter().find(|(p, _, _)| *p == wanted) {
        Some((_, ty, bytes)) => ([(CONTENT_TYPE, *ty), (CACHE_CONTROL, "no-cache")], *bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}
