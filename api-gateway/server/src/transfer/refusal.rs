//! Why a request is refused, as a status and as the end of its task.

use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use proto_types::ApiError;

use super::table::Entry;
use super::{Broken, Reply, reply};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody known asks: 401.
    Unauthorized,
    /// The role is too low: 403.
    Forbidden(ApiError),
    /// The API says no: this status, and the error in the task.
    Api(StatusCode, ApiError),
    /// There is no such thing: this status.
    Status(StatusCode),
    /// The connection is closed without an answer.
    Closed,
}

impl Refusal {
    /// What the client's task ends with.
    pub fn error(&self) -> Option<ApiError> {
        match self {
            Refusal::Unauthorized => Some(ApiError::bare("SESSION_AUTHENTICATION_FAILED")),
            Refusal::Forbidden(error) | Refusal::Api(_, error) => Some(error.clone()),
            Refusal::Status(status) => Some(ApiError::internal(format!("HTTP {status}"))),
            Refusal::Closed => Some(ApiError::internal("the connection was closed")),
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// [`Broken`] if there is none.
    pub fn into_reply(self, entry: &Entry) -> Result<Reply, Broken> {
        Ok(match self {
            Refusal::Unauthorized => {
                let mut page = reply::page(StatusCode::UNAUTHORIZED);
                if let Ok(realm) = HeaderValue::try_from(format!("Basic realm=\"{}\"", entry.label)) {
                    page.headers_mut().insert(WWW_AUTHENTICATE, realm);
                }
                page
            }
            Refusal::Forbidden(_) => reply::page(StatusCode::FORBIDDEN),
            Refusal::Api(status, _) | Refusal::Status(status) => reply::page(status),
            Refusal::Closed => return Err(Broken),
        })
    }
}

impl From<ApiError> for Refusal {
    /// What the API refuses before anything was sent is an internal error to HTTP, but for what one may not.
    fn from(error: ApiError) -> Refusal {
        if error.code == "RBAC_PERMISSION_DENIED" {
            return Refusal::Forbidden(error);
        }
        Refusal::Api(StatusCode::INTERNAL_SERVER_ERROR, error)
    }
}
