//! What stands before every route. In: the table of routes. Out: a router in which nothing else is reachable, and each route
//! is asked only if its line of the table allows it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Instant,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};
use metrics::counter;
use shared::{
    http::{headers::Surface, log_throttle::LogThrottle, origin, problem},
    metrics::HTTP_REFUSALS,
};

use super::{
    client_ip::{came_over_plain_http, header_texts, rate_limit_key},
    error::{self, Problem},
    rate_limit::RateLimit,
    route::{self, Access, Limit, Route},
};

/// Per second and address, after a burst.
const PUBLIC: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(10).expect("not zero"), NonZeroU32::new(100).expect("not zero"));
/// Nobody logs in so often, and a household or a school behind one address still can.
const LOGINS: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(1).expect("not zero"), NonZeroU32::new(20).expect("not zero"));
/// Load balancers and our own start-up ask often; the answer comes from memory.
const PROBES: (NonZeroU32, NonZeroU32) =
    (NonZeroU32::new(200).expect("not zero"), NonZeroU32::new(400).expect("not zero"));

/// Decides which requests reach a handler.
pub struct Admission {
    trusted_proxy_hops: usize,
    /// Our own origin, for pages.
    public_url: Option<String>,
    public: RateLimit<IpAddr>,
    logins: RateLimit<IpAddr>,
    probes: RateLimit<IpAddr>,
    plain_http: LogThrottle,
}

/// What the table says of one path.
struct PathRules {
    /// By method; GET also answers HEAD.
    methods: Vec<(Method, Access, Limit)>,
    allow: HeaderValue,
}

/// Routes exactly these, each behind `admission`, and a 404 for everything else.
pub fn guarded<S: Clone + Send + Sync + 'static>(
    routes: Vec<Route<S>>,
    admission: &Arc<Admission>,
) -> Router<S> {
    let mut paths: BTreeMap<&'static str, Vec<Route<S>>> = BTreeMap::new();
    for route in routes {
        paths.entry(route.path).or_default().push(route);
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let rules = Arc::new(PathRules::of(&routes));
        let layer = middleware::from_fn_with_state((Arc::clone(admission), Some(rules)), admit);
        let handlers = routes.into_iter().map(|route| route.handler);
        router = router.route(path, handlers.fold(MethodRouter::new(), MethodRouter::merge).layer(layer));
    }
    let unknown = middleware::from_fn_with_state((Arc::clone(admission), None), admit);
    router.fallback_service(any(async || error::NOT_FOUND).layer(unknown).with_state(()))
}

async fn admit(
    State((admission, rules)): State<(Arc<Admission>, Option<Arc<PathRules>>)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let rules = rules.as_deref();
    let surface = rules.map_or_else(Surface::default, |rules| rules.surface(request.method()));
    let mut response = match admission.check(rules, &request, peer.ip()) {
        Ok(()) => next.run(request).await,
        Err(problem) => admission.refuse(problem, rules),
    };
    if surface == Surface::Page {
        response = problem::as_page(response);
        response.extensions_mut().insert(surface);
    }
    response
}

impl PathRules {
    fn of<S>(routes: &[Route<S>]) -> Self {
        let methods = routes.iter().map(|route| (route.method.clone(), route.access, route.limit)).collect();
        let allow = HeaderValue::from_str(&route::allow(routes)).expect("names of methods");
        Self { methods, allow }
    }

    fn of_method(&self, method: &Method) -> Option<(Access, Limit)> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let found = self.methods.iter().find(|(taken, _, _)| taken == method);
        found.map(|&(_, access, limit)| (access, limit))
    }

    /// A method that the path does not take is answered like the path's others.
    fn surface(&self, method: &Method) -> Surface {
        let access = self.of_method(method).or_else(|| self.methods.first().map(|&(_, a, l)| (a, l)));
        match access {
            Some((Access::Page | Access::Link, _)) => Surface::Page,
            Some((Access::Public | Access::Signed, _)) | None => Surface::Api,
        }
    }
}

impl Admission {
    /// `public_url`: our own origin, where browsers find us.
    pub fn new(trusted_proxy_hops: usize, public_url: Option<String>) -> Self {
        Self {
            trusted_proxy_hops,
            public_url,
            public: RateLimit::per_second(PUBLIC.0, PUBLIC.1),
            logins: RateLimit::per_second(LOGINS.0, LOGINS.1),
            probes: RateLimit::per_second(PROBES.0, PROBES.1),
            plain_http: LogThrottle::default(),
        }
    }

    pub fn prune_rate_limits(&self) {
        self.public.prune();
        self.logins.prune();
        self.probes.prune();
    }

    fn refuse(&self, problem: Problem, rules: Option<&PathRules>) -> Response {
        counter!(HTTP_REFUSALS, "reason" => problem.kind).increment(1);
        // It may be our own proxies that are set up wrongly, and then every event is refused.
        if problem == error::PLAIN_HTTP
            && let Some(refused) = self.plain_http.record(Instant::now())
        {
            tracing::warn!(
                refused,
                "requests were refused: X-Forwarded-Proto says that they came over plain http. If Stripe's are among them, let the \
                 outermost proxy end TLS, and let TRUSTED_PROXY_HOPS be the number of proxies"
            );
        }
        let mut response = problem.into_response();
        if problem == error::METHOD_NOT_ALLOWED
            && let Some(rules) = rules
        {
            response.headers_mut().insert(header::ALLOW, rules.allow.clone());
        }
        response
    }

    fn check(&self, rules: Option<&PathRules>, request: &Request, peer: IpAddr) -> Result<(), Problem> {
        let headers = request.headers();
        if came_over_plain_http(&header_texts(headers, "x-forwarded-proto"), self.trusted_proxy_hops) {
            return Err(error::PLAIN_HTTP);
        }
        let limited = |limit: &RateLimit<IpAddr>| {
            let forwarded_for = header_texts(headers, "x-forwarded-for");
            let caller = rate_limit_key(peer, &forwarded_for, self.trusted_proxy_hops);
            limit.check(&caller).map_err(error::limited)
        };
        let Some(rules) = rules else { return limited(&self.public) };
        let Some((access, limit)) = rules.of_method(request.method()) else {
            limited(&self.public)?;
            return Err(error::METHOD_NOT_ALLOWED);
        };
        match limit {
            Limit::Failures => {}
            Limit::Probe => limited(&self.probes)?,
            Limit::Login => limited(&self.logins)?,
            Limit::Public => limited(&self.public)?,
        }
        match access {
            Access::Public | Access::Signed | Access::Link => Ok(()),
            // Without an origin of our own nothing can come from it.
            Access::Page => {
                let own = self.public_url.as_deref().unwrap_or_default();
                origin::check_mutation(request.method(), headers, own).map_err(|_| error::FOREIGN_ORIGIN)
            }
        }
    }
}
