//! Compiles every `.proto` file of this folder into `OUT_DIR`; no protoc is needed.

use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(".")? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "proto") {
            files.push(path.file_name().map(PathBuf::from).unwrap_or_default());
        }
    }
    files.sort();
    // A new file must be seen as well as a changed one.
    println!("cargo::rerun-if-changed=.");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [Path::new(".")])?;
    let mut config = tonic_prost_build::Config::new();
    config.include_file("tarn_wire.rs").bytes(["."]);
    tonic_prost_build::configure()
        .build_transport(true)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
