//! What the leader may ask of a host.
