//! What the ports of operations and gateway stand for in a real node.

pub mod agents;
pub mod archives;
pub mod audit;
pub mod cluster;
pub mod drill;
pub mod figures;
pub mod forward;
pub mod membership;
pub mod streams;
pub mod survival;
