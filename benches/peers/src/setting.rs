/// What is done with spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No provider, no propagator, no subscriber.
    Unconfigured,
    /// The caller has decided against the trace.
    Unsampled,
    /// Sampled, with a processor that drops.
    Sampled,
    /// Sampled, with the batch processor and an exporter that drops.
    Batch,
}

impl Mode {
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "unconfigured" => Self::Unconfigured,
            "unsampled" => Self::Unsampled,
            "sampled" => Self::Sampled,
            "batch" => Self::Batch,
            other => panic!("expected unconfigured, unsampled, sampled or batch, got {other}"),
        }
    }

    pub(crate) fn is_sampled(self) -> bool {
        matches!(self, Self::Sampled | Self::Batch)
    }
}

/// Whether there is a meter provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metrics {
    On,
    Off,
}

impl Metrics {
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "on" => Self::On,
            "off" => Self::Off,
            other => panic!("expected on or off, got {other}"),
        }
    }
}

/// What the program around the subject has configured.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub mode: Mode,
    pub metrics: Metrics,
}
