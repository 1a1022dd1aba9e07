use std::borrow::Cow;
use std::sync::Arc;

use http::{StatusCode, Version};
use opentelemetry::KeyValue;

use crate::semconv::attributes::put;
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
    pub(crate) address: Option<Arc<str>>,
    pub(crate) port: Option<u16>,
    pub(crate) template: Option<Arc<str>>,
}

/// What is known when a call ends; its span has it too.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndLabels {
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Option<Cow<'static, str>>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) version: Option<Version>,
    /// What the user adds to the metrics.
    pub(crate) further: Vec<KeyValue>,
}

impl Labels {
    pub(super) fn write(&self, list: &mut Vec<KeyValue>) {
        list.push(KeyValue::new(HTTP_REQUEST_METHOD, self.method.value()));
        list.extend(self.scheme.map(|scheme| KeyValue::new(URL_SCHEME, scheme.as_str())));
        list.extend(self.address.clone().map(|address| KeyValue::new(SERVER_ADDRESS, address)));
        list.extend(self.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        list.extend(self.template.clone().map(|template| KeyValue::new(URL_TEMPLATE, template)));
    }

    #[cfg(feature = "bound-instruments")]
    pub(super) fn same(&self, other: &Self) -> bool {
        same_text(Some(self.method.as_str()), Some(other.method.as_str()))
            && self.scheme == other.scheme
            && self.port == other.port
            && same_text(self.address.as_deref(), other.address.as_deref())
            && same_text(self.template.as_deref(), other.template.as_deref())
    }
}

/// Most of them are one and the same text, which is seen without reading it.
#[cfg(feature = "bound-instruments")]
fn same_text(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => std::ptr::eq(one, other) || one == other,
        _ => false,
    }
}

impl EndLabels {
    pub(super) fn write(&self, list: &mut Vec<KeyValue>) {
        self.tell(|attribute| list.push(attribute));
        for attribute in &self.further {
            put(list, attribute.clone());
        }
    }

    #[cfg(feature = "bound-instruments")]
    pub(super) fn same(&self, other: &Self) -> bool {
        self.status == other.status
            && self.version == other.version
            && same_text(self.route.as_deref(), other.route.as_deref())
            && same_text(self.error.as_deref(), other.error.as_deref())
            && self.further == other.further
    }

    /// Tells what spans and metrics both say of the end.
    pub(crate) fn tell(&self, mut to: impl FnMut(KeyValue)) {
        if let Some(status) = self.status {
            to(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
        }
        if let Some(error) = &self.error {
            to(KeyValue::new(ERROR_TYPE, error.clone()));
        }
        if let Some(route) = &self.route {
            to(KeyValue::new(HTTP_ROUTE, route.clone()));
        }
        if let Some(version) = self.version.and_then(protocol_version) {
            to(KeyValue::new(NETWORK_PROTOCOL_VERSION, version));
        }
    }
}
