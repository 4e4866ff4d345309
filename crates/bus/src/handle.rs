//! The handle that services hold: opens the bus that the settings name, and passes calls on.

use std::{path::Path, sync::Arc};

use crate::{Backend, BusError, BusKind, BusSettings, Consumer, PartitionLag, Producer, embedded};

/// A bus. Clones are handles on the same one.
#[derive(Clone)]
pub struct Bus {
    backend: Arc<dyn Backend>,
    group_prefix: Arc<str>,
}

impl Bus {
    /// Opens the bus. The embedded log is opened, and locked, in `data_dir`; a Kafka need not be reachable yet.
    ///
    /// # Errors
    /// [`BusError::Settings`]; [`BusError::Locked`] and [`BusError::Unavailable`] of the embedded log's file.
    pub fn open(settings: &BusSettings, data_dir: Option<&Path>) -> Result<Self, BusError> {
        let backend = match settings.kind {
            BusKind::Embedded => {
                let data_dir = data_dir
                    .ok_or_else(|| BusError::Settings("the embedded bus needs a data directory".into()))?;
                embedded::open(settings, data_dir)?
            }
            BusKind::Kafka => open_kafka(settings)?,
        };
        Ok(Self::new(backend, &settings.group_prefix))
    }

    /// Makes a handle on `backend`; `group_prefix` is put before the name of each group.
    pub fn new(backend: Arc<dyn Backend>, group_prefix: &str) -> Self {
        Self { backend, group_prefix: group_prefix.into() }
    }

    /// Gives the producer, shared by all callers.
    pub fn producer(&self) -> Arc<dyn Producer> {
        self.backend.producer()
    }

    /// Makes a member of `group` subscribed to `topics`; it joins at its first `next`.
    ///
    /// # Errors
    /// [`BusError::Settings`] for what can never work; a broker that is away is no error here.
    pub fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, BusError> {
        self.backend.consumer(&self.group(group), topics)
    }

    /// Finds out whether the bus answers.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`] when it does not.
    pub async fn ping(&self) -> Result<(), BusError> {
        self.backend.ping().await
    }

    /// Reads how far `group` is behind on `topic`, by partition number. A topic that does not exist has none.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] or [`BusError::Timeout`].
    pub async fn lag(&self, group: &str, topic: &str) -> Result<Vec<PartitionLag>, BusError> {
        self.backend.lag(&self.group(group), topic).await
    }

    fn group(&self, name: &str) -> String {
        format!("{}{name}", self.group_prefix)
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

#[cfg(feature = "kafka")]
fn open_kafka(settings: &BusSettings) -> Result<Arc<dyn Backend>, BusError> {
    crate::kafka::open(settings)
}

#[cfg(not(feature = "kafka"))]
fn open_kafka(_: &BusSettings) -> Result<Arc<dyn Backend>, BusError> {
    Err(BusError::Settings("this program was built without Kafka; use kind = \"embedded\"".into()))
}
