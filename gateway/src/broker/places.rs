//! Room for devices: so many in all, so many connections of each, so that none keeps the others out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::DeviceId;

/// Connections of one device at once: the one it uses, and some that it lost and that were not missed yet.
pub const MAX_CONNECTIONS_OF_DEVICE: usize = 4;

/// Places that are taken and given back.
#[derive(Debug, Clone)]
pub(super) struct Places {
    max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    of_each: BTreeMap<DeviceId, usize>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    device: DeviceId,
    taken: Arc<Mutex<Taken>>,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum NoPlace {
    #[error("the broker is full")]
    Full,
    #[error("the device has too many connections")]
    TooMany,
}

impl Places {
    /// Makes room for `max` connections of devices.
    pub(super) fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// Takes a place for a connection of `device`.
    pub(super) fn take(&self, device: &DeviceId) -> Result<Place, NoPlace> {
        let mut taken = lock(&self.taken);
        if taken.in_all >= self.max {
            return Err(NoPlace::Full);
        }
        let own = taken.of_each.entry(device.clone()).or_default();
        if *own >= MAX_CONNECTIONS_OF_DEVICE {
            return Err(NoPlace::TooMany);
        }
        *own += 1;
        taken.in_all += 1;
        Ok(Place { device: device.clone(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.in_all -= 1;
        if let Some(own) = taken.of_each.get_mut(&self.device) {
            *own -= 1;
            if *own == 0 {
                taken.of_each.remove(&self.device);
            }
        }
    }
}

/// The counts are right even where a holder of the lock panicked: each change is whole.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_of_each_and_come_back() {
        let (places, a, b) = (Places::new(6), "a".parse().unwrap(), "b".parse().unwrap());
        let mut of_a: Vec<Place> = (0..MAX_CONNECTIONS_OF_DEVICE).map(|_| places.take(&a).unwrap()).collect();
        assert_eq!(places.take(&a).unwrap_err(), NoPlace::TooMany);
        let of_b = [places.take(&b).unwrap(), places.take(&b).unwrap()];
        assert_eq!(places.take(&b).unwrap_err(), NoPlace::Full);
        of_a.pop();
        of_a.push(places.take(&a).unwrap());
        drop((of_a, of_b));
        assert!(lock(&places.taken).of_each.is_empty());
        assert_eq!(lock(&places.taken).in_all, 0);
    }
}
