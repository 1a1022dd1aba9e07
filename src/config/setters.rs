//! The setters that both layers have.

/// Each layer is an `Arc<Config>` in a field of that name.
macro_rules! shared_setters {
    () => {
        /// Makes spans with this provider instead of the global one.
        pub fn tracer_provider<P, T, S>(self, provider: P) -> Self
        where
            P: opentelemetry::trace::TracerProvider<Tracer = T>,
            T: opentelemetry::trace::Tracer<Span = S> + Send + Sync + 'static,
            S: opentelemetry::trace::Span + Send + Sync + 'static,
        {
            let tracer = provider.tracer_with_scope($crate::signals::scope());
            let tracer = opentelemetry::global::BoxedTracer::new(Box::new(tracer));
            self.with(|config| config.tracer = $crate::signals::Tracer::Given(tracer.into()))
        }

        /// Records metrics with this provider instead of the global one.
        pub fn meter_provider(
            self,
            provider: impl opentelemetry::metrics::MeterProvider + Send + Sync + 'static,
        ) -> Self {
            let given = $crate::signals::GivenMeter::new(std::sync::Arc::new(provider));
            self.with(|config| config.meters = $crate::signals::Meters::Given(given))
        }

        /// Reads and writes the context with this propagator instead of the global one.
        pub fn propagator(
            self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            let given = $crate::propagation::Propagation::given(propagator);
            self.with(|config| config.propagation = given)
        }

        /// Decides how much of a call is recorded: `true`, `false`, or an [`Observe`](crate::Observe). Default:
        /// everything of every call.
        ///
        /// The context is passed on in every case.
        pub fn observe<O: Into<$crate::Observe>>(
            self,
            observe: impl Fn(&http::request::Parts) -> O + Send + Sync + 'static,
        ) -> Self {
            let observe: std::sync::Arc<dyn Fn(&http::request::Parts) -> $crate::Observe + Send + Sync> =
                std::sync::Arc::new(move |parts| observe(parts).into());
            self.with(|config| config.observe = $crate::config::Hook::new(observe))
        }

        /// Is called with the head of each recorded request, after the span has started.
        pub fn on_request(
            self,
            hook: impl Fn(&http::request::Parts, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_request = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Is called with the head of each response to a recorded request.
        pub fn on_response(
            self,
            hook: impl Fn(&http::response::Parts, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_response = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Is called with each error of the service or of a response's body, to name it with
        /// [`SpanWriter::error`](crate::SpanWriter::error).
        ///
        /// The error comes as the type that the service or the body has for it, to be downcast. That
        /// may be `Box<dyn Error + Send + Sync>`.
        pub fn on_error(
            self,
            hook: impl Fn(&dyn std::any::Any, &$crate::SpanWriter<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.with(|config| config.on_error = $crate::config::Hook::new(std::sync::Arc::new(hook)))
        }

        /// Records these request headers as `http.request.header.<name>`, and the metadata of gRPC as
        /// `rpc.request.header.<name>`. Default: none.
        ///
        /// A value that is marked sensitive is recorded as `REDACTED`.
        pub fn capture_request_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let headers = $crate::config::CapturedHeaders::of_requests(names);
            self.with(|config| config.request_headers = headers)
        }

        /// Records these response headers as `http.response.header.<name>`, and the metadata of gRPC as
        /// `rpc.response.header.<name>`, or `rpc.response.trailer.<name>` if it comes with the status.
        /// Default: none.
        ///
        /// A value that is marked sensitive is recorded as `REDACTED`.
        pub fn capture_response_headers(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let headers = $crate::config::CapturedHeaders::of_responses(names);
            self.with(|config| config.response_headers = headers)
        }

        /// Replaces the methods that are recorded under their own name; all others are `_OTHER`.
        ///
        /// Default: the list in `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, or else the methods of
        /// RFC 9110, PATCH and QUERY.
        pub fn known_methods(self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            let methods = $crate::semconv::method::KnownMethods::new(methods);
            self.with(|config| config.known_methods = methods)
        }

        /// Replaces the query parameters whose values are recorded as `REDACTED`.
        ///
        /// Default: `AWSAccessKeyId`, `Signature`, `sig`, `X-Goog-Signature`, `X-Amz-Signature`,
        /// `X-Amz-Credential` and `X-Amz-Security-Token`. The case counts.
        pub fn sensitive_query_keys(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            let keys = keys.into_iter().map(|key| std::borrow::Cow::Owned(key.into())).collect();
            self.with(|config| config.sensitive_query_keys = keys)
        }

        /// Switches metrics on or off. Default: on.
        pub fn metrics(self, record: bool) -> Self {
            self.with(|config| config.metrics = record)
        }

        /// Records the sizes of bodies too. Default: off.
        ///
        /// A response's is counted. A request's is its `Content-Length`, or counted by a
        /// [`RequestBodyLayer`](crate::RequestBodyLayer) outside of this layer, or else not recorded.
        pub fn body_size_metrics(self, record: bool) -> Self {
            self.with(|config| config.body_size_metrics = record)
        }

        /// Binds instruments to their attributes, which makes a measurement cheaper. Default: yes.
        ///
        /// A meter provider that is not OpenTelemetry's SDK may not know bound instruments, and then
        /// drops what is recorded with them: switch them off for it. The SDK leaves what was bound while
        /// its limit of series was reached in the overflow: switch them off where that may happen with
        /// delta temporality, such as for a crawler.
        #[cfg(feature = "bound-instruments")]
        pub fn bound_instruments(self, bind: bool) -> Self {
            self.with(|config| config.bound_instruments = bind)
        }

        /// Records the texts of unknown errors as descriptions of the span's status. Default: off,
        /// since they may hold what is secret.
        pub fn error_descriptions(self, record: bool) -> Self {
            self.with(|config| config.error_descriptions = record)
        }

        /// Records `grpc-message` as the description of a gRPC call that failed: text that the service
        /// wrote for its caller, cut at 256 bytes. Default: yes. Switch it off where services write into
        /// it what must not be kept.
        pub fn rpc_status_messages(self, record: bool) -> Self {
            self.with(|config| config.rpc_status_messages = record)
        }

        fn with(mut self, set: impl FnOnce(&mut $crate::config::Config)) -> Self {
            set(std::sync::Arc::make_mut(&mut self.config));
            self
        }
    };
}

pub(crate) use shared_setters;
