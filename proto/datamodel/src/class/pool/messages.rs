//! Messages of the class `pool`, by what they are for.

mod intra_pool;
mod operations;
mod past;
mod prototypes;
mod questions;
mod settings;

use crate::model::{Message, joined};

const PARTS: &[&[Message]] = &[
    operations::MESSAGES,
    settings::MESSAGES,
    questions::MESSAGES,
    prototypes::MESSAGES,
    past::MESSAGES,
    intra_pool::MESSAGES,
];

/// Messages beyond the generic ones.
pub(super) const MESSAGES: &[Message] = &joined::<{ crate::model::count(PARTS) }>(PARTS);
