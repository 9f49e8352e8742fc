//! What the log carries: a write-set with the row versions it rests on.

use proto_types::{ClassId, DateTime, Field, Ref, Value};
use uuid::Uuid;

use crate::database::Index;

/// Names one request, so that a repeated proposal has its effect once.
pub type RequestId = Uuid;

/// A write-set. Applied whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Names the request; applying the same id again answers the first outcome and changes nothing.
    pub request: RequestId,
    /// Rows the decision read and the version it saw; `0` means "did not exist".
    pub reads: Vec<(Ref, Index)>,
    /// Changes in order.
    pub changes: Vec<Change>,
    /// The leader's clock when it decided; for the record only, apply does not look at it.
    pub decided_at: DateTime,
    /// Who caused it and through which call, for history and audit: `user`, `method`.
    pub origin: Origin,
}

/// Who caused a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The user's name, empty for the pool itself.
    pub user: String,
    /// The API call or internal activity.
    pub method: String,
    /// The trace id in hexadecimal, so that a log entry can be followed to the call.
    pub trace: String,
}

/// One change to one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Makes a row; fields left out take their defaults.
    Insert {
        /// The class.
        class: ClassId,
        /// The new reference, never used before.
        reference: Ref,
        /// Values.
        fields: Vec<(Field, Value)>,
    },
    /// Sets fields of a row.
    Update {
        /// The row.
        reference: Ref,
        /// New values.
        fields: Vec<(Field, Value)>,
    },
    /// Stamps a row as changed without changing a stored value (a derived value changed).
    Touch {
        /// The row.
        reference: Ref,
    },
    /// Removes a row.
    Delete {
        /// The row.
        reference: Ref,
    },
}

impl Change {
    /// The row that is changed.
    pub fn reference(&self) -> Ref {
        match self {
            Change::Insert { reference, .. }
            | Change::Update { reference, .. }
            | Change::Touch { reference }
            | Change::Delete { reference } => *reference,
        }
    }
}
