//! A page as an HTTP answer. In: a [`Page`], and what goes with it. Out: HTML in the one layout; every text in it is escaped by the
//! template's compiler.

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    http::problem::{Problem, whole_seconds},
    views::page::{self, Input, InputKind, Page, Step, Texts, To},
};

/// A page, and how it is answered.
pub(super) struct Answer {
    page: Page,
    status: StatusCode,
    headers: HeaderMap,
    live: Option<Live>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Layout {
    texts: Texts,
    steps: Vec<ShownStep>,
    all_aside: bool,
    live: Option<Live>,
}

/// What a page shows goes on: where it hears of that; and, where no script runs, after how many seconds which path is opened.
struct Live {
    events: String,
    seconds: u64,
    path: String,
}

enum ShownStep {
    Link { label: String, path: String },
    Form { label: String, action: String, fields: Vec<(&'static str, String)>, input: Option<ShownInput> },
}

struct ShownInput {
    name: &'static str,
    label: String,
    kind: InputKind,
    value: String,
    wrong: Option<String>,
}

impl From<Input> for ShownInput {
    fn from(Input { name, label, kind, value, wrong }: Input) -> Self {
        Self { name, label: page::text(&label), kind, value, wrong: wrong.as_ref().map(page::text) }
    }
}

impl From<Step> for ShownStep {
    fn from(Step { label, to }: Step) -> Self {
        let label = page::text(&label);
        match to {
            To::Link(path) => Self::Link { label, path },
            To::Form { action, fields, input } => {
                Self::Form { label, action, fields, input: input.map(ShownInput::from) }
            }
        }
    }
}

impl Answer {
    pub(super) fn new(status: StatusCode, page: Page) -> Self {
        Self { page, status, headers: HeaderMap::new(), live: None }
    }

    pub(super) fn ok(page: Page) -> Self {
        Self::new(StatusCode::OK, page)
    }

    #[must_use]
    pub(super) fn cookie(mut self, cookie: HeaderValue) -> Self {
        self.headers.append(header::SET_COOKIE, cookie);
        self
    }

    /// The browser opens `path`, one of our own, after so many seconds, without a script. As a header: a person who reads slowly is not
    /// told so by the page itself.
    #[must_use]
    pub(super) fn then(mut self, seconds: u64, path: &str) -> Self {
        // A path of ours has no character that a header cannot have.
        if let Ok(value) = HeaderValue::from_str(&format!("{seconds}; url={path}")) {
            self.headers.insert(header::REFRESH, value);
        }
        self
    }

    /// The page is opened again when `events` says that what it shows has changed; without a script every few seconds.
    #[must_use]
    pub(super) fn live(mut self, events: String, seconds: u64, path: &str) -> Self {
        self.live = Some(Live { events, seconds, path: path.to_owned() });
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, wait: std::time::Duration) -> Self {
        self.headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Self { page, status, headers, live } = self;
        let layout = Layout {
            texts: page::render(&page.document),
            steps: page.steps.into_iter().map(ShownStep::from).collect(),
            all_aside: page.all_aside,
            live,
        };
        match layout.render() {
            Ok(html) => (status, headers, axum::response::Html(html)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be written");
                UNWRITTEN.into_response()
            }
        }
    }
}

const UNWRITTEN: Problem = Problem::new(
    "unwritten",
    StatusCode::INTERNAL_SERVER_ERROR,
    "This page is broken",
    "Nothing has changed. Please tell the owner of your server.",
);

/// Sends the browser to another page of ours, or to Discord's.
pub(super) fn see_other(location: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        tracing::error!("an address to go to is no value of a header");
        return UNWRITTEN.into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use shared::views::document::{Message, Tone};

    use super::*;

    async fn html(answer: Answer) -> (HeaderMap, String) {
        let response = answer.into_response();
        let headers = response.headers().clone();
        let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
        (headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn named(name: &str) -> Message {
        Message { id: "page-account", arguments: vec![("name", name.into())] }
    }

    #[tokio::test]
    async fn whatever_a_name_is_it_adds_no_element_and_no_attribute() {
        for name in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "</title><svg onload=alert(1)>",
            "&lt;b&gt;",
            "--><!-- ]]>",
            "{{ 7 * 7 }}",
            "javascript:alert(1)",
        ] {
            let page = Page::new(named(name), Tone::Good, vec![named(name)]).link(named(name), name).form(
                named(name),
                name,
                name.to_owned(),
                vec![("field", name.to_owned())],
            );
            let (_, html) = html(Answer::ok(page)).await;
            let plain = Page::new(named("x"), Tone::Good, vec![named("x")]).link(named("x"), "x").form(
                named("x"),
                "x",
                "x".to_owned(),
                vec![("field", "x".to_owned())],
            );
            let (_, expected) = self::html(Answer::ok(plain)).await;
            // The same tags and quotes as of a harmless name: all that differs is text.
            let marks = |html: &str| -> String { html.chars().filter(|c| "<>\"'".contains(*c)).collect() };
            assert_eq!(marks(&html), marks(&expected), "{name}: {html}");
        }
    }

    #[tokio::test]
    async fn a_page_says_its_language_and_has_no_script_nor_inline_style() {
        let page = Page::new(named("ana"), Tone::Question, vec![named("ana")]).link(named("ana"), "/account");
        let (headers, html) = html(Answer::ok(page).then(0, "/account")).await;
        assert_eq!(headers[header::REFRESH], "0; url=/account");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{html}");
        assert!(html.contains("<main class=\"question\">\n<h1>You are logged in as @ana</h1>"), "{html}");
        for none in ["<script", "style=", "http://", "https://"] {
            assert!(!html.contains(none), "{none}: {html}");
        }
    }
}
