//! Providers, processors and subscribers, as a program would set them up, with ends that drop everything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_opentelemetry::OpenTelemetryReporter;

use crate::{Metrics, Mode, Setting, work};

/// Spans that have arrived at the end of the pipeline: a subject that loses them is not fast.
static SPANS: AtomicUsize = AtomicUsize::new(0);
static INSTRUMENTS: AtomicUsize = AtomicUsize::new(0);

/// How a subject reports.
enum Reports {
    /// To OpenTelemetry's API, with a propagator of its own.
    Api,
    /// To OpenTelemetry's API, with the global propagator.
    ApiAndPropagator,
    /// To `tracing`, whose spans the bridge makes OpenTelemetry's.
    Tracing,
    /// The same with the last version of OpenTelemetry.
    Tracing032,
    Fastrace,
}

impl Reports {
    fn of(subject: &str) -> Self {
        match subject.strip_prefix("client-").unwrap_or(subject) {
            "bare" | "floor" | "otelhttp" | "reqwest-bare" | "reqwest-otelhttp" => Self::Api,
            "opentelemetry-instrumentation-tower" => Self::ApiAndPropagator,
            "fastrace-axum" => Self::Fastrace,
            "reqwest-tracing" => Self::Tracing032,
            _ => Self::Tracing,
        }
    }
}

/// What has to be shut down in the end.
pub(crate) struct Telemetry {
    shutdown: Box<dyn FnOnce()>,
}

impl Telemetry {
    /// Flushes, and tells the spans per request and the number of instruments that arrived.
    pub(crate) fn finish(self, requests: u32) -> String {
        (self.shutdown)();
        let sent = f64::from(requests + work::WARM_UP);
        let spans = SPANS.load(Ordering::Relaxed) as f64 / sent;
        format!("spans={spans:.2} instruments={}", INSTRUMENTS.load(Ordering::Relaxed))
    }
}

pub(crate) fn configure(subject: &str, setting: Setting) -> Telemetry {
    match Reports::of(subject) {
        Reports::Api => v33::configure(setting, false, false),
        Reports::ApiAndPropagator => v33::configure(setting, true, false),
        Reports::Tracing => v33::configure(setting, true, true),
        Reports::Tracing032 => v32::configure(setting, true, true),
        Reports::Fastrace => fastrace(setting),
    }
}

/// fastrace collects in a thread of its own, whatever the reporter.
fn fastrace(setting: Setting) -> Telemetry {
    match setting.mode {
        Mode::Unconfigured => {}
        Mode::Unsampled | Mode::Sampled => fastrace::set_reporter(Forget, Config::default()),
        Mode::Batch => {
            let scope = opentelemetry::InstrumentationScope::builder("peers").build();
            let resource = opentelemetry_sdk::Resource::builder().build();
            let reporter = OpenTelemetryReporter::new(v33::Forget, std::borrow::Cow::Owned(resource), scope);
            fastrace::set_reporter(reporter, Config::default());
        }
    }
    Telemetry { shutdown: Box::new(fastrace::flush) }
}

struct Forget;

impl Reporter for Forget {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        SPANS.fetch_add(spans.len(), Ordering::Relaxed);
    }
}

/// The same pipeline for one version of OpenTelemetry.
macro_rules! pipeline {
    ($version:ident, $api:ident, $sdk:ident, $bridge:ident) => {
        pub(crate) mod $version {
            use tracing_subscriber::layer::SubscriberExt;
            use $api::trace::{
                SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
            };
            use $api::{Context, ContextGuard, global};
            use $sdk::error::OTelSdkResult;
            use $sdk::metrics::data::ResourceMetrics;
            use $sdk::metrics::exporter::PushMetricExporter;
            use $sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
            use $sdk::propagation::TraceContextPropagator;
            use $sdk::trace::{
                BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
            };

            use super::*;

            pub(crate) fn configure(setting: Setting, propagator: bool, bridge: bool) -> Telemetry {
                let tracers = (setting.mode != Mode::Unconfigured).then(|| tracer_provider(setting.mode));
                let meters = (setting.metrics == Metrics::On).then(meter_provider);
                if let Some(tracers) = &tracers {
                    global::set_tracer_provider(tracers.clone());
                    if propagator {
                        global::set_text_map_propagator(TraceContextPropagator::new());
                    }
                    if bridge {
                        let layer = $bridge::layer().with_tracer(tracers.tracer("peers"));
                        let subscriber = tracing_subscriber::registry().with(layer);
                        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
                    }
                }
                if let Some(meters) = &meters {
                    global::set_meter_provider(meters.clone());
                }
                let shutdown = move || {
                    if let Some(tracers) = tracers {
                        tracers.shutdown().expect("the spans are flushed");
                    }
                    if let Some(meters) = meters {
                        meters.shutdown().expect("the metrics are flushed");
                    }
                };
                Telemetry { shutdown: Box::new(shutdown) }
            }

            /// A program that is itself called: its calls are children of the caller's span.
            pub(crate) fn enter_parent(setting: Setting) -> ContextGuard {
                let flags =
                    if setting.mode.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
                let (trace, span) = (TraceId::from(7), SpanId::from(7));
                let parent = SpanContext::new(trace, span, flags, true, TraceState::default());
                Context::current().with_remote_span_context(parent).attach()
            }

            fn tracer_provider(mode: Mode) -> SdkTracerProvider {
                // Also where a subject does not read the caller's decision.
                let root = if mode.is_sampled() { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
                let builder = SdkTracerProvider::builder().with_sampler(Sampler::ParentBased(Box::new(root)));
                if mode == Mode::Batch {
                    builder.with_span_processor(BatchSpanProcessor::builder(Forget).build()).build()
                } else {
                    builder.with_span_processor(Forget).build()
                }
            }

            fn meter_provider() -> SdkMeterProvider {
                let reader = PeriodicReader::builder(Forget).with_interval(Duration::from_secs(3_600));
                SdkMeterProvider::builder().with_reader(reader.build()).build()
            }

            /// To it a span or a metric costs nothing more.
            #[derive(Debug)]
            pub(crate) struct Forget;

            impl SpanProcessor for Forget {
                fn on_start(&self, _span: &mut Span, _cx: &Context) {}
                fn on_end(&self, _span: SpanData) {
                    SPANS.fetch_add(1, Ordering::Relaxed);
                }
                fn force_flush(&self) -> OTelSdkResult {
                    Ok(())
                }
                fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
                    Ok(())
                }
            }

            impl SpanExporter for Forget {
                async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
                    SPANS.fetch_add(batch.len(), Ordering::Relaxed);
                    Ok(())
                }
            }

            impl PushMetricExporter for Forget {
                async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
                    let count = metrics.scope_metrics().flat_map(|scope| scope.metrics()).count();
                    INSTRUMENTS.store(count, Ordering::Relaxed);
                    Ok(())
                }
                fn force_flush(&self) -> OTelSdkResult {
                    Ok(())
                }
                fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
                    Ok(())
                }
                fn temporality(&self) -> Temporality {
                    Temporality::Cumulative
                }
            }
        }
    };
}

pipeline!(v33, opentelemetry, opentelemetry_sdk, tracing_opentelemetry);
pipeline!(v32, opentelemetry_032, opentelemetry_sdk_032, tracing_opentelemetry_033);
