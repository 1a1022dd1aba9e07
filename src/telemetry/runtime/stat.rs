//! What Linux says of a process in `/proc/<pid>/stat`, and sysinfo keeps to itself: user's and system's time
//! apart, and the number of threads.

use std::time::Duration;

/// Linux counts a process's time in ticks, and has told the programs on all architectures that Rust knows
/// of that there are a hundred in a second.
const TICK: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) user: Duration,
    pub(super) system: Duration,
    pub(super) threads: u64,
    /// Since the machine was started.
    pub(super) started: Duration,
}

impl Stat {
    pub(super) fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// "The fields, in order, with their proper `scanf(3)` format specifiers": `pid (comm) state ppid …`. The
    /// name may hold blanks and brackets.
    fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        // The third field, `state`, is the first here: `utime` is the 14th, `stime` the 15th, `num_threads` the
        // 20th and `starttime` the 22nd.
        let mut field = |skipped: usize| fields.nth(skipped)?.parse::<u64>().ok();
        let (user, system) = (ticks(field(11)?), ticks(field(0)?));
        let threads = field(4)?;
        Some(Self { user, system, threads, started: ticks(field(1)?) })
    }
}

/// How long ago the machine was started.
pub(super) fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn ticks(ticks: u64) -> Duration {
    let nanos = u128::from(ticks) * TICK.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_behind_the_name() {
        let rest = "S 1 7 7 0 -1 4194560 900 0 0 0 250 75 0 0 20 0 12 0 8800 1000 20 18446744073709551615";
        let expected = Stat {
            user: Duration::from_millis(2_500),
            system: Duration::from_millis(750),
            threads: 12,
            started: Duration::from_secs(88),
        };
        for name in ["shop", "a shop", "a) S 1 (b", ""] {
            assert_eq!(Stat::parse(&format!("7 ({name}) {rest}\n")), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_number_is_nothing() {
        let huge = u64::MAX;
        let huge = format!("7 (x) S 1 1 1 0 -1 0 0 0 0 0 {huge} {huge} 0 0 20 0 {huge} 0 {huge}");
        assert_eq!(Stat::parse(&huge).map(|stat| stat.threads), Some(u64::MAX));
        for line in ["", "7", "7 (x)", "7 (x) S 1 1 1 0 -1 0 0 0 0 0 5", "7 (x) S 1 1 1 0 -1 0 0 0 0 0 a b c"]
        {
            assert_eq!(Stat::parse(line), None, "{line}");
        }
    }

    #[test]
    fn this_process_is_read_and_is_younger_than_its_machine() {
        let stat = Stat::read().unwrap();
        assert!(stat.threads >= 1 && stat.started <= uptime().unwrap(), "{stat:?}");
    }
}
