use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

use super::decided;
use super::pattern::{Pattern, Target, is_tail};
use crate::guest::warn;

/// Takes a share of the traces that begin with a request to a route, and another share of the rest.
///
/// ```
/// use otelhttp::sampling::RouteSampler;
///
/// let sampler = RouteSampler::new(0.05)
///     .never("/health")
///     .always("/checkout")
///     .share("GET /users/{id}", 0.5)
///     .never("/internal/{*rest}");
/// # let _ = sampler;
/// ```
///
/// # Rules
///
/// A rule is a path, or a method and a path. The first one that fits counts, in the order in which they
/// were said; where none fits, or a trace begins with something else than a request to a server, it is the
/// share that was given to `new`. In a path `{id}` stands for one segment, whatever its name, and
/// `{*rest}` at the end for one or more. Else it is compared as it stands: `/health/` is not `/health`,
/// and nothing is decoded. Methods are case-sensitive; one that is not known, which a span has as
/// `_OTHER`, is only fitted by rules without a method. A call of gRPC is a POST to `/pkg.Service/Method`;
/// one whose method is not known fits no rule.
///
/// # When a trace begins
///
/// A sampler is asked when a span starts. A layer inside of the router knows the route by then, and a rule
/// is compared with the route's template: `/users/{id}` does not fit a request to `/users/me` if that is a
/// route of its own. Outside of the router, and where a route leads on into a nested service
/// (`/api/{*rest}`), the route is known only later, and a rule is compared with the path of the request,
/// so that there it does fit. What becomes of the route later changes nothing.
///
/// Other instrumentation's spans are judged by `http.route`, by names like `GET /users/{id}`, or by
/// `url.path`, whichever they have at the start, in this order.
///
/// # Shares
///
/// A share is from 0 to 1; what is less, or not a number, is 0, and what is more is 1. It is taken as by
/// the SDK's `TraceIdRatioBased`: of one trace all services think the same, and those of a smaller share
/// are among those of a larger one.
#[derive(Clone, Debug)]
#[must_use = "a sampler does nothing until it is given to a provider"]
pub struct RouteSampler {
    rules: Vec<(Pattern, f64)>,
    rest: f64,
}

impl RouteSampler {
    /// Takes this share of the traces that no rule is about.
    pub fn new(rest: f64) -> Self {
        Self { rules: Vec::new(), rest: share(rest) }
    }

    /// Takes all traces that begin with such a request.
    pub fn always(self, rule: &str) -> Self {
        self.share(rule, 1.0)
    }

    /// Takes no trace that begins with such a request.
    pub fn never(self, rule: &str) -> Self {
        self.share(rule, 0.0)
    }

    /// Takes this share of the traces that begin with such a request.
    ///
    /// A rule without a `/` at the beginning of its path fits nothing, which is said in a warning.
    pub fn share(mut self, rule: &str, of: f64) -> Self {
        let pattern = Pattern::parse(rule);
        if !pattern.is_path() {
            warn(format_args!("the sampling rule {rule:?} fits nothing: its path does not begin with `/`"));
        }
        self.rules.push((pattern, share(of)));
        self
    }

    fn share_of(&self, name: &str, kind: &SpanKind, attributes: &[KeyValue]) -> f64 {
        let request = (*kind == SpanKind::Server).then(|| request(name, attributes)).flatten();
        let Some((method, target)) = request else {
            return self.rest;
        };
        let rule = self.rules.iter().find(|(pattern, _)| pattern.fits(method, target));
        rule.map_or(self.rest, |(_, share)| *share)
    }
}

fn share(share: f64) -> f64 {
    if share > 0.0 { share.min(1.0) } else { 0.0 }
}

impl ShouldSample for RouteSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        decided(parent).unwrap_or_else(|| {
            let share = Sampler::TraceIdRatioBased(self.share_of(name, kind, attributes));
            share.should_sample(parent, trace_id, name, kind, attributes, links)
        })
    }
}

/// The method and the target of a request, as a span knows them when it starts.
fn request<'s>(name: &'s str, attributes: &'s [KeyValue]) -> Option<(&'s str, Target<'s>)> {
    let attribute = |key: &'static str| text(attributes, &Key::from_static_str(key));
    // A method that is not known is `_OTHER`, which is no path.
    if let Some(method) = attribute("rpc.method").filter(|method| method.contains('/')) {
        return Some(("POST", Target::Path(method)));
    }
    let method = attribute("http.request.method")?;
    let named = || name.split_once(' ').map(|(_, target)| target);
    let route = attribute("http.route").or_else(named).and_then(|route| route.strip_prefix('/'));
    let path = attribute("url.path").map(|path| path.strip_prefix('/').unwrap_or(path));
    let ends = |route: &&str| !route.rsplit('/').next().is_some_and(is_tail);
    let known = route.filter(ends).map(Target::Route);
    let target = known.or(path.map(Target::Path)).or(route.map(Target::Route))?;
    Some((method, target))
}

fn text<'a>(attributes: &'a [KeyValue], key: &Key) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.key == *key).and_then(|attribute| match &attribute.value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry::SpanId;
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
    use opentelemetry_sdk::trace::SamplingDecision;

    use super::*;

    const SHARES: [f64; 4] = [0.0, 0.05, 0.5, 1.0];

    fn sampler() -> RouteSampler {
        RouteSampler::new(0.05)
            .never("/health")
            .always("/checkout")
            .share("GET /users/{id}", 0.5)
            .never("/users/{id}")
            .always("/shop.Cart/{method}")
    }

    fn http(method: &'static str, path: &'static str) -> Vec<KeyValue> {
        vec![KeyValue::new("http.request.method", method), KeyValue::new("url.path", path)]
    }

    fn share_of(name: &str, attributes: &[KeyValue]) -> f64 {
        sampler().share_of(name, &SpanKind::Server, attributes)
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        for (name, method, path, expected) in [
            ("GET", "GET", "/health", 0.0),
            ("POST", "POST", "/checkout", 1.0),
            ("GET", "GET", "/users/7", 0.5),
            ("GET", "GET", "/users/me", 0.5),
            ("POST", "POST", "/users/7", 0.0),
            ("GET", "GET", "/else", 0.05),
            ("GET /users/{id}", "GET", "/users/7", 0.5),
            ("GET /users/me", "GET", "/users/me", 0.05),
            ("HTTP /checkout", "_OTHER", "/checkout", 1.0),
            ("HTTP /users/{id}", "_OTHER", "/users/7", 0.0),
            // The route of a nested service.
            ("GET /api/{id}", "GET", "/users/7", 0.05),
            ("GET /{*rest}", "GET", "/users/7", 0.5),
            // A name of one's own.
            ("GET users.show", "GET", "/users/7", 0.5),
        ] {
            assert_eq!(share_of(name, &http(method, path)), expected, "{name} {method} {path}");
        }
    }

    #[test]
    fn an_attribute_is_believed_before_the_name() {
        let mut attributes = http("GET", "/users/7");
        attributes.push(KeyValue::new("http.route", "/checkout"));
        assert_eq!(share_of("GET /users/{id}", &attributes), 1.0);
    }

    #[test]
    fn a_call_of_grpc_is_a_post_to_its_method() {
        let call = |method| [KeyValue::new("rpc.system.name", "grpc"), KeyValue::new("rpc.method", method)];
        assert_eq!(share_of("shop.Cart/Add", &call("shop.Cart/Add")), 1.0);
        let any = RouteSampler::new(0.05).never("/{tenant}").never("POST /_OTHER");
        assert_eq!(any.share_of("grpc", &SpanKind::Server, &call("_OTHER")), 0.05);
    }

    #[test]
    fn what_is_no_request_to_a_server_is_the_rest() {
        let attributes = http("POST", "/checkout");
        for kind in [SpanKind::Client, SpanKind::Internal, SpanKind::Consumer, SpanKind::Producer] {
            assert_eq!(sampler().share_of("POST /checkout", &kind, &attributes), 0.05);
        }
        assert_eq!(share_of("POST /checkout", &[]), 0.05);
        assert_eq!(share_of("POST /checkout", &[KeyValue::new("http.request.method", 7)]), 0.05);
    }

    #[test]
    fn odd_shares_are_none_or_all() {
        for (given, taken) in [(f64::NAN, 0.0), (-1.0, 0.0), (-0.0, 0.0), (2.0, 1.0), (f64::INFINITY, 1.0)] {
            assert_eq!(share(given).to_bits(), f64::to_bits(taken), "{given}");
        }
        for given in SHARES {
            assert_eq!(share(given), given);
        }
    }

    /// Ids that are the same in each run: SplitMix64.
    fn trace_ids(count: u64) -> impl Iterator<Item = TraceId> {
        let mix = |seed: u64| {
            let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        (1..=count).map(move |n| TraceId::from(u128::from(mix(2 * n)) << 64 | u128::from(mix(2 * n + 1))))
    }

    fn sampled(
        sampler: &dyn ShouldSample,
        parent: Option<&Context>,
        id: TraceId,
        path: &'static str,
    ) -> bool {
        let result = sampler.should_sample(parent, id, "GET", &SpanKind::Server, &http("GET", path), &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn of_many_traces_each_route_keeps_its_share() {
        const COUNT: u64 = 100_000;
        let sampler = sampler();
        for (path, share) in [("/health", 0.0), ("/checkout", 1.0), ("/users/7", 0.5), ("/else", 0.05)] {
            let taken = trace_ids(COUNT).filter(|id| sampled(&sampler, None, *id, path)).count() as f64;
            // Five standard deviations of a binomial distribution, which are none for never and always. The
            // ids are the same in each run, so it holds for ever or for none.
            let expected = COUNT as f64 * share;
            let bound = 5.0 * (expected * (1.0 - share)).sqrt();
            assert!(
                (taken - expected).abs() <= bound,
                "{path}: {taken} of {COUNT}, not {expected} ± {bound}"
            );
        }
    }

    #[test]
    fn the_traces_taken_are_those_of_the_sdks_sampler() {
        let (sampler, sdk) = (sampler(), Sampler::TraceIdRatioBased(0.05));
        for id in trace_ids(10_000) {
            assert_eq!(sampled(&sampler, None, id, "/else"), sampled(&sdk, None, id, "/else"));
            assert!(!sampled(&sampler, None, id, "/else") || sampled(&sampler, None, id, "/users/7"));
        }
    }

    #[test]
    fn a_parent_decides_and_its_state_goes_on() {
        let state = TraceState::from_key_value([("a", "1")]).unwrap();
        for (flags, expected) in [
            (TraceFlags::SAMPLED, SamplingDecision::RecordAndSample),
            (TraceFlags::NOT_SAMPLED, SamplingDecision::Drop),
        ] {
            for remote in [true, false] {
                let parent =
                    SpanContext::new(TraceId::from(1), SpanId::from(1), flags, remote, state.clone());
                let parent = Context::new().with_remote_span_context(parent);
                for path in ["/health", "/checkout", "/else"] {
                    let attributes = http("GET", path);
                    let sampler = sampler();
                    let result = sampler.should_sample(
                        Some(&parent),
                        TraceId::from(1),
                        "GET",
                        &SpanKind::Server,
                        &attributes,
                        &[],
                    );
                    assert_eq!((&result.decision, &result.trace_state), (&expected, &state), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_parent_that_is_not_valid_is_none() {
        let parent = Context::new().with_remote_span_context(SpanContext::empty_context());
        assert!(sampled(&sampler(), Some(&parent), TraceId::from(1), "/checkout"));
        assert!(!sampled(&sampler(), Some(&parent), TraceId::from(1), "/health"));
    }
}
