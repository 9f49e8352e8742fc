//! `proto-codegen [--check] [--root DIR]`: writes `proto/types/src/generated`, or says what is out of date.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use proto_codegen::{files, tree};

fn main() -> ExitCode {
    let mut check = false;
    let mut root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => check = true,
            "--root" => match args.next() {
                Some(dir) => root = PathBuf::from(dir),
                None => return usage("--root needs a folder"),
            },
            other => return usage(&format!("unknown argument {other}")),
        }
    }
    let files = files();
    let outcome = if check {
        tree::compare(&root, &files)
    } else {
        tree::update(&root, &files)
    };
    let difference = match outcome {
        Ok(difference) => difference,
        Err(e) => return usage(&format!("{}: {e}", root.join(tree::FOLDER).display())),
    };
    let mut out = std::io::stderr();
    let verb = if check { "out of date" } else { "written" };
    let lines = difference.stale.iter().map(|path| format!("{verb}: {path}"));
    let extra = difference
        .extra
        .iter()
        .map(|path| format!("without source: {path}"));
    for line in lines.chain(extra) {
        // A closed stderr is no reason to fail.
        let _ = writeln!(out, "{line}");
    }
    if check && !difference.is_none() {
        let _ = writeln!(out, "run `cargo xtask codegen`");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn usage(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "proto-codegen: {problem}");
    ExitCode::from(2)
}
