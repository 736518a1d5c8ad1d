//! What a route is: method, path, who may call it, what that costs, and what answers.

use axum::{
    handler::Handler,
    http::Method,
    routing::{self, MethodRouter},
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Public,
    /// Whoever signed the body with an endpoint's secret; the handler verifies.
    Signed,
    /// Browsers: errors are pages, and a change must come from our own pages.
    Page,
    /// Whoever has the secret in the path, from wherever: errors are pages, no cookie counts, and the handler verifies.
    Link,
}

/// Which of the rate limits per caller's address a call counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// None, unless the signature is wrong: the handler counts those.
    Failures,
    /// Health checks: often, and cheap.
    Probe,
    /// Logins, and what is claimed: each is a call to a vendor, or a row.
    Login,
    /// Everything else that unknown callers may ask for.
    Public,
}

/// One line of the table. Two lines may have the same path, with different methods.
#[derive(Debug, Clone)]
pub struct Route<S> {
    /// GET takes HEAD too.
    pub method: Method,
    /// As axum writes paths.
    pub path: &'static str,
    pub access: Access,
    pub limit: Limit,
    pub(super) handler: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    pub fn get<T: 'static>(
        path: &'static str,
        access: Access,
        limit: Limit,
        handler: impl Handler<T, S>,
    ) -> Self {
        Self { method: Method::GET, path, access, limit, handler: routing::get(handler) }
    }

    pub fn post<T: 'static>(
        path: &'static str,
        access: Access,
        limit: Limit,
        handler: impl Handler<T, S>,
    ) -> Self {
        Self { method: Method::POST, path, access, limit, handler: routing::post(handler) }
    }

    /// Whether the route answers the method.
    pub fn takes(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }
}

/// The value of `Allow` for the routes of one path.
pub fn allow<S>(routes: &[Route<S>]) -> String {
    let methods = routes.iter().map(|route| match route.method {
        Method::GET => "GET,HEAD",
        ref other => other.as_str(),
    });
    methods.collect::<Vec<_>>().join(",")
}
