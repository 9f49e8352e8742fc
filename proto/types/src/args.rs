//! Checked arguments of one call, in the order of the message's parameters.

use crate::{ApiError, Ref, Value};

/// The arguments of a call after decoding: one value per declared parameter, defaults filled in.
#[derive(Clone, Debug)]
pub struct Args(pub Vec<Value>);

impl Args {
    /// The argument at a position.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the message declares no such parameter.
    pub fn at(&self, index: usize) -> Result<&Value, ApiError> {
        self.0
            .get(index)
            .ok_or_else(|| ApiError::internal("argument missing"))
    }

    /// The reference at a position.
    ///
    /// # Errors
    /// As [`Args::at`].
    pub fn reference(&self, index: usize) -> Result<Ref, ApiError> {
        self.at(index).map(Value::as_ref)
    }

    /// The text at a position.
    ///
    /// # Errors
    /// As [`Args::at`].
    pub fn text(&self, index: usize) -> Result<&str, ApiError> {
        self.at(index).map(Value::as_str)
    }

    /// The truth value at a position.
    ///
    /// # Errors
    /// As [`Args::at`].
    pub fn truth(&self, index: usize) -> Result<bool, ApiError> {
        self.at(index).map(Value::as_bool)
    }

    /// The integer at a position.
    ///
    /// # Errors
    /// As [`Args::at`].
    pub fn int(&self, index: usize) -> Result<i64, ApiError> {
        self.at(index).map(Value::as_int)
    }
}
