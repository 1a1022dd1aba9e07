use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue, TraceId};

use super::Exchange;
use crate::semconv::error::Failure;
use crate::semconv::intern::Text;

/// The server span of the request in flight, for whoever handles the request.
///
/// It is an extractor for axum (feature `axum`) and stands in the extensions of the request
/// otherwise. What is set here is written once, when the span ends; the last word wins. A key that
/// the layer gave when the span started (`url.path`, `user_agent.original` and so on) keeps its
/// value.
///
/// A clone is cheap. After the end of the span all of it does nothing, and neither does a handle
/// that was extracted where no layer runs.
///
/// ```
/// use opentelemetry::KeyValue;
/// use otelhttp::ServerSpan;
///
/// async fn checkout(span: ServerSpan) -> &'static str {
///     span.set_attribute(KeyValue::new("app.cart.items", 3));
///     span.set_metric_attribute(KeyValue::new("app.tenant", "acme"));
///     "thank you"
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerSpan(pub(crate) Option<Arc<Exchange>>);

impl ServerSpan {
    pub(crate) fn new(exchange: Arc<Exchange>) -> Self {
        Self(Some(exchange))
    }

    /// The exchange of this handle, if a layer further in should take part in it: it has not ended,
    /// and the caller runs inside its trace.
    pub(crate) fn live(&self) -> Option<&Arc<Exchange>> {
        let trace_of = |cx: &Context| cx.span().span_context().trace_id();
        let exchange = self.0.as_ref()?;
        let trace = trace_of(&exchange.cx);
        // Where nothing is traced there is only one trace.
        let inside = trace == TraceId::INVALID || Context::map_current(|current| trace_of(current) == trace);
        (inside && exchange.is_live()).then_some(exchange)
    }

    /// Sets `http.route`, on the span and on the metrics, and with it the name of the span.
    pub fn set_route(&self, route: impl Into<Cow<'static, str>>) {
        let route = Text::new(route.into());
        self.say(|writer| writer.0.set_route(route));
    }

    /// Sets an attribute of the span.
    pub fn set_attribute(&self, attribute: KeyValue) {
        self.say(|writer| writer.set_attribute(attribute));
    }

    /// Sets an attribute of the metrics, which must have few values.
    pub fn set_metric_attribute(&self, attribute: KeyValue) {
        self.say(|writer| writer.set_metric_attribute(attribute));
    }

    /// Gives the span another name, which must be one of few.
    pub fn rename(&self, name: impl Into<Cow<'static, str>>) {
        self.say(|writer| writer.rename(name));
    }

    /// Marks the request as failed, with an `error.type`, which must be one of few.
    pub fn error(&self, error_type: impl Into<Cow<'static, str>>) {
        self.say(|writer| writer.error(error_type));
    }

    /// The context of the request, to make spans below its span where the context is not current,
    /// such as in a spawned task. The current context, if no layer runs.
    #[must_use]
    pub fn context(&self) -> Context {
        self.0.as_ref().map_or_else(Context::current, |exchange| exchange.cx.clone())
    }

    fn say(&self, what: impl FnOnce(&SpanWriter<'_>)) {
        if let Some(exchange) = &self.0 {
            what(&SpanWriter::new(exchange));
        }
    }
}

/// What a hook may say of the call that it sees.
///
/// What is set here is written once, when the span ends; the last word wins.
#[derive(Debug)]
pub struct SpanWriter<'e>(&'e Exchange);

impl<'e> SpanWriter<'e> {
    pub(crate) fn new(exchange: &'e Exchange) -> Self {
        Self(exchange)
    }

    /// Sets an attribute of the span.
    pub fn set_attribute(&self, attribute: KeyValue) {
        self.0.say(|late| late.set_attribute(attribute));
    }

    /// Sets an attribute of the metrics, which must have few values.
    pub fn set_metric_attribute(&self, attribute: KeyValue) {
        self.0.say(|late| late.set_metric_attribute(attribute));
    }

    /// Gives the span another name, which must be one of few.
    pub fn rename(&self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        self.0.say(|late| late.name = Some(name));
    }

    /// Marks the call as failed, with an `error.type`, which must be one of few.
    pub fn error(&self, error_type: impl Into<Cow<'static, str>>) {
        let failure = Failure::named(error_type);
        self.0.say(|late| late.error = Some(failure));
    }
}
