//! How many connections there may be, in all and from one address.
//!
//! An IPv6 customer has at least a /64 to himself, so that is what counts as one address there; an
//! IPv4 address written as IPv6 counts as itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts.
#[derive(Debug, Default)]
pub struct Seats {
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place among all, given back when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Seats>);

/// One connection's place among those of its address, given back when dropped.
#[derive(Debug)]
pub struct AddressSeat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    /// A place among all, if fewer than `most` are taken.
    pub fn take(self: &Arc<Self>, most: usize) -> Option<Seat> {
        let seat = Seat(Arc::clone(self));
        (self.taken.fetch_add(1, AcqRel) < most).then_some(seat)
    }

    /// How many places are taken now.
    pub fn taken(&self) -> usize {
        self.taken.load(Acquire)
    }

    /// A place among those of one address, if fewer than `most` are taken.
    pub fn take_address(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<AddressSeat> {
        let address = counted_as(address);
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(AddressSeat { seats: Arc::clone(self), address })
    }
}

fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, AcqRel);
    }
}

impl Drop for AddressSeat {
    fn drop(&mut self) {
        let mut counts = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_one_customer_is_one_address() {
        let seats = Arc::new(Seats::default());
        let take = |text: &str| seats.take_address(text.parse().unwrap(), 1);
        let _held = [take("2001:db8::1").unwrap(), take("10.0.0.1").unwrap()];
        assert!(take("2001:db8::2").is_none());
        assert!(take("::ffff:10.0.0.1").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn seats_are_given_back() {
        let seats = Arc::new(Seats::default());
        let first = seats.take(1).unwrap();
        assert!(seats.take(1).is_none());
        drop(first);
        assert!(seats.take(1).is_some());
        drop(seats.take_address("10.0.0.1".parse().unwrap(), 1).unwrap());
        assert!(seats.by_address.lock().unwrap().is_empty());
    }
}
