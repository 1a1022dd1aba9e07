//! The variables, read through one function.

use std::fmt;
use std::sync::Arc;

type Read = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where variables are read from.
#[derive(Clone)]
pub(crate) struct Environment {
    read: Arc<Read>,
}

impl Environment {
    pub(crate) fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read) }
    }

    pub(crate) fn of_the_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// "The SDK MUST interpret an empty value of an environment variable the same way as when the variable
    /// is unset." Blanks around a value are not part of it.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let value = (self.read)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

impl fmt::Debug for Environment {
    /// Without the values, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
