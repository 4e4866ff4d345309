//! One coarse timer for all sockets of a worker, instead of a timer in each of their tasks.
//!
//! A socket sets its alarm some ticks ahead and is woken then, or when the process starts to drain. Alarms are hints: a
//! woken socket looks at the tick itself, so an early or doubled alarm does no harm.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    task::Waker,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// The length of a tick. Pings, idle limits and close handshakes are exact to this.
pub(crate) const TICK: Duration = Duration::from_millis(250);
const SLOTS: usize = 512;

/// Ticks since the wheel started.
pub(crate) type Tick = u64;

/// Counts the ticks in `duration`, at least one.
pub(crate) fn ticks(duration: Duration) -> Tick {
    Tick::try_from(duration.as_millis().div_ceil(TICK.as_millis())).unwrap_or(Tick::MAX).max(1)
}

/// The part of a socket that the wheel can wake.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    waker: RefCell<Option<Waker>>,
    due: Cell<Option<Tick>>,
}

impl Alarm {
    /// Names the task to wake, unless it is the one already named.
    pub(crate) fn wakes(&self, waker: &Waker) {
        let mut held = self.waker.borrow_mut();
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
    }

    /// Lets go of the task, whose memory the wheel would otherwise keep until the alarm is due.
    pub(crate) fn silence(&self) {
        self.waker.borrow_mut().take();
    }

    fn ring(&self) {
        self.due.set(None);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// The wheel of one worker thread.
#[derive(Debug)]
pub(crate) struct Wheel {
    now: Cell<Tick>,
    slots: RefCell<Vec<Vec<Rc<Alarm>>>>,
    drain: CancellationToken,
}

impl Wheel {
    /// Starts a wheel on the current worker. It turns until its last handle is dropped.
    pub(crate) fn start(drain: CancellationToken) -> Rc<Self> {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        let wheel = Rc::new(Self { now: Cell::new(0), slots: RefCell::new(slots), drain: drain.clone() });
        actix_rt::spawn(turn(Rc::downgrade(&wheel), drain));
        wheel
    }

    pub(crate) fn now(&self) -> Tick {
        self.now.get()
    }

    /// Tells whether the process is stopping.
    pub(crate) fn draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Rings `alarm` at `due`, or earlier when that is further ahead than the wheel reaches.
    pub(crate) fn set(&self, alarm: &Rc<Alarm>, due: Tick) {
        let now = self.now.get();
        let due = due.clamp(now + 1, now + SLOTS as Tick - 1);
        if alarm.due.get().is_some_and(|set| set <= due) {
            return;
        }
        alarm.due.set(Some(due));
        let slot = usize::try_from(due).unwrap_or_default() % SLOTS;
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot) {
            slot.push(Rc::clone(alarm));
        }
    }

    fn advance(&self) {
        self.now.set(self.now.get() + 1);
        let slot = usize::try_from(self.now.get()).unwrap_or_default() % SLOTS;
        let due = self.slots.borrow_mut().get_mut(slot).map(std::mem::take);
        due.into_iter().flatten().for_each(|alarm| alarm.ring());
    }

    fn ring_all(&self) {
        let all: Vec<_> = self.slots.borrow_mut().iter_mut().flat_map(std::mem::take).collect();
        all.into_iter().for_each(|alarm| alarm.ring());
    }
}

async fn turn(wheel: Weak<Wheel>, drain: CancellationToken) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut told = false;
    loop {
        let draining = tokio::select! {
            _ = tick.tick() => false,
            () = drain.cancelled(), if !told => true,
        };
        let Some(wheel) = wheel.upgrade() else { return };
        if draining {
            told = true;
            wheel.ring_all();
        } else {
            wheel.advance();
        }
    }
}
