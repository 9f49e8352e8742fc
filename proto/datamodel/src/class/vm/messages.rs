//! Messages of the class `VM`: the published ones, those still (or no longer) of use, and those between hosts.

mod intra_pool;
mod prototypes;
mod published;
mod published_2;

use crate::model::{Message, joined};

const PARTS: &[&[Message]] = &[
    published::MESSAGES,
    published_2::MESSAGES,
    prototypes::MESSAGES,
    intra_pool::MESSAGES,
];

/// Messages beyond the generic ones.
pub(super) const MESSAGES: &[Message] = &joined::<{ crate::model::count(PARTS) }>(PARTS);
