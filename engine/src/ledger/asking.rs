//! The questions in flight, so that what is asked twice at once is paid for once.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use super::Key;

/// The place for an answer: whoever has it locked asks, the others wait, and when it fails the next
/// one asks.
type Place = Lock<Option<Arc<str>>>;

/// The questions in flight.
#[derive(Debug, Default)]
pub(crate) struct Asking(Mutex<HashMap<Key, Weak<Place>>>);

/// A question that somebody asks or waits for.
pub(super) struct Asked<'a> {
    all: &'a Asking,
    key: Key,
    place: Arc<Place>,
}

/// The turn to ask a question.
pub(super) struct Turn<'a> {
    // Before the question, which looks whether anybody else has its place.
    place: OwnedMutexGuard<Option<Arc<str>>>,
    _asked: Asked<'a>,
}

impl Asking {
    /// Joins those who ask a question, or begins to ask it.
    pub(super) fn join(&self, key: Key) -> Asked<'_> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let place = Arc::default();
            places.insert(key, Arc::downgrade(&place));
            place
        });
        Asked { all: self, key, place }
    }
}

impl<'a> Asked<'a> {
    /// The answer: that of somebody else, or of `ask`.
    pub(super) async fn answer<E>(
        &self,
        ask: impl Future<Output = Result<Arc<str>, E>>,
    ) -> Result<Arc<str>, E> {
        let mut place = self.place.lock().await;
        if let Some(answer) = &*place {
            return Ok(Arc::clone(answer));
        }
        let answer = ask.await?;
        Ok(Arc::clone(place.insert(answer)))
    }

    /// The turn to ask, unless somebody else has it.
    pub(super) fn turn(self) -> Result<Turn<'a>, Self> {
        match Arc::clone(&self.place).try_lock_owned() {
            Ok(place) => Ok(Turn { place, _asked: self }),
            Err(_) => Err(self),
        }
    }

    /// The answer that somebody else gets, if he does.
    pub(super) async fn hear(self) -> Option<Arc<str>> {
        self.place.lock().await.clone()
    }
}

impl Turn<'_> {
    /// The answer that somebody has got before.
    pub(super) fn answer(&self) -> Option<Arc<str>> {
        self.place.clone()
    }

    /// Tells all who wait.
    pub(super) fn end(mut self, answer: Arc<str>) {
        *self.place = Some(answer);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut places = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(mem::take(&mut self.place));
        if places.get(&self.key).is_some_and(|place| place.strong_count() == 0) {
            places.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_asks_and_the_next_one_does_when_that_fails() {
        let (asking, asks) = (Asking::default(), Mutex::new(0));
        let one = async || {
            let ask = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let mut asks = asks.lock().unwrap();
                *asks += 1;
                if *asks < 3 { Err(*asks) } else { Ok(Arc::from("yes")) }
            };
            asking.join(7).answer(ask).await
        };
        let answers = futures::future::join_all((0..9).map(|_| one())).await;
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!((failed, *asks.lock().unwrap()), (2, 3));
        assert!(asking.0.lock().unwrap().is_empty());
        let gone = tokio::time::timeout(Duration::from_millis(1), one()).await;
        assert!(gone.is_err() && asking.0.lock().unwrap().is_empty());
    }
}
