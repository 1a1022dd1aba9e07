//! What the process uses.

use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

#[cfg(target_os = "linux")]
use super::stat;

/// One reading. What a system does not tell is absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcessSample {
    pub(super) cpu: Option<CpuTime>,
    pub(super) memory: Option<u64>,
    pub(super) virtual_memory: Option<u64>,
    pub(super) file_descriptors: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) uptime: Duration,
}

/// Where the time went, if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CpuTime {
    /// "A process SHOULD be characterized either by data points with no mode labels, or only data points
    /// with mode labels."
    #[cfg_attr(target_os = "linux", allow(dead_code, reason = "Linux tells the modes"))]
    Total(Duration),
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "sysinfo tells the sum"))]
    ByMode { user: Duration, system: Duration },
}

/// Reads this process.
pub(super) struct Process {
    pid: Option<Pid>,
    system: System,
    age: Duration,
    first_read: Instant,
}

impl Process {
    pub(super) fn new() -> Self {
        let mut process = Self {
            pid: sysinfo::get_current_pid().ok(),
            system: System::new(),
            age: Duration::ZERO,
            first_read: Instant::now(),
        };
        process.refresh();
        process.age = process.age();
        process
    }

    pub(super) fn sample(&mut self) -> ProcessSample {
        // One clock from then on: that of the machine may be set, and some have seconds only.
        let uptime = self.age + self.first_read.elapsed();
        self.refresh();
        let Some(process) = self.process() else { return ProcessSample { uptime, ..Default::default() } };
        let sample = ProcessSample {
            cpu: None,
            memory: Some(process.memory()),
            virtual_memory: Some(process.virtual_memory()),
            file_descriptors: file_descriptors(process),
            threads: None,
            uptime,
        };
        with_details(sample, process)
    }

    fn refresh(&mut self) {
        let Some(pid) = self.pid else { return };
        let kind = ProcessRefreshKind::nothing().with_memory();
        let kind = if cfg!(target_os = "linux") { kind } else { kind.with_cpu() };
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    }

    fn process(&self) -> Option<&sysinfo::Process> {
        self.system.process(self.pid?)
    }

    fn age(&self) -> Duration {
        #[cfg(target_os = "linux")]
        if let (Some(stat), Some(uptime)) = (stat::Stat::read(), stat::uptime())
            && let Some(age) = uptime.checked_sub(stat.started)
        {
            return age;
        }
        Duration::from_secs(self.process().map_or(0, sysinfo::Process::run_time))
    }
}

#[cfg(target_os = "linux")]
fn with_details(sample: ProcessSample, _process: &sysinfo::Process) -> ProcessSample {
    let stat = stat::Stat::read();
    ProcessSample {
        cpu: stat.map(|stat| CpuTime::ByMode { user: stat.user, system: stat.system }),
        threads: stat.map(|stat| stat.threads),
        ..sample
    }
}

#[cfg(not(target_os = "linux"))]
fn with_details(sample: ProcessSample, process: &sysinfo::Process) -> ProcessSample {
    let total = Duration::from_millis(process.accumulated_cpu_time());
    ProcessSample { cpu: Some(CpuTime::Total(total)), ..sample }
}

/// On Linux they are counted in a folder, which is open meanwhile. Windows has handles, which are another
/// metric.
fn file_descriptors(process: &sysinfo::Process) -> Option<u64> {
    let open = cfg!(unix).then(|| process.open_files())??;
    Some(open.saturating_sub(usize::from(cfg!(target_os = "linux"))) as u64)
}
