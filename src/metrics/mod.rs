//! The instruments of both sides.

#[cfg(feature = "bound-instruments")]
mod bound;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use crate::config::Side;

/// "This metric SHOULD be specified with `ExplicitBucketBoundaries` of [...]": HTTP metrics.
const DURATION_BOUNDARIES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Names and descriptions are the registry's.
struct Names {
    duration: (&'static str, &'static str),
    active: (&'static str, &'static str),
    request_size: (&'static str, &'static str),
    response_size: (&'static str, &'static str),
}

const SERVER: Names = Names {
    duration: ("http.server.request.duration", "Duration of HTTP server requests."),
    active: ("http.server.active_requests", "Number of active HTTP server requests."),
    request_size: ("http.server.request.body.size", "Size of HTTP server request bodies."),
    response_size: ("http.server.response.body.size", "Size of HTTP server response bodies."),
};

const CLIENT: Names = Names {
    duration: ("http.client.request.duration", "Duration of HTTP client requests."),
    active: ("http.client.active_requests", "Number of active HTTP requests."),
    request_size: ("http.client.request.body.size", "Size of HTTP client request bodies."),
    response_size: ("http.client.response.body.size", "Size of HTTP client response bodies."),
};

/// What one side measures.
pub(crate) struct Instruments {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    request_size: Histogram<u64>,
    response_size: Histogram<u64>,
    #[cfg(feature = "bound-instruments")]
    bound: Option<bound::Bound>,
}

/// The sizes of the bodies of one exchange, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodySizes {
    pub(crate) request: Option<u64>,
    pub(crate) response: Option<u64>,
}

impl Instruments {
    pub(crate) fn new(meter: &Meter, side: Side, bind: bool) -> Self {
        #[cfg(not(feature = "bound-instruments"))]
        let _ = bind;
        let names = match side {
            Side::Server => SERVER,
            Side::Client => CLIENT,
        };
        let size = |(name, description): (&'static str, &'static str)| {
            meter.u64_histogram(name).with_unit("By").with_description(description).build()
        };
        Self {
            duration: meter
                .f64_histogram(names.duration.0)
                .with_unit("s")
                .with_description(names.duration.1)
                .with_boundaries(DURATION_BOUNDARIES.to_vec())
                .build(),
            active: meter
                .i64_up_down_counter(names.active.0)
                .with_unit("{request}")
                .with_description(names.active.1)
                .build(),
            request_size: size(names.request_size),
            response_size: size(names.response_size),
            #[cfg(feature = "bound-instruments")]
            bound: bind.then(bound::Bound::default),
        }
    }

    pub(crate) fn begin(&self, attributes: &[KeyValue]) {
        self.add(1, attributes);
    }

    /// With exactly the attributes it began with.
    pub(crate) fn finish(&self, attributes: &[KeyValue]) {
        self.add(-1, attributes);
    }

    fn add(&self, change: i64, attributes: &[KeyValue]) {
        #[cfg(feature = "bound-instruments")]
        if self.bound.as_ref().is_some_and(|bound| bound.add(self, change, attributes)) {
            return;
        }
        self.active.add(change, attributes);
    }

    pub(crate) fn record(&self, elapsed: Duration, sizes: BodySizes, attributes: &[KeyValue]) {
        let seconds = elapsed.as_secs_f64();
        #[cfg(feature = "bound-instruments")]
        if self.bound.as_ref().is_some_and(|bound| bound.record(self, seconds, sizes, attributes)) {
            return;
        }
        self.duration.record(seconds, attributes);
        if let Some(size) = sizes.request {
            self.request_size.record(size, attributes);
        }
        if let Some(size) = sizes.response {
            self.response_size.record(size, attributes);
        }
    }
}
