//! What stands before every route. In: a request and its line of the table. Out: the handler's answer, or why it was not asked.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};
use metrics::counter;
use shared::{
    http::{headers::Surface, log_throttle::LogThrottle, origin},
    metrics::HTTP_REFUSALS,
};

use super::{client_ip, error::Problem};
use super::{
    rate_limit::Budget,
    routes::{Access, Limit, Route},
};

/// An address may look up a few things at once, and then ten a second.
const PUBLIC: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(10).expect("not zero"), NonZeroU32::new(100).expect("not zero"));
/// Load balancers and our own start-up ask often; the answer comes from memory.
const PROBES: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(200).expect("not zero"), NonZeroU32::new(400).expect("not zero"));

/// What the gateway knows of its surroundings, and what callers have cost so far.
pub struct Guard {
    trusted_proxy_hops: usize,
    /// Our own origin, for pages.
    public_url: Option<String>,
    public: Budget<IpAddr>,
    probes: Budget<IpAddr>,
    plain_http: LogThrottle,
}

impl Guard {
    /// `public_url`: where browsers find us.
    pub fn new(trusted_proxy_hops: usize, public_url: Option<String>) -> Self {
        Self {
            trusted_proxy_hops,
            public_url,
            public: Budget::per_second(PUBLIC.0, PUBLIC.1),
            probes: Budget::per_second(PROBES.0, PROBES.1),
            plain_http: LogThrottle::default(),
        }
    }

    /// Forgets addresses that have their whole budget again.
    pub fn forget_old_addresses(&self) {
        self.public.forget();
        self.probes.forget();
    }

    fn refuse(&self, problem: Problem) -> Response {
        counter!(HTTP_REFUSALS, "reason" => problem.word()).increment(1);
        // It may be our own proxies that are set up wrongly, and then every event is refused.
        if problem == Problem::PlainHttp
            && let Some(refused) = self.plain_http.record(Instant::now())
        {
            tracing::warn!(
                refused,
                "requests were refused: X-Forwarded-Proto says that they came over plain http. If Stripe's are among them, let the \
                 outermost proxy end TLS, and let TRUSTED_PROXY_HOPS be the number of proxies"
            );
        }
        problem.into_response()
    }

    fn check(&self, route: Option<&Route>, request: &Request, peer: IpAddr) -> Result<(), Problem> {
        let headers = request.headers();
        if client_ip::came_in_clear(&texts(headers, "x-forwarded-proto"), self.trusted_proxy_hops) {
            return Err(Problem::PlainHttp);
        }
        let caller =
            || client_ip::budget_key(peer, &texts(headers, "x-forwarded-for"), self.trusted_proxy_hops);
        let Some(route) = route else {
            return self.public.take(&caller()).map_err(Problem::Limited);
        };
        if !route.takes(request.method()) {
            self.public.take(&caller()).map_err(Problem::Limited)?;
            return Err(Problem::MethodNotAllowed(route.allows()));
        }
        match route.limit {
            Limit::Failures => {}
            Limit::Probe => self.probes.take(&caller()).map_err(Problem::Limited)?,
            Limit::Public => self.public.take(&caller()).map_err(Problem::Limited)?,
        }
        match route.access {
            Access::Public | Access::Signed => Ok(()),
            // Without an origin of our own nothing can come from it.
            Access::Page => {
                let own = self.public_url.as_deref().unwrap_or_default();
                origin::check_mutation(request.method(), headers, own).map_err(|_| Problem::ForeignOrigin)
            }
        }
    }
}

/// The middleware.
pub async fn stand(
    State((guard, route)): State<(Arc<Guard>, Option<Arc<Route>>)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.check(route.as_deref(), &request, peer.ip()) {
        Ok(()) => next.run(request).await,
        Err(problem) => guard.refuse(problem),
    };
    if route.is_some_and(|route| route.access == Access::Page) {
        response.extensions_mut().insert(Surface::Page);
    }
    response
}

/// All values of a header that are text.
pub fn texts<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
