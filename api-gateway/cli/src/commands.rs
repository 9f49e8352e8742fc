//! Commands that do more than send one message.

mod adopt;
mod appliances;
mod console;
mod diagnostics;
mod disks;
mod drill;
mod events;
mod exports;
mod files;
mod hosts;
mod imports;
mod install;
mod memory;
mod messages;
mod migrate;
mod networks;
mod pools;
mod snapshots;
mod storage;
mod subjects;
mod uninstall;
mod vms;

use crate::context::Run;

/// Commands by name.
pub type Table = &'static [(&'static str, Run)];

const TABLES: &[Table] = &[
    adopt::TABLE,
    appliances::TABLE,
    console::TABLE,
    diagnostics::TABLE,
    disks::TABLE,
    drill::TABLE,
    events::TABLE,
    exports::TABLE,
    files::TABLE,
    hosts::TABLE,
    imports::TABLE,
    install::TABLE,
    memory::TABLE,
    messages::TABLE,
    migrate::TABLE,
    networks::TABLE,
    pools::TABLE,
    snapshots::TABLE,
    storage::TABLE,
    subjects::TABLE,
    uninstall::TABLE,
    vms::TABLE,
];

/// The command of a name, if it is one of these.
pub fn find(name: &str) -> Option<Run> {
    let all = TABLES.iter().flat_map(|table| table.iter());
    all.clone().find(|(known, _)| *known == name).map(|(_, run)| *run)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::catalogue::commands;

    #[test]
    fn each_is_in_the_catalogue_once() {
        let mut names: Vec<&str> = TABLES
            .iter()
            .flat_map(|t| t.iter())
            .map(|(name, _)| *name)
            .collect();
        for name in &names {
            assert!(commands().contains_key(name), "{name}");
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_command_of_the_catalogue_can_be_run() {
        for command in commands().values() {
            let simple = crate::simple::message(command).is_some();
            assert!(simple || find(command.name).is_some(), "{}", command.name);
        }
    }
}
