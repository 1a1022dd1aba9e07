//! What was recorded, what has arrived, and what is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::striped::Striped;
use super::{Accepted, Outage};
use crate::telemetry::report::Reports;

/// How much was recorded and has become of it: once nothing is recorded any more, what was exported, lost or
/// waits is what was recorded.
///
/// With several exporters it is about the one that has exported the least.
#[derive(Clone)]
pub struct Delivery(pub(super) Arc<Ledger>);

impl Delivery {
    /// Of what has no exporter.
    pub(crate) fn nowhere(what: &'static str) -> Self {
        Self(Arc::new(Ledger::new(what, [], &Reports::default())))
    }

    /// How many were recorded: spans that ended, or logs.
    pub fn recorded(&self) -> u64 {
        self.0.recorded.sum()
    }

    /// How many the exporter has taken without an error.
    pub fn exported(&self) -> u64 {
        self.0.accounts.iter().map(Account::exported).min().unwrap_or_default()
    }

    /// How many are lost: because the queue was full, because they could not be exported, or because
    /// telemetry had ended.
    pub fn lost(&self) -> u64 {
        self.0.lost(self.exported())
    }

    /// How many wait for being exported.
    pub fn waiting(&self) -> u64 {
        self.0.waiting() as u64
    }

    /// How many spans have started and not ended yet. Those that have not when telemetry ends are never
    /// exported.
    pub fn running(&self) -> u64 {
        self.0.running()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Delivery");
        debug.field("recorded", &self.recorded()).field("exported", &self.exported());
        debug.field("lost", &self.lost()).field("running", &self.running()).finish_non_exhaustive()
    }
}

/// The books of one signal.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(super) started: Striped,
    pub(super) recorded: Striped,
    pub(super) waiting: AtomicUsize,
    /// What found no room in the queue since this was last asked for.
    pub(super) dropped: AtomicU64,
    /// Nothing is exported any more.
    pub(super) ended: AtomicBool,
    pub(super) accounts: Vec<Account>,
    pub(super) what: &'static str,
}

/// The books of one exporter.
#[derive(Debug)]
pub(super) struct Account {
    whither: String,
    exported: AtomicU64,
    pub(super) outage: Outage,
    reports: Reports,
}

impl Ledger {
    /// Of what is recorded, and of where it goes to.
    pub(super) fn new(
        what: &'static str,
        whither: impl IntoIterator<Item = String>,
        reports: &Reports,
    ) -> Self {
        let account = |whither: String| Account {
            outage: Outage::of_exports(what, &whither, reports.clone()),
            exported: AtomicU64::new(0),
            reports: reports.clone(),
            whither,
        };
        Self {
            started: Striped::default(),
            recorded: Striped::default(),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            accounts: whither.into_iter().map(account).collect(),
            what,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        if self.ended.load(Ordering::Acquire) { 0 } else { self.waiting.load(Ordering::Acquire) }
    }

    /// What the end has left: told once, with everything that was lost before.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let (recorded, what) = (self.recorded.sum(), self.what);
        for Account { whither, exported, reports, .. } in &self.accounts {
            let exported = exported.load(Ordering::Acquire);
            let lost = recorded.saturating_sub(exported);
            if lost > 0 {
                reports.tell(&format!(
                    "of {recorded} {what}, {exported} were exported to {whither} and {lost} lost"
                ));
            }
        }
        let running = self.running();
        if let (true, Some(account)) = (running > 0, self.accounts.first()) {
            account.reports.tell(&format!("{running} {what} had not ended when telemetry did, and are lost"));
        }
    }

    fn running(&self) -> u64 {
        // In this order: what ends in between must not be taken for what has never started.
        let ended = self.recorded.sum();
        self.started.sum().saturating_sub(ended)
    }

    fn lost(&self, exported: u64) -> u64 {
        let waiting = self.waiting() as u64;
        self.recorded.sum().saturating_sub(exported + waiting)
    }
}

impl Account {
    pub(super) fn exported(&self) -> u64 {
        self.exported.load(Ordering::Acquire)
    }

    pub(super) fn accepts(&self, batch: u64, Accepted { rejected, why }: &Accepted) {
        let rejected = batch.min(*rejected);
        self.exported.fetch_add(batch - rejected, Ordering::AcqRel);
        if rejected > 0 {
            self.outage.goes_on(rejected, &format!("{rejected} of {batch} were rejected{}", told(why)));
            return;
        }
        self.outage.is_over();
        // "Servers MAY also use the partial_success field to convey warnings/suggestions to clients."
        if !why.is_empty() {
            self.reports.tell_once(format!("{} took all, and says{}", self.whither, told(why)));
        }
    }
}

fn told(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}
