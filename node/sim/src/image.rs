//! Save images: the carried state as JSON.

use std::path::Path;

use node_hypervisor::{DomainSpec, HypervisorError};
use serde::{Deserialize, Serialize};

use crate::domain::Carried;

/// No image is larger; more is damage.
const LARGEST: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Image {
    tarn_sim_image: u32,
    domain: Carried,
}

/// Writes an image.
pub(crate) async fn write(path: &Path, domain: &Carried) -> Result<(), HypervisorError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| HypervisorError::Failed {
        operation: "suspend",
        source,
    };
    let image = Image {
        tarn_sim_image: 1,
        domain: domain.clone(),
    };
    let bytes = serde_json::to_vec(&image).map_err(|e| failed(e.into()))?;
    tokio::fs::write(path, bytes).await.map_err(|e| failed(e.into()))
}

/// Reads an image of the VM that the spec describes, with the devices' places from the spec.
pub(crate) async fn read(path: &Path, spec: &DomainSpec) -> Result<Carried, HypervisorError> {
    let bad = |reason: String| HypervisorError::BadImage {
        image: path.to_owned(),
        reason,
    };
    let size = tokio::fs::metadata(path)
        .await
        .map_err(|e| bad(e.to_string()))?
        .len();
    if size > LARGEST {
        return Err(bad(format!("{size} bytes are too many")));
    }
    let bytes = tokio::fs::read(path).await.map_err(|e| bad(e.to_string()))?;
    // A copy of an image ends with its last sector.
    let length = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let image: Image =
        serde_json::from_slice(bytes.get(..length).unwrap_or_default()).map_err(|e| bad(e.to_string()))?;
    if image.tarn_sim_image != 1 {
        return Err(bad(format!("format {}", image.tarn_sim_image)));
    }
    let mut carried = image.domain;
    if carried.spec.uuid != spec.uuid {
        return Err(bad(format!("it is of {}", carried.spec.uuid)));
    }
    carried.spec.operation.clone_from(&spec.operation);
    for disk in &mut carried.spec.disks {
        if let Some(wanted) = spec.disks.iter().find(|d| d.index == disk.index) {
            disk.source = wanted.source.clone();
        }
    }
    for nic in &mut carried.spec.nics {
        if let Some(wanted) = spec.nics.iter().find(|n| n.index == nic.index) {
            nic.bridge.clone_from(&wanted.bridge);
        }
    }
    Ok(carried)
}
