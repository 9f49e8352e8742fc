//! What is measured on a host, and its sources.

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Something of which figures are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measured {
    /// The host.
    Host,
    /// A VM that runs there.
    Vm(Uuid),
    /// A repository that is plugged there.
    Sr(Uuid),
}

/// A source of figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSource {
    /// Its name, such as `cpu0`.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is archived.
    pub enabled: bool,
    /// Whether it is archived without being asked for.
    pub standard: bool,
    /// The unit of its values.
    pub units: String,
    /// The least value that can be true; `None` if there is no bound.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest value that can be true; `None` if there is no bound.
    #[serde(default)]
    pub max: Option<f64>,
    /// The newest value, if it is known.
    #[serde(default)]
    pub value: Option<f64>,
}

/// What the records say of a live domain, as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainFigures {
    /// The VM.
    pub vm: Uuid,
    /// What it has of memory.
    pub memory: Bytes,
}
