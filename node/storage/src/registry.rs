//! The types of repository this build knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::driver::{DriverDescription, SrDriver};
use crate::error::{Result, StorageError};
use crate::ext::ExtDriver;
use crate::file::FileDriver;
use crate::image::ImageTool;
use crate::iscsi::IscsiDriver;
use crate::iso::IsoDriver;
use crate::nfs::NfsDriver;

/// Drivers by type.
#[derive(Clone)]
pub struct Drivers(BTreeMap<&'static str, Arc<dyn SrDriver>>);

impl Drivers {
    /// A set of drivers; of two with one type the later one counts.
    pub fn new(drivers: impl IntoIterator<Item = Arc<dyn SrDriver>>) -> Drivers {
        Drivers(
            drivers
                .into_iter()
                .map(|driver| (driver.description().kind, driver))
                .collect(),
        )
    }

    /// The driver of a type, in any case of letters as the API allows.
    ///
    /// # Errors
    /// [`StorageError::UnknownType`].
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn SrDriver>> {
        self.0
            .get(kind.to_lowercase().as_str())
            .ok_or_else(|| StorageError::UnknownType {
                kind: kind.to_owned(),
            })
    }

    /// What the SM records say, by type.
    pub fn descriptions(&self) -> impl Iterator<Item = &'static DriverDescription> {
        self.0.values().map(|driver| driver.description())
    }
}

/// All drivers of this build, with usual settings.
pub fn drivers() -> Drivers {
    let images = ImageTool::default();
    let nfs = NfsDriver::new(FileDriver::new(images.clone()));
    Drivers::new([
        Arc::new(FileDriver::new(images.clone())) as Arc<dyn SrDriver>,
        Arc::new(ExtDriver::new(FileDriver::new(images.clone()))),
        Arc::new(nfs.clone()),
        Arc::new(IscsiDriver::new(images)),
        Arc::new(IsoDriver::new(nfs)) as Arc<dyn SrDriver>,
    ])
}
