//! The page: static files in the binary, with headers that let it do no more than it needs.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ayni_relay::Information;

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
    answer(content_type, body)
}

/// The page of a relay that is only that: what it is, and what to do with it.
pub fn of_relay(information: &Information) -> Response {
    let (name, about) = (escaped(&information.name), escaped(&information.description));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n<main>\n\
         <h1>{name}</h1>\n<p>{about}</p>\n<p>This is a Nostr relay. Add its address to the relays \
         in your Nostr app: it is this page's, with <code>ws</code> in place of <code>http</code>.\
         </p>\n</main>\n</html>\n"
    );
    answer("text/html; charset=utf-8", body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn answer(content_type: &'static str, body: impl IntoResponse) -> Response {
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
