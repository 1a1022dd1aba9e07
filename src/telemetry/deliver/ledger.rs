//! What was recorded, what has arrived, and what is lost.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::striped::Striped;
use super::{Accepted, Outage};
use crate::telemetry::report::Reports;

/// How much was recorded and has become of it: once nothing is recorded any more, what was exported, lost or
/// waits is what was recorded. Until then nothing counts as lost that is not.
///
/// With several exporters it is about the one that has exported the least.
#[derive(Clone)]
pub struct Delivery(pub(super) Arc<Ledger>);

impl Delivery {
    /// Of what has no exporter.
    pub(crate) fn nowhere(what: &'static str) -> Self {
        Self(Arc::new(Ledger::new(what, [], &Reports::default())))
    }

    /// How many were recorded: spans that ended, or logs. What comes after telemetry has ended is not.
    pub fn recorded(&self) -> u64 {
        self.0.recorded.sum()
    }

    /// How many the exporter has taken without an error: all where there is no exporter, since those who
    /// watch have seen them. What is taken when telemetry has already ended does not count.
    pub fn exported(&self) -> u64 {
        self.0.exported()
    }

    /// How many are lost: because the queue was full, because they could not be exported, or because there
    /// was no more time when telemetry ended.
    pub fn lost(&self) -> u64 {
        self.0.lost()
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
    recorded: Striped,
    waiting: AtomicUsize,
    /// What found no room in the queue since this was last asked for.
    pub(super) dropped: AtomicU64,
    /// Nothing is recorded any more.
    closed: AtomicBool,
    /// Nothing is exported any more.
    ended: Mutex<bool>,
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
            closed: AtomicBool::new(false),
            ended: Mutex::new(false),
            accounts: whither.into_iter().map(account).collect(),
            what,
        }
    }

    /// One more is recorded and waits. How many did before, or nothing if it comes too late.
    pub(super) fn record(&self) -> Option<usize> {
        // In this order, and that of `close`: what is not seen waiting then sees that it is too late. And what
        // is recorded is never missing from what waits.
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            self.left(1);
            return None;
        }
        self.recorded.add_one();
        Some(before)
    }

    /// So many wait no more: what has become of them is written down already.
    pub(super) fn left(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::SeqCst);
    }

    /// From here on nothing is recorded.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// How many are in the queue, or on their way into it.
    pub(super) fn queued(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> usize {
        if *self.ended() { 0 } else { self.queued() }
    }

    /// What has become of a batch, unless that has been told already.
    pub(super) fn accepts(&self, account: &Account, batch: u64, accepted: &Accepted) {
        let rejected = batch.min(accepted.rejected);
        let ended = self.ended();
        if *ended {
            return;
        }
        account.exported.fetch_add(batch - rejected, Ordering::AcqRel);
        drop(ended);
        account.tells(batch, rejected, &accepted.why);
    }

    /// What the end has left: told once, with everything that was lost before.
    pub(super) fn end(&self) {
        if std::mem::replace(&mut *self.ended(), true) {
            return;
        }
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

    fn exported(&self) -> u64 {
        self.accounts.iter().map(Account::exported).min().unwrap_or_else(|| self.recorded.sum())
    }

    fn lost(&self) -> u64 {
        // In this order: what moves on in between is found where it has gone to.
        let recorded = self.recorded.sum();
        let waiting = self.waiting() as u64;
        recorded.saturating_sub(self.exported() + waiting)
    }

    fn ended(&self) -> MutexGuard<'_, bool> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn exported(&self) -> u64 {
        self.exported.load(Ordering::Acquire)
    }

    fn tells(&self, batch: u64, rejected: u64, why: &str) {
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
