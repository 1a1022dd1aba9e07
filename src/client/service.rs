use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use tower_service::Service;

use super::attempts::Attempts;
use super::rpc;
use super::template::UrlTemplate;
use crate::config::{Config, Place};
use crate::exchange::{Call, Owner, ResponseBody, ResponseFuture, ServerSpan, SpanWriter, Start};
use crate::head::{HasHead, Head};
use crate::metrics::Labels;
use crate::request_body::RequestBytes;
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

pub(crate) fn begin(config: &Arc<Config>, request: &mut impl HasHead) -> Call {
    // The labels of a server's span are not for whom it calls; and an in-process gateway's next
    // router must make a span of its own.
    request.extensions_mut().remove::<ServerSpan>();
    let given = Given {
        resend_count: Attempts::take(request.extensions_mut()),
        template: UrlTemplate::take(request.extensions_mut()),
        request_bytes: RequestBytes::take(request, config.body_size_metrics),
    };
    let parent = Context::current();
    // An exporter must never trace itself.
    if parent.is_telemetry_suppressed() {
        return Call::Ended;
    }
    let observe = config.observe.ask_of(request, |observe, parts| observe(parts)).unwrap_or_default();
    let Some(signals) = Signals::of(config, observe) else {
        inject(config, true, &parent, request);
        return Call::Ended;
    };
    let look = signals.look;
    let owner = start(config, request.head(), signals, parent, given);
    let exchange = owner.exchange();
    if exchange.is_recorded() {
        config.on_request.ask_of(request, |hook, parts| hook(parts, &SpanWriter::new(exchange)));
    }
    inject(config, look, &exchange.cx, request);
    Call::Recorded(owner)
}

/// A hook that panics is the cautious one: the next host is then told nothing.
fn inject(config: &Config, look: bool, cx: &Context, request: &mut impl HasHead) {
    let asked = config.inject_if.ask(|inject| inject(request.head().uri));
    if asked.unwrap_or(!config.inject_if.is_set()) {
        config.propagation.inject(look, cx, request.headers_mut());
    } else {
        config.propagation.strip(look, request.headers_mut());
    }
}

/// What others have put into the request for us, and for nobody further in.
struct Given {
    resend_count: Option<u32>,
    template: Option<Arc<str>>,
    request_bytes: Option<RequestBytes>,
}

fn start(config: &Arc<Config>, head: Head<'_>, signals: Signals<'_>, parent: Context, given: Given) -> Owner {
    let Given { resend_count, template, request_bytes } = given;
    let target = Target::of(head, config.scheme);
    let folded = config.metric_server_address.ask(|fold| fold(head.uri)).flatten();
    let address = folded.map(|address| intern::text(&address)).or_else(|| target.host.clone());
    if grpc::is_call(head) {
        return rpc::start(config, head, signals, parent, target, address);
    }
    let method = config.known_methods.label(head.method);
    let SpanName { name, target: template } = method.span_name(template.as_deref());
    let start = Start {
        signals,
        parent,
        link: None,
        name,
        method: head.method,
        labels: Labels { method, address, port: Some(target.port), template: template.clone(), scheme: None },
        version: None,
        route: None,
        request_bytes,
        rpc: None,
    };
    let sampling_relevant = || {
        let mut attributes = client::sampling_relevant(head, method, &target, &config.sensitive_query_keys);
        attributes.capture(config.request_headers.attributes(head.headers, Place::Http));
        attributes
    };
    Owner::start(config, start, sampling_relevant, |detail| {
        client::detail(detail, head, method, resend_count, template);
    })
}
