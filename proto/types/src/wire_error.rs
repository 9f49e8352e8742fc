//! The error a client sees: a code of the catalogue and its string parameters.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A failure in the API's own terms: `[code, parameter, ...]` on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A code of the error catalogue, such as `HANDLE_INVALID`.
    pub code: Cow<'static, str>,
    /// The parameters in the order the catalogue declares.
    pub params: Vec<String>,
}

impl ApiError {
    /// Makes an error from its code and parameters.
    pub fn new<P: Into<String>>(code: &'static str, params: impl IntoIterator<Item = P>) -> ApiError {
        ApiError {
            code: Cow::Borrowed(code),
            params: params.into_iter().map(Into::into).collect(),
        }
    }

    /// Makes an error that has no parameters.
    pub fn bare(code: &'static str) -> ApiError {
        ApiError {
            code: Cow::Borrowed(code),
            params: Vec::new(),
        }
    }

    /// `INTERNAL_ERROR` with a text.
    pub fn internal(text: impl Into<String>) -> ApiError {
        ApiError {
            code: Cow::Borrowed("INTERNAL_ERROR"),
            params: vec![text.into()],
        }
    }

    /// `HANDLE_INVALID [class, reference]`.
    pub fn handle_invalid(class: &str, reference: impl fmt::Display) -> ApiError {
        ApiError {
            code: Cow::Borrowed("HANDLE_INVALID"),
            params: vec![class.to_owned(), reference.to_string()],
        }
    }

    /// Code and parameters as one list, the form of `ErrorDescription` and `task.error_info`.
    pub fn description(&self) -> Vec<String> {
        let mut all = Vec::with_capacity(self.params.len().saturating_add(1));
        all.push(self.code.to_string());
        all.extend(self.params.iter().cloned());
        all
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.code, self.params)
    }
}

impl std::error::Error for ApiError {}
