//! The commands with a name of their own: which parameters they take and which messages they send.
//!
//! The table is `commands.tsv`: kind, command, required parameters, optional ones, flags, messages.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::select::{Also, What};

/// A command of the table.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Parameters that must be given.
    pub required: Vec<&'static str>,
    /// Parameters that may be given; a colon at the end makes a family.
    pub optional: Vec<&'static str>,
    /// Objects are chosen by filters.
    pub select: Option<What>,
    /// Listed by plain `help`.
    pub standard: bool,
    /// Not listed at all.
    pub hidden: bool,
    /// Runs in a session with one host alone.
    pub local: bool,
    /// Messages that it may send.
    pub messages: Vec<&'static str>,
}

/// All commands of the table by name.
pub fn commands() -> &'static BTreeMap<&'static str, Command> {
    static ALL: OnceLock<BTreeMap<&'static str, Command>> = OnceLock::new();
    ALL.get_or_init(|| {
        let table = include_str!("commands.tsv");
        let commands = table
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(parse);
        commands.map(|command| (command.name, command)).collect()
    })
}

fn parse(line: &'static str) -> Option<Command> {
    let mut cells = line.split('\t');
    let (_, name) = (cells.next()?, cells.next()?);
    let mut words = || {
        cells
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    let (required, optional, flags, messages) = (words(), words(), words(), words());
    let is = |flag: &str| flags.contains(&flag);
    let select = if is("vm-select") {
        Some(What::Vms(Also::Nothing))
    } else if is("host-select") {
        Some(What::Hosts)
    } else {
        is("sr-select").then_some(What::Srs)
    };
    Some(Command {
        name,
        select,
        standard: is("std"),
        hidden: is("hidden"),
        local: is("localsession"),
        required,
        optional,
        messages,
    })
}

impl Command {
    /// The names that do not select objects.
    pub fn own(&self) -> Vec<&'static str> {
        let all = self.required.iter().chain(&self.optional);
        let all = all.map(|name| name.trim_end_matches([':', '-']));
        all.chain(["progress", "params"]).collect()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_table_reads() {
        let all = commands();
        assert!(all.len() > 380, "{}", all.len());
        let start = all.get("vm-start").unwrap();
        assert_eq!(start.optional, ["force", "on", "paused"]);
        assert!(start.standard && start.select == Some(What::Vms(Also::Nothing)));
        assert!(all.get("pool-emergency-reset-master").unwrap().local);
        assert_eq!(all.get("sr-create").unwrap().own()[..2], ["name-label", "type"]);
    }

    #[test]
    fn nearly_all_messages_are_of_the_data_model() {
        let messages = commands().values().flat_map(|command| command.messages.iter());
        let unknown: Vec<&&str> = messages
            .filter(|message| proto_types::generated::find(message).is_none())
            .filter(|message| !message.starts_with("Diagnostics."))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
