//! One HTTP connection, whatever it runs over.

pub(crate) mod body;
pub(crate) mod connection;
pub mod error_page;
pub mod reply_body;
pub(crate) mod timed_io;
