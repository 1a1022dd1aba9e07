use std::borrow::Cow;

use http::{StatusCode, Version};
use opentelemetry::KeyValue;

use crate::semconv::attributes::put;
#[cfg(feature = "bound-instruments")]
use crate::semconv::intern;
use crate::semconv::intern::Text;
use crate::semconv::method::MethodLabel;
use crate::semconv::url::Scheme;
use crate::semconv::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PROTOCOL_VERSION,
    SERVER_ADDRESS, SERVER_PORT, URL_SCHEME, URL_TEMPLATE, protocol_version,
};

/// What tells the series of a metric apart from the start; `active_requests` has no more than this. It
/// becomes a list of attributes only where one is needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) method: MethodLabel,
    /// A server's. `server.address` is not among its labels: an attacker writes `Host`.
    pub(crate) scheme: Option<Scheme>,
    /// A client's, as are the two that follow.
    pub(crate) address: Option<Text>,
    pub(crate) port: Option<u16>,
    pub(crate) template: Option<Text>,
}

/// What is known when a call ends; its span has it too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EndLabels<'e> {
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Option<&'e Cow<'static, str>>,
    pub(crate) route: Option<&'e Text>,
    pub(crate) version: Option<Version>,
    /// What the user adds to the metrics.
    pub(crate) further: &'e [KeyValue],
}

impl Labels {
    pub(super) fn write(&self, list: &mut Vec<KeyValue>) {
        list.push(KeyValue::new(HTTP_REQUEST_METHOD, self.method.value()));
        list.extend(self.scheme.map(|scheme| KeyValue::new(URL_SCHEME, scheme.as_str())));
        list.extend(self.address.as_ref().map(|address| KeyValue::new(SERVER_ADDRESS, address.value())));
        list.extend(self.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        list.extend(self.template.as_ref().map(|template| KeyValue::new(URL_TEMPLATE, template.value())));
    }

    /// Of what mostly differs. Methods mostly differ in length and first letter.
    #[cfg(feature = "bound-instruments")]
    pub(super) fn hash(&self) -> u64 {
        let method = self.method.value().as_bytes();
        let method = (method.len() as u64) << 8 | u64::from(*method.first().unwrap_or(&0));
        let numbers = u64::from(self.port.unwrap_or(0)) << 32 | method;
        let texts = [&self.address, &self.template].into_iter().flatten();
        texts.fold(intern::mix(intern::FIRST, numbers), |hash, text| intern::mix(hash, text.hash()))
    }

    #[cfg(feature = "bound-instruments")]
    #[inline]
    pub(super) fn same(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && same(self.method.value(), other.method.value())
            && self.address == other.address
            && self.template == other.template
    }
}

/// Most of them are one and the same text, which is seen without reading it.
#[cfg(feature = "bound-instruments")]
fn same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

impl EndLabels<'_> {
    pub(super) fn write(&self, list: &mut Vec<KeyValue>) {
        self.tell(|attribute| list.push(attribute));
        for attribute in self.further {
            put(list, attribute.clone());
        }
    }

    #[cfg(feature = "bound-instruments")]
    pub(super) fn hash(&self, start: u64) -> u64 {
        let status = self.status.map_or(0, |status| status.as_u16());
        intern::mix(intern::mix(start, status.into()), self.route.map_or(0, Text::hash))
    }

    /// Tells what spans and metrics both say of the end.
    pub(crate) fn tell(&self, mut to: impl FnMut(KeyValue)) {
        if let Some(status) = self.status {
            to(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
        }
        if let Some(error) = self.error {
            to(KeyValue::new(ERROR_TYPE, error.clone()));
        }
        if let Some(route) = self.route {
            to(KeyValue::new(HTTP_ROUTE, route.value()));
        }
        if let Some(version) = self.version.and_then(protocol_version) {
            to(KeyValue::new(NETWORK_PROTOCOL_VERSION, version));
        }
    }
}

/// The labels of a call's end, to be kept.
#[cfg(feature = "bound-instruments")]
pub(super) struct KeptEnd {
    status: Option<StatusCode>,
    error: Option<Cow<'static, str>>,
    route: Option<Text>,
    version: Option<Version>,
    further: Box<[KeyValue]>,
}

#[cfg(feature = "bound-instruments")]
impl KeptEnd {
    pub(super) fn new(end: &EndLabels<'_>) -> Self {
        Self {
            status: end.status,
            error: end.error.cloned(),
            route: end.route.cloned(),
            version: end.version,
            further: end.further.into(),
        }
    }

    #[inline]
    pub(super) fn is(&self, end: &EndLabels<'_>) -> bool {
        self.status == end.status
            && self.version == end.version
            && self.route.as_ref() == end.route
            && self.error.as_ref() == end.error
            && self.further.len() == end.further.len()
            && self.further.iter().zip(end.further).all(|(kept, said)| kept == said)
    }
}
