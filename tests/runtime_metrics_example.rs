//! The example `runtime_metrics`, run as a reader would.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "common/example.rs"]
mod example;

#[test]
fn the_console_shows_each_second_what_is_used() {
    let text = example::run("runtime_metrics", &[("ROUNDS", "2")]);
    let lines_of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    // One within the two seconds, and one at the end.
    assert!(lines_of("process.uptime (s): ") >= 2, "{text}");
    for name in
        ["process.memory.usage (By): ", "tokio.task.count ({task}): ", "tokio.worker.utilization (1): "]
    {
        assert!(lines_of(name) >= 2, "{name}: {text}");
    }
    let slow = text.lines().rfind(|line| {
        line.starts_with("otelhttp.server.poll.count") && line.ends_with("otelhttp.poll.slow=true")
    });
    let slow = slow.unwrap_or_else(|| panic!("no slow polls: {text}"));
    assert!(!slow.contains(": value 0 "), "{slow}");
}
