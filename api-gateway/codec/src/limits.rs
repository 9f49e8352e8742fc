//! How much one message may hold.

/// Bounds on what is decoded. What exceeds one of them is refused, whatever else it says.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole message.
    pub bytes: usize,
    /// Values inside one another; 1 means no arrays or structs with content.
    pub depth: usize,
    /// Values and struct members of all levels together.
    pub values: usize,
    /// Bytes of one string, after entities are resolved.
    pub string: usize,
}

impl Limits {
    /// For calls of clients: 300 KiB, the limit of XenServer.
    pub const CALL: Limits = Limits {
        bytes: 307_200,
        depth: 32,
        values: 16_384,
        string: 307_200,
    };

    /// For answers to a client that asks for it: at 8 KiB a record, a pool of 64 hosts with a thousand VMs each is 500 MiB.
    pub const LISTING: Limits = Limits {
        bytes: 1 << 30,
        depth: 32,
        values: 64 << 20,
        string: 64 << 20,
    };

    /// For answers of other servers, which may hold whole databases.
    pub const RESPONSE: Limits = Limits {
        bytes: 64 << 20,
        depth: 32,
        values: 4 << 20,
        string: 64 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::CALL
    }
}
