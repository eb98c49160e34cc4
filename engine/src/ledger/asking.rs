//! The questions in flight, so that what is asked twice at once is paid for once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

use super::Key;

/// The place for an answer: whoever comes first asks, the others wait, and when it fails the next
/// one asks.
type Place = OnceCell<Arc<str>>;

/// The questions in flight.
#[derive(Debug, Default)]
pub(super) struct Asking(Mutex<HashMap<Key, Weak<Place>>>);

/// A question that somebody asks or waits for.
pub(super) struct Asked<'a> {
    all: &'a Asking,
    key: Key,
    place: Option<Arc<Place>>,
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
        Asked { all: self, key, place: Some(place) }
    }
}

impl Asked<'_> {
    /// The answer: that of somebody else, or of `ask`.
    pub(super) async fn answer<E>(
        &self,
        ask: impl Future<Output = Result<Arc<str>, E>>,
    ) -> Result<Arc<str>, E> {
        match &self.place {
            Some(place) => place.get_or_try_init(|| ask).await.map(Arc::clone),
            None => ask.await,
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut places = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.place.take());
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
