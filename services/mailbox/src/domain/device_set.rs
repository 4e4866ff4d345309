//! Whether a send addresses an account's devices as they are.
//!
//! In: the open devices with their registration ids, those that a send names, and the sender's own device if it sends
//! to its own account. Out: nothing, or every difference at once, so that one more try can put all of it right.

use std::collections::BTreeMap;

use common::models::{DeviceId, RegistrationId};

/// How the devices that a send names differ from those that are open. Each list is in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("the message does not address the recipient's devices as they are")]
pub(crate) struct Mismatch {
    /// Open, and not named.
    pub(crate) missing: Vec<DeviceId>,
    /// Named, and not open, or the sender itself.
    pub(crate) extra: Vec<DeviceId>,
    /// Named with the registration id of another installation.
    pub(crate) stale: Vec<DeviceId>,
}

impl Mismatch {
    /// Tells whether the right devices are named and only some sessions with them are out of date.
    pub(crate) fn only_stale(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty()
    }
}

/// A device and the installation on it.
pub(crate) type Installation = (DeviceId, RegistrationId);

/// Compares the devices that are `open` with those that are `named`; `own` is not expected among the latter. No device
/// occurs twice in either.
///
/// # Errors
/// [`Mismatch`].
pub(crate) fn check(
    open: &[Installation],
    named: &[Installation],
    own: Option<DeviceId>,
) -> Result<(), Mismatch> {
    let mut expected: BTreeMap<DeviceId, RegistrationId> = open.iter().copied().collect();
    if let Some(own) = own {
        expected.remove(&own);
    }
    let mut mismatch = Mismatch::default();
    for (device, registration) in named {
        match expected.remove(device) {
            None => mismatch.extra.push(*device),
            Some(current) if current != *registration => mismatch.stale.push(*device),
            Some(_) => {}
        }
    }
    mismatch.missing = expected.into_keys().collect();
    mismatch.extra.sort_unstable();
    mismatch.stale.sort_unstable();
    if mismatch == Mismatch::default() { Ok(()) } else { Err(mismatch) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn device(number: i64) -> DeviceId {
        DeviceId::new(number).unwrap()
    }

    fn installations(of: &[(i64, i64)]) -> Vec<Installation> {
        of.iter().map(|(id, life)| (device(*id), RegistrationId::new(*life).unwrap())).collect()
    }

    fn numbers(devices: &[DeviceId]) -> Vec<i32> {
        devices.iter().map(|device| device.as_i32()).collect()
    }

    #[test]
    fn every_difference_is_told() {
        type Case<'a> = (&'a [(i64, i64)], &'a [(i64, i64)], Option<i64>, [&'a [i32]; 3]);
        let cases: [Case<'_>; 11] = [
            (&[(1, 10)], &[(1, 10)], None, [&[], &[], &[]]),
            (&[(1, 10), (2, 20)], &[(2, 20), (1, 10)], None, [&[], &[], &[]]),
            (&[(1, 10), (2, 20)], &[(1, 10)], None, [&[2], &[], &[]]),
            (&[(1, 10)], &[(1, 10), (9, 9), (3, 3)], None, [&[], &[3, 9], &[]]),
            (&[(1, 10), (2, 20)], &[(2, 21), (1, 11)], None, [&[], &[], &[1, 2]]),
            (&[(1, 10), (2, 20)], &[(2, 21), (3, 30)], None, [&[1], &[3], &[2]]),
            (&[(1, 10), (2, 20)], &[], None, [&[1, 2], &[], &[]]),
            (&[(1, 10), (2, 20)], &[(2, 20)], Some(1), [&[], &[], &[]]),
            (&[(1, 10), (2, 20)], &[(1, 10), (2, 20)], Some(1), [&[], &[1], &[]]),
            (&[(1, 10), (2, 20)], &[(1, 11)], Some(1), [&[2], &[1], &[]]),
            (&[(1, 10)], &[], Some(1), [&[], &[], &[]]),
        ];
        for (open, named, own, [missing, extra, stale]) in cases {
            let told = check(&installations(open), &installations(named), own.map(device));

            let told = told.err().unwrap_or_default();
            let lists = [&told.missing, &told.extra, &told.stale].map(|list| numbers(list));
            assert_eq!(lists, [missing, extra, stale], "{open:?} {named:?} {own:?}");
        }
    }

    fn some_devices() -> impl Strategy<Value = Vec<Installation>> {
        proptest::collection::btree_map(1..12_i64, 1..3_i64, 0..8)
            .prop_map(|devices| installations(&devices.into_iter().collect::<Vec<_>>()))
    }

    proptest! {
        #[test]
        fn a_send_put_right_by_the_answer_is_accepted(
            open in some_devices(), named in some_devices(), own in proptest::option::of(1..12_i64),
        ) {
            let own = own.map(device);
            let Err(told) = check(&open, &named, own) else {
                let expected: BTreeSet<_> = open.into_iter().filter(|(id, _)| Some(*id) != own).collect();
                prop_assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), expected);
                return Ok(());
            };

            let current = |id: &DeviceId| open.iter().copied().find(|(known, _)| known == id);
            let mut right: Vec<_> = named
                .into_iter()
                .filter(|(id, _)| !told.extra.contains(id) && !told.stale.contains(id))
                .collect();
            for id in told.missing.iter().chain(&told.stale) {
                right.push(current(id).unwrap());
            }

            prop_assert_eq!(check(&open, &right, own), Ok(()));
        }
    }
}
