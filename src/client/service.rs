use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use tower_service::Service;

use super::attempts::Attempts;
use super::rpc;
use super::template::UrlTemplate;
use crate::config::{Config, Place};
use crate::exchange::{Call, Owner, ResponseBody, ResponseFuture, ServerSpan, SpanWriter, Start};
use crate::metrics::Labels;
use crate::request_body::RequestBytes;
use crate::semconv::attributes::StartAttributes;
use crate::semconv::client::{self, Target};
use crate::semconv::method::SpanName;
use crate::semconv::{grpc, intern};
use crate::signals::Signals;

/// What [`ClientLayer`](crate::ClientLayer) makes of a service.
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    pub(crate) inner: S,
    pub(crate) config: Arc<Config>,
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

pub(crate) fn begin(config: &Arc<Config>, parts: &mut Parts) -> Call {
    // The labels of a server's span are not for whom it calls; and an in-process gateway's next
    // router must make a span of its own.
    parts.extensions.remove::<ServerSpan>();
    let given = Given {
        resend_count: Attempts::take(&mut parts.extensions),
        template: UrlTemplate::take(&mut parts.extensions),
        request_bytes: RequestBytes::take(parts, config.body_size_metrics),
    };
    let parent = Context::current();
    // An exporter must never trace itself.
    if parent.is_telemetry_suppressed() {
        return Call::Ended;
    }
    let observe = config.observe.ask(|observe| observe(parts)).unwrap_or_default();
    let Some(signals) = Signals::of(config, observe) else {
        inject(config, &parent, parts);
        return Call::Ended;
    };
    let owner = start(config, parts, signals, parent, given);
    let exchange = owner.exchange();
    if exchange.is_recorded() {
        config.on_request.ask(|hook| hook(parts, &SpanWriter::new(exchange)));
    }
    inject(config, &exchange.cx, parts);
    Call::Recorded(owner)
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

fn start(config: &Arc<Config>, parts: &Parts, signals: Signals<'_>, parent: Context, given: Given) -> Owner {
    let Given { resend_count, template, request_bytes } = given;
    let target = Target::of(parts, config.scheme);
    let folded = config.metric_server_address.ask(|fold| fold(&parts.uri)).flatten();
    let address = folded.map(|address| intern::text(&address)).or_else(|| target.host.clone());
    if grpc::is_call(parts) {
        return rpc::start(config, parts, signals, parent, target, address);
    }
    let method = config.known_methods.label(&parts.method);
    let SpanName { name, target: template } = method.span_name(template.as_deref());
    let start = Start {
        signals,
        parent,
        link: None,
        name,
        method: &parts.method,
        labels: Labels {
            method: method.clone(),
            address,
            port: Some(target.port),
            template: template.clone(),
            scheme: None,
        },
        version: None,
        route: None,
        request_bytes,
        rpc: None,
    };
    let sampling_relevant = |attributes: &mut StartAttributes| {
        client::sampling_relevant(attributes, parts, &method, &target, &config.sensitive_query_keys);
        attributes.capture(config.request_headers.attributes(&parts.headers, Place::Http));
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        client::detail(detail, parts, &method, resend_count, template);
    })
}
