//! The ways in: from the SDK of this process, by OTLP from others, from files.

pub(crate) mod decode;
mod document;
mod file;
mod jaeger;
pub(crate) mod otlp;
mod sample;
pub(crate) mod sdk;

pub(crate) use document::FORMAT;
pub(crate) use file::import;
pub(crate) use sample::sample;

/// What became of what was sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// Why the first of the rejected was.
    pub(crate) why: Option<String>,
}

impl Report {
    fn note(&mut self, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => self.accepted += 1,
            Err(refusal) => {
                self.rejected += 1;
                self.why.get_or_insert_with(|| refusal.0.to_owned());
            }
        }
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        if self.why.is_none() {
            self.why = other.why;
        }
        self
    }
}

/// Why something is not taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal(&'static str);
