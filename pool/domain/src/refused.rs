//! The rules say no.

use proto_types::{ApiError, Ref};

/// Why a decision refused a request. Each maps to one code of the API's catalogue.
///
/// Decisions that have a code of their own for an obstacle use [`Refused::Api`]; the variants here are those
/// that the pool's own code looks at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another operation holds the object; waiting may help.
    #[error("another operation is in progress")]
    Busy {
        /// Class of the object.
        class: &'static str,
        /// The object.
        object: Ref,
        /// The operation that was asked for or runs.
        operation: String,
        /// The task that holds it, as text.
        task: String,
    },
    /// Refused with this error.
    #[error("refused: {0}")]
    Api(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Refused::Api(error)
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy {
                class,
                object,
                operation,
                task,
            } => ApiError::new(
                "OTHER_OPERATION_IN_PROGRESS",
                [class.to_owned(), object.to_string(), operation, task],
            ),
            Refused::Api(error) => error,
        }
    }
}
