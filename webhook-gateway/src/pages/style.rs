//! The one style of all pages, from our own origin.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("../../templates/page.css");
/// An hour: a new release's pages may look odd for so long, and no longer.
const KEPT: &str = "public, max-age=3600";

pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, KEPT)], STYLE)
        .into_response()
}
