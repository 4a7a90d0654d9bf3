//! A value that many threads look at and some replace. No lock that a fork could leave taken, and no thread-local
//! data, for which the C library might find no memory: the value stands in the table of handles, behind a token that
//! nobody else knows.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire},
        },
    },
};

use crate::{
    error::Result,
    handle::{self, Object},
};

/// Holds the current value, or none.
#[derive(Debug)]
pub struct Shared<T: Object> {
    token: AtomicUsize,
    value: PhantomData<fn() -> T>,
}

impl<T: Object> Shared<T> {
    /// No value.
    pub const fn empty() -> Self {
        Self { token: AtomicUsize::new(0), value: PhantomData }
    }

    /// This value.
    pub fn new(value: T) -> Result<Self> {
        let token = handle::insert(Arc::new(value))?;
        Ok(Self { token: AtomicUsize::new(token), value: PhantomData })
    }

    /// The value as it is now. Fails if there is none.
    pub fn get(&self) -> Result<Arc<T>> {
        self.look().map(|(_, value)| value)
    }

    /// Puts what `change` makes of the value in its place; nothing happens when it fails. It may be called again, on
    /// what another thread made of the value meanwhile.
    pub fn update(&self, change: impl Fn(&T) -> Result<T>) -> Result<()> {
        loop {
            let (old, value) = self.look()?;
            let new = handle::insert(Arc::new(change(&value)?))?;
            if self.token.compare_exchange(old, new, AcqRel, Acquire).is_ok() {
                return handle::remove::<T>(old);
            }
            handle::remove::<T>(new)?;
        }
    }

    /// Puts a value, or none, in the place of whatever is there.
    pub fn set(&self, value: Option<T>) -> Result<()> {
        let new = value.map_or(Ok(0), |value| handle::insert(Arc::new(value)))?;
        match self.token.swap(new, AcqRel) {
            0 => Ok(()),
            old => handle::remove::<T>(old),
        }
    }

    /// The value if it is there and `good`, or what `make` puts in its place.
    pub fn get_or(&self, good: impl Fn(&T) -> bool, make: impl Fn() -> Result<T>) -> Result<Arc<T>> {
        loop {
            let (old, value) = self.look().map_or((0, None), |(token, value)| (token, Some(value)));
            if let Some(value) = value
                && good(&value)
            {
                return Ok(value);
            }
            let value = Arc::new(make()?);
            let new = handle::insert(value.clone())?;
            if self.token.compare_exchange(old, new, AcqRel, Acquire).is_ok() {
                if old != 0 {
                    handle::remove::<T>(old)?;
                }
                return Ok(value);
            }
            handle::remove::<T>(new)?;
        }
    }

    fn look(&self) -> Result<(usize, Arc<T>)> {
        let mut token = self.token.load(Acquire);
        loop {
            let value = handle::get::<T>(token);
            let now = self.token.load(Acquire);
            match value {
                // Replaced between the two looks.
                Err(_) if now != token => token = now,
                value => return value.map(|value| (token, value)),
            }
        }
    }
}

impl<T: Object> Drop for Shared<T> {
    fn drop(&mut self) {
        if *self.token.get_mut() != 0 {
            let _ = handle::remove::<T>(*self.token.get_mut()); // ours alone: it is there
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::Kind;

    struct Number(u64);
    impl Object for Number {
        const KIND: Kind = Kind::Snapshot;
    }

    #[test]
    fn no_update_is_lost_and_no_look_is_torn() {
        let shared = Shared::new(Number(0)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..1000).for_each(|_| shared.update(|n| Ok(Number(n.0 + 1))).unwrap()));
                scope.spawn(|| {
                    let mut last = 0;
                    while last < 3000 {
                        let now = shared.get().unwrap().0;
                        assert!(now >= last);
                        last = now;
                        std::thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(shared.get().unwrap().0, 3000);
        shared.set(None).unwrap();
        assert!(shared.get().is_err());
        shared.set(Some(Number(7))).unwrap();
        assert_eq!(shared.get().unwrap().0, 7);
    }
}
