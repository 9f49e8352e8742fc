//! openraft's types as this pool has them.

use openraft::metrics::RaftMetrics;
use pool_store::{StateMachine, TypeConfig};

/// The consensus node.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;
/// Its metrics.
pub(crate) type Metrics = RaftMetrics<TypeConfig>;
