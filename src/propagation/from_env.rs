use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

use super::{Baggage, GrpcTraceBin, TraceContext};
use crate::guest::warn;

/// The propagators that `OTEL_PROPAGATORS` names, as one. See [`from_env`].
///
/// Each reads in the order in which it is named, and the last one that finds a caller is believed, unless
/// it tells of the same caller as one before. All of them write. The default is `tracecontext,baggage`.
#[derive(Clone, Debug)]
pub struct Propagators {
    members: Vec<Member>,
    fields: Arc<[String]>,
}

type Member = Arc<dyn TextMapPropagator + Send + Sync>;

/// The propagators that the environment variable `OTEL_PROPAGATORS` names.
///
/// It is a list with commas, of
///
/// | name | propagator |
/// |---|---|
/// | `tracecontext` | [`TraceContext`] |
/// | `baggage` | [`Baggage`] |
/// | `b3` | [`B3::single`](super::B3::single), with the feature `b3` |
/// | `b3multi` | [`B3::multi`](super::B3::multi), with the feature `b3` |
/// | `xray` | [`XRay`](super::XRay), with the feature `xray` |
/// | `grpc-trace-bin` | [`GrpcTraceBin`]; the specification does not have this name |
/// | `none` | nothing is read or written, and what else is named does not count |
///
/// Case, blanks and repetitions do not matter. A name that is not known is warned about and left out
/// (`jaeger` and `ottrace` are such names: both formats are deprecated). Without a variable, with an empty
/// one, or with no name left, it is `tracecontext,baggage`.
///
/// The environment is read once; all calls return the same.
///
/// ```
/// use opentelemetry::global;
/// use otelhttp::propagation;
///
/// global::set_text_map_propagator(propagation::from_env());
/// ```
///
/// That is [from the
/// specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration).
#[must_use]
pub fn from_env() -> Propagators {
    static ENVIRONMENT: LazyLock<Propagators> = LazyLock::new(|| from_vars(|name| std::env::var(name).ok()));
    ENVIRONMENT.clone()
}

/// [`from_env`] with variables from elsewhere.
///
/// ```
/// use opentelemetry::propagation::TextMapPropagator;
/// use otelhttp::propagation;
///
/// let vars = |name: &str| (name == "OTEL_PROPAGATORS").then(|| " Baggage,baggage".to_owned());
/// assert_eq!(propagation::from_vars(vars).fields().collect::<Vec<_>>(), ["baggage"]);
/// ```
#[must_use]
pub fn from_vars(vars: impl Fn(&str) -> Option<String>) -> Propagators {
    from_vars_telling(vars, warn)
}

/// The same, where somebody else is told what makes no sense.
pub(crate) fn from_vars_telling(
    vars: impl Fn(&str) -> Option<String>,
    tell: impl Fn(fmt::Arguments<'_>),
) -> Propagators {
    let list = vars(VARIABLE).unwrap_or_default().to_lowercase();
    let mut names: Vec<&str> = Vec::new();
    for name in list.split(',').map(str::trim) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    // As in Go and in Python.
    if names.contains(&NONE) {
        if names.len() > 1 {
            tell(format_args!("{VARIABLE}: `{NONE}` is named beside others, which do not count"));
        }
        return Propagators { members: Vec::new(), fields: Arc::new([String::new()]) };
    }
    let mut members = Vec::new();
    names.retain(|name| member(name, &tell).map(|member| members.push(member)).is_some());
    if names.is_empty() || names == ["tracecontext", "baggage"] || names == ["baggage", "tracecontext"] {
        return Propagators::default();
    }
    Propagators::new(members)
}

const VARIABLE: &str = "OTEL_PROPAGATORS";
const NONE: &str = "none";

fn member(name: &str, tell: &impl Fn(fmt::Arguments<'_>)) -> Option<Member> {
    Some(match name {
        "tracecontext" => Arc::new(TraceContext::new()),
        "baggage" => Arc::new(Baggage::new()),
        #[cfg(feature = "b3")]
        "b3" => Arc::new(super::B3::single()),
        #[cfg(feature = "b3")]
        "b3multi" => Arc::new(super::B3::multi()),
        #[cfg(feature = "xray")]
        "xray" => Arc::new(super::XRay::new()),
        "grpc-trace-bin" => Arc::new(GrpcTraceBin::new()),
        #[cfg(not(feature = "b3"))]
        "b3" | "b3multi" => return needs(name, "b3", tell),
        #[cfg(not(feature = "xray"))]
        "xray" => return needs(name, "xray", tell),
        _ => {
            tell(format_args!("{VARIABLE}: {name:?} is not known and left out"));
            return None;
        }
    })
}

#[cfg(not(all(feature = "b3", feature = "xray")))]
fn needs(name: &str, feature: &str, tell: &impl Fn(fmt::Arguments<'_>)) -> Option<Member> {
    tell(format_args!("{VARIABLE}: `{name}` is left out, it needs otelhttp's feature `{feature}`"));
    None
}

impl Propagators {
    fn new(members: Vec<Member>) -> Self {
        let fields: BTreeSet<&str> = members.iter().flat_map(|member| member.fields()).collect();
        let fields = fields.into_iter().map(str::to_owned).collect();
        Self { members, fields }
    }

    /// Whether this is the default, which can be done faster.
    pub(crate) fn are_default(propagator: &dyn Any) -> bool {
        let these = propagator.downcast_ref::<Self>();
        these.is_some_and(|these| Arc::ptr_eq(&these.fields, &DEFAULT.fields))
    }
}

pub(super) static DEFAULT: LazyLock<Propagators> =
    LazyLock::new(|| Propagators::new(vec![Arc::new(TraceContext::new()), Arc::new(Baggage::new())]));

impl Default for Propagators {
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl TextMapPropagator for Propagators {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        for member in &self.members {
            member.inject_context(cx, injector);
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.members.iter().fold(cx.clone(), |cx, member| member.extract_with_context(&cx, extractor))
    }

    /// For `none` a name that no header has: whoever finds no fields takes the propagator for one that
    /// nobody has set.
    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &str) -> Vec<String> {
        let vars = |name: &str| (name == "OTEL_PROPAGATORS").then(|| list.to_owned());
        from_vars(vars).fields().map(str::to_owned).collect()
    }

    #[test]
    fn names_in_any_order_and_case_are_known() {
        for (list, expected) in [
            ("tracecontext", &["traceparent", "tracestate"][..]),
            (" TraceContext ,, BAGGAGE,baggage", &["baggage", "traceparent", "tracestate"]),
            ("baggage,tracecontext", &["baggage", "traceparent", "tracestate"]),
            ("Baggage", &["baggage"]),
            ("grpc-trace-bin,baggage", &["baggage", "grpc-trace-bin"]),
            ("none", &[""]),
            ("baggage, None", &[""]),
            ("jaeger,baggage,ottrace", &["baggage"]),
        ] {
            assert_eq!(fields(list), expected, "{list}");
        }
    }

    #[test]
    fn with_no_name_left_it_is_the_default() {
        let default: Vec<String> = Propagators::default().fields().map(str::to_owned).collect();
        assert_eq!(default, ["baggage", "traceparent", "tracestate"]);
        for list in ["", " ", ", ,", "jaeger", "\u{0}\u{1F980}", "tracecontext;baggage"] {
            assert_eq!(fields(list), default, "{list:?}");
        }
        assert_eq!(from_vars(|_| None).fields().collect::<Vec<_>>(), default);
    }

    #[test]
    fn the_default_is_known_and_no_other_is() {
        assert!(Propagators::are_default(&Propagators::default()));
        assert!(Propagators::are_default(&from_vars(|_| Some("baggage,tracecontext".to_owned()))));
        for other in ["tracecontext", "baggage", "tracecontext,baggage,grpc-trace-bin", "none"] {
            assert!(!Propagators::are_default(&from_vars(|_| Some(other.to_owned()))), "{other}");
        }
        assert!(!Propagators::are_default(&Baggage::new()));
    }

    #[cfg(all(feature = "b3", feature = "xray"))]
    #[test]
    fn foreign_formats_are_named() {
        let b3 = ["b3", "x-b3-flags", "x-b3-parentspanid", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"];
        assert_eq!(fields("b3"), b3);
        assert_eq!(fields("B3multi,b3"), b3);
        assert_eq!(fields("xray"), ["x-amzn-trace-id"]);
    }

    #[cfg(not(any(feature = "b3", feature = "xray")))]
    #[test]
    fn what_needs_a_feature_is_left_out_without_it() {
        assert_eq!(fields("b3,baggage,xray,b3multi"), ["baggage"]);
    }
}
