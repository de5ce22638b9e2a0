//! The page: static files in the binary, with headers that let it do no more than it needs.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// One file of the page; 404 for a name that is none.
pub fn file(name: &str) -> Response {
    let (content_type, body) = match name {
        "index.html" => ("text/html; charset=utf-8", include_str!("../../../web/index.html")),
        "app.js" => ("text/javascript; charset=utf-8", include_str!("../../../web/app.js")),
        "style.css" => ("text/css; charset=utf-8", include_str!("../../../web/style.css")),
        "favicon.svg" => ("image/svg+xml", include_str!("../../../web/favicon.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept, Upgrade"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, body).into_response()
}
