//! Lines of `tracing`, to where logs go.

use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};

use super::Parts;
use crate::log::LogLayer;

impl Parts {
    /// A layer for the subscriber of `tracing`, which sends its lines with the trace and the span in which
    /// they were written (feature `tracing`).
    ///
    /// ```
    /// use otelhttp::Telemetry;
    /// use otelhttp::log::TraceFormat;
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// # fn main() -> Result<(), otelhttp::telemetry::Error> {
    /// # let variables = |_: &str| None;
    /// # let telemetry = Telemetry::from_vars(variables).build()?.guard();
    /// # if false {
    /// let telemetry = Telemetry::from_env().service_name("shop").install()?;
    /// # }
    /// let format = tracing_subscriber::fmt::layer().map_event_format(TraceFormat::text);
    /// let subscriber = tracing_subscriber::registry().with(format).with(telemetry.parts().log_layer());
    /// # let _ = subscriber;
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_layer(&self) -> LogLayer<SdkLoggerProvider, SdkLogger> {
        LogLayer::new(self.logger_provider())
    }
}
