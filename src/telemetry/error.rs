//! What can fail.

use std::fmt;

/// Why telemetry could not be set up, or not be shut down in order.
///
/// It names the variable or the endpoint, and never a header's value or the credentials of a URL.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Configuration,
    Export,
    System,
    Timeout,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    pub(crate) fn no_thread(error: impl fmt::Display) -> Self {
        Self::new(Kind::System, format!("no thread for telemetry: {error}"))
    }

    /// Whether a variable or a setter has a value that nothing can be made of.
    pub fn is_configuration(&self) -> bool {
        self.kind == Kind::Configuration
    }

    /// Whether something could not be exported.
    pub fn is_export(&self) -> bool {
        self.kind == Kind::Export
    }

    /// Whether the system has refused a thread.
    pub fn is_system(&self) -> bool {
        self.kind == Kind::System
    }

    /// Whether there was no time to export what was left.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
