//! The internal class `tarn_member`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::internal("tarn_member", "A node of the consensus group.").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("node_id", Int, "tarn-1", "Number within the group; never used again."),
    Field::internal("host", Ref("host"), "tarn-1", "The host the node runs on."),
    Field::internal("address", Text, "tarn-1", "Address that the others reach."),
    Field::internal("grpc_port", Int, "tarn-1", "Port for peers."),
    Field::internal("api_port", Int, "tarn-1", "Port for clients."),
    Field::internal("joined", Time, "tarn-1", "When it joined."),
    Field::internal("learner", Text, "tarn-1", "The uuid of a node that only learns; empty for a host's."),
];
