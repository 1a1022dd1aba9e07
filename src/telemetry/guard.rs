//! What keeps telemetry going, and sends the last of it when it goes.

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::error::Kind;
use super::{Error, Parts};

/// Flushes and shuts telemetry down when it is dropped.
#[derive(Debug)]
#[must_use = "telemetry ends when the guard is dropped: keep it in a variable of `main`"]
pub struct Guard {
    parts: Parts,
    over: bool,
}

impl Guard {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, over: false }
    }

    /// The providers.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Exports what was recorded until now.
    ///
    /// # Errors
    ///
    /// If not everything could be exported.
    pub fn flush(&self) -> Result<(), Error> {
        let Parts { tracer_provider, meter_provider, logger_provider, .. } = &self.parts;
        all([tracer_provider.force_flush(), meter_provider.force_flush(), logger_provider.force_flush()])
    }

    /// Exports what is left and ends telemetry, as dropping does, and says what went wrong.
    ///
    /// # Errors
    ///
    /// If not everything could be exported.
    pub fn shutdown(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        let Parts { tracer_provider, meter_provider, logger_provider, .. } = &self.parts;
        all([tracer_provider.shutdown(), meter_provider.shutdown(), logger_provider.shutdown()])
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        _ = self.end();
    }
}

fn all(results: [OTelSdkResult; 3]) -> Result<(), Error> {
    results.into_iter().find_map(Result::err).map_or(Ok(()), |error| {
        let kind = if matches!(error, OTelSdkError::Timeout(_)) { Kind::Timeout } else { Kind::Export };
        Err(Error::new(kind, error.to_string()))
    })
}
