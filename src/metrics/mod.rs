//! The instruments of both sides.

#[cfg(feature = "bound-instruments")]
mod bound;
mod labels;
mod rpc;

use std::cell::RefCell;
use std::time::Duration;

use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use opentelemetry::{Context, KeyValue};

pub(crate) use labels::{EndLabels, Labels};
pub(crate) use rpc::RpcEnd;

use crate::config::Side;
use crate::guest::contain;

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
    rpc: rpc::Rpc,
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
            rpc: rpc::Rpc::new(meter.clone(), side),
            #[cfg(feature = "bound-instruments")]
            bound: bind.then(bound::Bound::default),
        }
    }

    pub(crate) fn begin(&self, labels: &Labels) -> Begun {
        #[cfg(feature = "bound-instruments")]
        if let Some(place) = self.bound.as_ref().and_then(|bound| bound.begin(self, labels)) {
            return Begun { place: Some(place) };
        }
        with_attributes(labels, &EndLabels::default(), |attributes| self.active.add(1, attributes));
        Begun::default()
    }

    /// With exactly the labels it began with.
    pub(crate) fn finish(&self, begun: Begun, labels: &Labels) {
        #[cfg(feature = "bound-instruments")]
        if let (Some(bound), Some(place)) = (&self.bound, begun.place) {
            return bound.finish(place);
        }
        #[cfg(not(feature = "bound-instruments"))]
        let Begun {} = begun;
        with_attributes(labels, &EndLabels::default(), |attributes| self.active.add(-1, attributes));
    }

    /// In the context of the call, for exemplars. Bound instruments make none.
    pub(crate) fn record(
        &self,
        cx: &Context,
        elapsed: Duration,
        sizes: BodySizes,
        labels: &Labels,
        end: &EndLabels<'_>,
    ) {
        let seconds = elapsed.as_secs_f64();
        #[cfg(feature = "bound-instruments")]
        if self.bound.as_ref().is_some_and(|bound| bound.record(self, seconds, sizes, labels, end)) {
            return;
        }
        // A thread that is ending has no current context.
        let _current = contain("the context", || cx.clone().attach());
        with_attributes(labels, end, |attributes| {
            self.duration.record(seconds, attributes);
            if let Some(size) = sizes.request {
                self.request_size.record(size, attributes);
            }
            if let Some(size) = sizes.response {
                self.response_size.record(size, attributes);
            }
        });
    }

    /// The same for a call of gRPC.
    pub(crate) fn record_rpc(&self, cx: &Context, elapsed: Duration, labels: &Labels, end: RpcEnd<'_>) {
        let _current = contain("the context", || cx.clone().attach());
        self.rpc.record(elapsed.as_secs_f64(), labels, end);
    }
}

/// How the gauge was counted up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun {
    #[cfg(feature = "bound-instruments")]
    place: Option<bound::Place>,
}

thread_local! {
    /// The list is kept from call to call, which saves an allocation each time.
    static ATTRIBUTES: RefCell<Vec<KeyValue>> = const { RefCell::new(Vec::new()) };
}

fn with_attributes(labels: &Labels, end: &EndLabels<'_>, record: impl FnOnce(&[KeyValue])) {
    // Not borrowed while foreign code runs, which may come back here.
    let kept = ATTRIBUTES.try_with(|kept| kept.try_borrow_mut().map(|mut kept| std::mem::take(&mut *kept)));
    let mut list = kept.ok().and_then(Result::ok).unwrap_or_default();
    labels.write(&mut list);
    end.write(&mut list);
    record(&list);
    list.clear();
    let _ = ATTRIBUTES.try_with(|kept| kept.replace(list));
}
