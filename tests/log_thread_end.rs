//! A line that is written when a thread's context is gone is a line as any other, and takes nothing down.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;
use std::process::Command;

use opentelemetry::Context;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use otelhttp::log::{LogLayer, TraceFormat};
use tracing::info;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::Layer as Fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A panic in a destructor of a thread ends the process.
#[test]
fn a_line_at_the_end_of_a_thread_is_written_without_ids() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "a_child_ends_its_threads", "--nocapture"]);
    for part in ["ids", "layer", "hook"] {
        let output = child.env("PART", part).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{part}: {output:?}");
        assert!(text.contains(" INFO shop: closed\n"), "{part}: {text}");
        assert!(text.contains("the thread has ended"), "{part}: {text}");
    }
}

#[test]
fn a_child_ends_its_threads() {
    let Ok(part) = std::env::var("PART") else { return };
    let text = Fmt::new().with_writer(std::io::stdout).without_time().with_ansi(false);
    if part == "layer" {
        let exporter = InMemoryLogExporter::default();
        let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter).build();
        Registry::default().with(text).with(LogLayer::new(&provider)).init();
    } else {
        Registry::default().with(text.map_event_format(TraceFormat::text)).init();
    }
    if part == "hook" {
        std::panic::set_hook(Box::new(|_| info!(target: "shop", "panicked")));
    }
    let till = || {
        TILL.with(|till| *till.borrow_mut() = Some(Till));
        // After the other, so that it ends before.
        drop(Context::new().attach());
    };
    std::thread::spawn(till).join().unwrap();
    println!("the thread has ended");
}

struct Till;

impl Drop for Till {
    fn drop(&mut self) {
        info!(target: "shop", "closed");
    }
}

thread_local! {
    static TILL: RefCell<Option<Till>> = const { RefCell::new(None) };
}
