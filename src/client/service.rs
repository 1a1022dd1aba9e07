use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::{Context, StringValue};
use tower_service::Service;

use super::attempts::Attempts;
use super::template::UrlTemplate;
use crate::config::{Config, Observe};
use crate::exchange::{Call, Exchange, ResponseBody, ResponseFuture, ServerSpan, Start};
use crate::request_body::RequestBytes;
use crate::semconv::client::{self, Target};

/// What [`ClientLayer`](crate::ClientLayer) makes of a service.
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> ClientService<S> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display + 'static,
    R: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture::begin(&self.config, &mut self.inner, request, begin)
    }
}

fn begin(config: &Arc<Config>, parts: &mut Parts) -> Call {
    // The labels of a server's span are not for whom it calls; and an in-process gateway's next
    // router must make a span of its own.
    parts.extensions.remove::<ServerSpan>();
    let given = Given {
        resend_count: Attempts::take(&mut parts.extensions),
        template: UrlTemplate::take(&mut parts.extensions),
        request_bytes: RequestBytes::take(parts),
    };
    let parent = Context::current();
    // An exporter must never trace itself.
    if parent.is_telemetry_suppressed() {
        return Call::Ended;
    }
    let observe = config.observe.ask(|observe| observe(parts)).unwrap_or_default();
    if observe == Observe::Nothing {
        inject(config, &parent, parts);
        return Call::Ended;
    }
    let exchange = start(config, parts, observe, parent, given);
    if exchange.is_recorded() {
        config.on_request.ask(|hook| hook(parts, &exchange.writer()));
    }
    inject(config, &exchange.shared().cx, parts);
    Call::Recorded(exchange)
}

fn inject(config: &Config, cx: &Context, parts: &mut Parts) {
    if config.inject_if.decide(true, false, |inject| inject(&parts.uri)) {
        config.propagation.inject(cx, &mut parts.headers);
    } else {
        config.propagation.strip(&mut parts.headers);
    }
}

/// What others have put into the request for us, and for nobody further in.
struct Given {
    resend_count: Option<u32>,
    template: Option<Arc<str>>,
    request_bytes: Option<RequestBytes>,
}

fn start(config: &Arc<Config>, parts: &Parts, observe: Observe, parent: Context, given: Given) -> Exchange {
    let Given { resend_count, template, request_bytes } = given;
    let target = Target::of(parts, config.scheme);
    let template_value = template.clone().map(StringValue::from);
    let method = config.known_methods.label(&parts.method);
    let folded = config.metric_server_address.ask(|fold| fold(&parts.uri)).flatten().map(Arc::from);
    let address = folded.or_else(|| target.host.clone()).map(StringValue::from);
    let start = Start {
        observe,
        parent,
        link: None,
        method: parts.method.clone(),
        method_label: method.clone(),
        target: template,
        metric_attributes: client::metric_base(&method, address, target.port, template_value.as_ref()),
        request_bytes,
        version: None,
    };
    let sampling_relevant = || {
        let keys = &config.sensitive_query_keys;
        let mut attributes = client::sampling_relevant(parts, &method, &target, keys);
        attributes.capture(config.request_headers.attributes(&parts.headers));
        attributes
    };
    Exchange::start(config, start, sampling_relevant, |detail| {
        client::detail(detail, parts, &method, resend_count, template_value.as_ref());
    })
}
