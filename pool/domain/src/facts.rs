//! What a decision needs of the world: time and fresh ids, handed in so that it can be replayed.

use std::cell::RefCell;

use proto_types::{DateTime, Ref};
use uuid::Uuid;

/// Time and a source of fresh ids.
pub struct Facts {
    /// The leader's clock.
    pub now: DateTime,
    fresh: RefCell<Box<dyn FnMut() -> Uuid + Send>>,
}

impl Facts {
    /// Makes facts from the clock and a source of ids that never repeats one.
    pub fn new(now: DateTime, fresh: impl FnMut() -> Uuid + Send + 'static) -> Facts {
        Facts {
            now,
            fresh: RefCell::new(Box::new(fresh)),
        }
    }

    /// Facts for tests: ids count up from one.
    pub fn counting(now: DateTime) -> Facts {
        let mut next: u128 = 0;
        Facts::new(now, move || {
            next = next.saturating_add(1);
            Uuid::from_u128(next)
        })
    }

    /// A fresh uuid.
    pub fn uuid(&self) -> Uuid {
        (self.fresh.borrow_mut())()
    }

    /// A fresh uuid as text.
    pub fn uuid_text(&self) -> String {
        self.uuid().as_hyphenated().to_string()
    }

    /// A fresh reference.
    pub fn reference(&self) -> Ref {
        Ref::from_uuid(self.uuid())
    }
}
