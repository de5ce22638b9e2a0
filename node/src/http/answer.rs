//! How the HTTP side answers: JSON with an ETag, or problem details (RFC 9457) with a stable code.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ayni_protocol::hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A refusal: a status, a stable code for programs, a sentence for people.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    /// Nothing is known under that name.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "not-found", detail: detail.into() }
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "bad-request", detail: detail.into() }
    }
}

impl Problem {
    /// The node made a mistake.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a view could not be made");
        let detail = "the node could not answer; its log says why".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "failed", detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Problem"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, headers, body.to_string()).into_response()
    }
}

/// JSON with an ETag over its bytes; 304 where the client has just that.
pub fn json<T: Serialize>(request: &HeaderMap, value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => tagged(request, "application/json", body),
        Err(error) => {
            tracing::error!(%error, "a view could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Text of any type with an ETag over its bytes.
pub fn tagged(request: &HeaderMap, content_type: &'static str, body: String) -> Response {
    let digest = hex::encode(Sha256::digest(&body).get(..16).unwrap_or_default());
    let tag = format!("\"{digest}\"");
    let same =
        request.get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut answer = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// Whether the client asks for this media type before JSON, in any of its `Accept` lines and in
/// whatever case.
pub fn wants(request: &HeaderMap, media_type: &str) -> bool {
    let lines = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut asked = lines.flat_map(|line| line.split(','));
    asked.any(|range| {
        let named = range.split(';').next().unwrap_or_default();
        named.trim().eq_ignore_ascii_case(media_type)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_asked_for_in_any_line_and_any_case() {
        let wanted = |lines: &[&str]| {
            let mut request = HeaderMap::new();
            for line in lines {
                request.append(header::ACCEPT, line.parse().unwrap());
            }
            wants(&request, "application/nostr+json")
        };
        assert!(wanted(&["application/nostr+json"]));
        assert!(wanted(&["text/html, Application/Nostr+JSON;q=0.9"]));
        assert!(wanted(&["text/html", "application/nostr+json"]));
        assert!(!wanted(&["text/html, */*"]));
        assert!(!wanted(&[]));
    }
}
