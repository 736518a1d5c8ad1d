//! The one style and the one script of all pages, from our own origin. No page needs the script.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("../../templates/page.css");
const LIVE: &str = include_str!("../../templates/live.js");
/// An hour: a new release's pages may look odd for so long, and no longer.
const KEPT: &str = "public, max-age=3600";

pub async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// Opens a page again when what it shows has changed.
pub async fn live() -> Response {
    file("text/javascript; charset=utf-8", LIVE)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEPT)], text).into_response()
}
