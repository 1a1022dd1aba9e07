//! Lines of a log, kept in memory.
#![allow(dead_code, unreachable_pub, reason = "each test uses its share")]

use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry_sdk::trace::SpanData;
use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What was written until now.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn all(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// The one line that has this in it.
    #[track_caller]
    pub fn with(&self, what: &str) -> String {
        let mut lines = self.all();
        lines.retain(|line| line.contains(what));
        assert_eq!(lines.len(), 1, "{what}: {}", self.text());
        lines.remove(0)
    }

    pub fn json(&self, what: &str) -> serde_json::Value {
        serde_json::from_str(&self.with(what)).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes what this thread logs, in the form that `make` gives it, until the guard goes.
pub fn capture<S: Subscriber + Send + Sync>(make: impl FnOnce(Lines) -> S) -> (Lines, DefaultGuard) {
    let lines = Lines::default();
    let subscriber = make(lines.clone());
    (lines, tracing::subscriber::set_default(subscriber))
}

/// What stands at the end of a line that was written in this span.
pub fn ids_of(span: &SpanData) -> String {
    let ids = &span.span_context;
    format!(
        "trace_id={} span_id={} trace_flags={:02x}",
        ids.trace_id(),
        ids.span_id(),
        ids.trace_flags().to_u8()
    )
}
