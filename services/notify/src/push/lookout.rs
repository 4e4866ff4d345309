//! Which devices are connected to this process, for those that push: comings and goings gather, and those of devices
//! with a subscription are written down together, on a lease.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::models::UnixMillis;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::State;
use crate::domain::NotifyError;
use crate::store::subscriptions::{self, Device};

/// The devices that are connected to this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Lookout(Arc<Inner>);

struct Inner {
    process: String,
    devices: Mutex<Devices>,
    changed: Notify,
}

#[derive(Default)]
struct Devices {
    connections: HashMap<Device, u32>,
    /// What is not written down yet; and whether it is that the device was here just now, or was so before.
    changed: HashMap<Device, bool>,
}

impl Lookout {
    /// Makes that of a process, under a fresh name.
    pub(crate) fn new() -> Self {
        let process = Uuid::now_v7().to_string();
        Self(Arc::new(Inner { process, devices: Mutex::default(), changed: Notify::new() }))
    }

    /// Lets a device be connected by one socket more.
    pub(crate) fn enter(&self, device: Device) -> Box<Online> {
        let mut devices = self.0.devices();
        *devices.connections.entry(device.clone()).or_default() += 1;
        self.0.note(devices, device.clone(), true);
        Box::new(Online { lookout: self.clone(), device })
    }

    /// Has written down that a device is connected, if it is: it has a subscription now.
    pub(crate) fn touch(&self, device: &Device) {
        let devices = self.0.devices();
        if devices.connections.contains_key(device) {
            self.0.note(devices, device.clone(), false);
        }
    }

    /// Writes down what changes, and renews the lease, until `cancel`; then takes back what was written.
    pub(crate) async fn run(&self, state: &State, cancel: CancellationToken) {
        let settings = &state.settings;
        let renewal = settings.presence_lease / 3;
        let (mut renewed, mut looked) = (Instant::now(), state.clock.now());
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.0.changed.notified() => sleep(settings.presence_gather).await,
                () = sleep_until(renewed + renewal) => {}
            }
            let renew = renewed.elapsed() >= renewal;
            if renewed.elapsed() >= 2 * renewal {
                // So late that others may have taken this process for dead, and removed what it had said.
                self.0.touch_all();
            }
            let since = renew.then_some(looked);
            let now = state.clock.now();
            match self.write(state, since, now).await {
                // Clocks differ a little: who subscribed elsewhere is looked for once more.
                Ok(()) if renew => (renewed, looked) = (Instant::now(), now - renewal),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "who is connected could not be written down; trying again");
                    sleep(settings.presence_gather).await;
                }
            }
        }
        let process = self.0.process.clone();
        if let Err(error) = state.db.write(move |conn| subscriptions::withdraw(conn, &process)).await {
            tracing::debug!(%error, "who was connected was not taken back; the lease will end");
        }
    }

    /// Writes down what has changed; and, with the renewal, who of those here has subscribed at another process.
    async fn write(
        &self,
        state: &State,
        since: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<(), NotifyError> {
        if let Some(since) = since {
            let lately = state.db.read(move |conn| subscriptions::subscribed_since(conn, since)).await?;
            lately.iter().for_each(|device| self.touch(device));
        }
        let changed = self.0.take_changed();
        let (mut come, mut here, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (device, just_now) in &changed {
            let devices = match (self.0.has(device), just_now) {
                (true, true) => &mut come,
                (true, false) => &mut here,
                (false, _) => &mut gone,
            };
            devices.push(device.clone());
        }
        let (process, until) = (self.0.process.clone(), now + state.settings.presence_lease);
        let writing = state.db.write(move |conn| {
            subscriptions::see(conn, (&come, &gone), &process, now, until)?;
            subscriptions::say(conn, &here, &process, until)?;
            if since.is_some() {
                subscriptions::renew(conn, &process, until)?;
            }
            Ok::<_, NotifyError>(())
        });
        let written = writing.await;
        if written.is_err() {
            self.0.put_back(changed);
        }
        written
    }
}

impl Inner {
    fn note(&self, mut devices: MutexGuard<'_, Devices>, device: Device, just_now: bool) {
        *devices.changed.entry(device).or_default() |= just_now;
        drop(devices);
        self.changed.notify_one();
    }

    fn put_back(&self, changed: HashMap<Device, bool>) {
        for (device, just_now) in changed {
            self.note(self.devices(), device, just_now);
        }
    }

    /// Has all devices that are connected written down again.
    fn touch_all(&self) {
        let mut devices = self.devices();
        let Devices { connections, changed } = &mut *devices;
        for device in connections.keys() {
            changed.entry(device.clone()).or_default();
        }
    }

    fn has(&self, device: &Device) -> bool {
        self.devices().connections.contains_key(device)
    }

    fn take_changed(&self) -> HashMap<Device, bool> {
        std::mem::take(&mut self.devices().changed)
    }

    /// Entries are put in and taken out whole, so a poisoned lock is sound.
    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device that is connected by one socket, until it is dropped.
pub(crate) struct Online {
    lookout: Lookout,
    device: Device,
}

impl Drop for Online {
    fn drop(&mut self) {
        let inner = &self.lookout.0;
        let mut devices = inner.devices();
        if let Some(count) = devices.connections.get_mut(&self.device) {
            *count -= 1;
            if *count == 0 {
                devices.connections.remove(&self.device);
            }
        }
        // A socket that is given up says nothing of the others.
        let gone = !devices.connections.contains_key(&self.device);
        inner.note(devices, self.device.clone(), gone);
    }
}
