//! What is decoded at one time has a bound, however many clients send.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::arrival::Gone;
use crate::intake::decode::{Format, MOST, Shaped, Unsound};

/// What weighs less is decoded at once. Two threads can do no more of that than two at a time.
const LIGHT: usize = MOST / 16;
/// What bodies take that are decoded one after the other, and wait for it.
const WAITING: usize = 64 << 20;
const KIB: usize = 1 << 10;

/// Where what is heavy is decoded, one body at a time.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    turn: Arc<Mutex<()>>,
    /// Places for those that wait, in KiB.
    places: Arc<Semaphore>,
}

/// Held while something heavy is there. Who gives it up while waiting gives back the place too.
#[derive(Debug)]
pub(super) struct Turn {
    _turn: OwnedMutexGuard<()>,
    _place: OwnedSemaphorePermit,
}

/// Why something was not taken in.
#[derive(Debug)]
pub(super) enum Untaken {
    Unsound(Unsound),
    Gone(Gone),
}

impl From<Unsound> for Untaken {
    fn from(unsound: Unsound) -> Self {
        Self::Unsound(unsound.of("this is no OTLP"))
    }
}

impl From<Gone> for Untaken {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { turn: Arc::default(), places: Arc::new(Semaphore::new(WAITING / KIB)) }
    }

    /// Decodes a message, if that is not too much, and takes it in. No other that is heavy is there at the same time.
    pub(super) async fn take<Q, A>(
        &self,
        format: Format,
        bytes: Bytes,
        take: impl FnOnce(&Q) -> A,
    ) -> Result<A, Untaken>
    where
        Q: Message + Default + DeserializeOwned + Shaped,
    {
        let is_light = format.weigh::<Q>(&bytes)? <= LIGHT;
        // Given back after the message, which comes later, is gone.
        let _turn = if is_light { None } else { Some(self.turn(bytes.len()).await?) };
        let message: Q = format.decode(&bytes)?;
        Ok(take(&message))
    }

    /// Waits until nothing heavy is there, unless too much waits already.
    pub(super) async fn turn(&self, bytes: usize) -> Result<Turn, Gone> {
        let places = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let place = self.places.clone().try_acquire_many_owned(places).map_err(|_| Gone::Crowded)?;
        Ok(Turn { _turn: self.turn.clone().lock_owned().await, _place: place })
    }
}
