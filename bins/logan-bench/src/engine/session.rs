//! The consumer's side of a fetch session: the broker remembers what is asked for, and requests name what has changed.
//!
//! Values only; [`super::consumer`] builds the requests. A broker that has no room for a session, or is told not to have
//! one, is asked for everything each time. Source: KIP-227.

use types::ErrorCode;

use super::Place;

/// The epoch of a request that begins a session.
const INITIAL: i32 = 0;

/// The epoch of a request that wants none.
const FINAL: i32 = -1;

/// One lane's session.
#[derive(Debug)]
pub(crate) struct Session {
    is_wanted: bool,
    /// 0 while there is none.
    id: i32,
    epoch: i32,
    /// What the broker remembers, and should not any more.
    forgotten: Vec<Place>,
}

impl Session {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            id: 0,
            epoch: if is_wanted { INITIAL } else { FINAL },
            forgotten: Vec::new(),
        }
    }

    /// Whether the next request names everything.
    pub(crate) fn is_full(&self) -> bool {
        self.id == 0
    }

    /// Id and epoch of the next request.
    pub(crate) fn next(&self) -> (i32, i32) {
        (self.id, self.epoch)
    }

    /// Notes that a place is not read any more.
    pub(crate) fn forget(&mut self, place: &Place) {
        if !self.is_full() {
            self.forgotten.push(place.clone());
        }
    }

    /// What the next request tells the broker to forget.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.forgotten)
    }

    /// The broker has answered; `id` is 0 where it keeps no session.
    pub(crate) fn answered(&mut self, id: i32) {
        if !self.is_wanted || id == 0 {
            let is_wanted = self.is_wanted;
            *self = Self::new(is_wanted);
            return;
        }
        self.id = id;
        // Epochs begin again at 1 behind the greatest.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
    }

    /// Whether this error means that the broker has dropped the session, which brokers may do at any time. The next
    /// request begins another. An error of a request that began one is none of these.
    pub(crate) fn is_lost(&mut self, code: i16) -> bool {
        let lost = [
            ErrorCode::FetchSessionIdNotFound,
            ErrorCode::InvalidFetchSessionEpoch,
        ];
        let is_lost = !self.is_full() && lost.iter().any(|lost| lost.code() == code);
        if is_lost {
            *self = Self::new(self.is_wanted);
        }
        is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        Place {
            topic: "t".into(),
            id: types::Uuid::ZERO,
            partition,
            group: 0,
        }
    }

    #[test]
    fn epochs_count_the_requests_of_a_session() {
        let mut session = Session::new(true);
        assert_eq!(session.next(), (0, 0));
        session.answered(7);
        assert_eq!(session.next(), (7, 1));
        session.answered(7);
        assert_eq!(session.next(), (7, 2));
        session.epoch = i32::MAX;
        session.answered(7);
        assert_eq!(session.next(), (7, 1));
    }

    #[test]
    fn a_broker_without_room_is_asked_for_everything_again() {
        let mut session = Session::new(true);
        session.answered(0);
        assert_eq!((session.is_full(), session.next()), (true, (0, 0)));
        let mut unwanted = Session::new(false);
        unwanted.answered(0);
        assert_eq!((unwanted.is_full(), unwanted.next()), (true, (0, -1)));
    }

    #[test]
    fn a_dropped_session_is_begun_anew_and_other_errors_are_errors() {
        let mut session = Session::new(true);
        let lost = ErrorCode::FetchSessionIdNotFound.code();
        assert!(!session.is_lost(lost), "there was none");
        session.answered(7);
        session.forget(&place(1));
        assert!(!session.is_lost(ErrorCode::KafkaStorageError.code()));
        assert!(session.is_lost(lost));
        assert_eq!(session.next(), (0, 0));
        assert!(session.take_forgotten().is_empty(), "nothing is remembered");
    }

    #[test]
    fn what_is_read_no_more_is_said_once() {
        let mut session = Session::new(true);
        session.forget(&place(0));
        assert!(
            session.take_forgotten().is_empty(),
            "it was never asked for"
        );
        session.answered(7);
        session.forget(&place(1));
        assert_eq!(session.take_forgotten().len(), 1);
        assert!(session.take_forgotten().is_empty());
    }
}
