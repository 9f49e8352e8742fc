//! `xe help`: lists of commands, and what a command takes. It needs no server.

use proto_types::generated::find;

use crate::catalogue::{self, Command};
use crate::command_line::Params;
use crate::generated::VERBS;
use crate::output::Printer;
use crate::records;
use crate::select::What;
use crate::simple;

mod descriptions;

/// Parameters of help itself.
const OWN: &[&str] = &["server", "username", "password", "port", "minimal", "all"];

const VM_SELECTORS: &str = "<vm-selectors>";
const HOST_SELECTORS: &str = "<host-selectors>";
const SR_SELECTORS: &str = "<sr-selectors>";

/// A command as help lists it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    standard: bool,
}

/// Every command that is not hidden, by name.
fn entries() -> Vec<Entry> {
    let written = catalogue::commands().values().filter(|command| !command.hidden);
    let written = written.map(|command| Entry {
        name: command.name.to_owned(),
        standard: command.standard,
    });
    let generated = records::commanded().flat_map(|kind| {
        let suiting = VERBS.iter().filter(|(verb, _)| verb.suits(kind));
        suiting.map(|(_, word)| Entry {
            name: format!("{}-{word}", kind.name),
            standard: *word == "list" && ["vm", "network", "sr"].contains(&kind.name),
        })
    });
    let mut all: Vec<Entry> = written.chain(generated).collect();
    all.push(Entry {
        name: "help".to_owned(),
        standard: false,
    });
    all.sort();
    all.dedup_by(|a, b| a.name == b.name);
    all
}

/// Prints what was asked for.
pub fn run(params: &Params, out: &mut Printer) {
    let asked: Vec<&str> = params
        .0
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !OWN.contains(key))
        .collect();
    if !asked.is_empty() {
        for name in asked {
            describe(name, out);
        }
        return;
    }
    let minimal = params.get("minimal") == Some("true");
    let all = params.get("all") == Some("true");
    let entries = entries();
    let names: Vec<&str> = entries
        .iter()
        .filter(|entry| all || entry.standard)
        .map(|entry| entry.name.as_str())
        .collect();
    if minimal {
        out.list(&names);
        return;
    }
    let usage = "Usage: xe <command> [-s server] [-pw passwd] [-p port] [-u user] [-pwf password-file]\n  \
                 [command specific arguments]\n\n\
                 To get help on a specific command: xe help <command>\n";
    if all {
        out.value(&format!("{usage}\nFull command list\n-----------------"));
        let begins = |prefix: &'static str| move |name: &&&str| name.starts_with(prefix);
        let pick = |of: &dyn Fn(&&&str) -> bool| names.iter().filter(|n| of(n)).copied().collect::<Vec<_>>();
        let (hosts, vms) = (pick(&begins("host-")), pick(&begins("vm-")));
        let others = pick(&|name| !name.starts_with("host-") && !name.starts_with("vm-"));
        out.list(&wrapped(&hosts));
        out.list(&wrapped(&[""]));
        out.list(&wrapped(&vms));
        out.list(&wrapped(&[""]));
        out.list(&wrapped(&others));
    } else {
        out.value(&format!(
            "{usage}To get a full listing of commands: xe help --all\n\nCommon command list\n-------------------"
        ));
        out.list(&wrapped(&names));
    }
}

/// Names in lines of at most about 78 characters.
fn wrapped(names: &[&str]) -> Vec<String> {
    const INDENT: &str = "    ";
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len().saturating_add(name.len()) <= 74 => {
                line.push_str(", ");
                line.push_str(name);
            }
            _ => lines.push(format!("{INDENT}{name}")),
        }
    }
    lines
}

fn describe(name: &str, out: &mut Printer) {
    let described = match catalogue::commands().get(name) {
        Some(command) => Some(written(command)),
        None => generated(name),
    };
    let Some((required, optional, text)) = described else {
        out.value(&format!("Unknown command '{name}'"));
        return;
    };
    out.table(&[vec![
        ("command name        ".to_owned(), name.to_owned()),
        ("reqd params     ".to_owned(), required),
        ("optional params ".to_owned(), optional),
        ("description     ".to_owned(), text),
    ]]);
}

fn written(command: &Command) -> (String, String, String) {
    let mut optional: Vec<&str> = command.optional.clone();
    let mut text = descriptions::of(command.name).map_or_else(|| from_model(command), str::to_owned);
    let selectors = command.select.map(|what| match what {
        What::Vms(_) => (VM_SELECTORS, "VMs", "vm"),
        What::Hosts => (HOST_SELECTORS, "hosts", "host"),
        What::Srs => (SR_SELECTORS, "SRs", "sr"),
    });
    if let Some((word, plural, kind)) = selectors {
        optional.push(word);
        text.push_str(&format!(
            " The {plural} are chosen with {kind}=<uuid or name> or by their fields, as 'xe {kind}-list' does; several \
             at once with --multiple."
        ));
    }
    (command.required.join(", "), optional.join(", "), text)
}

/// What the data model says of the command's message.
fn from_model(command: &Command) -> String {
    let message = simple::message(command).and_then(find);
    message.map(|id| id.def().doc.to_owned()).unwrap_or_default()
}

fn generated(name: &str) -> Option<(String, String, String)> {
    let (kind, verb) = crate::split_generated(name)?;
    if !verb.suits(kind) {
        return None;
    }
    Some((
        verb.required().join(", "),
        verb.optional(kind).join(", "),
        verb.help(kind),
    ))
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::output::test::Kept;

    fn help(words: &[&str], minimal: bool) -> String {
        let out = Kept::default();
        let mut printer = Printer::to(minimal, Box::new(out.clone()), Box::new(Kept::default()));
        let mut params = Params(
            words
                .iter()
                .map(|word| ((*word).to_owned(), "true".to_owned()))
                .collect(),
        );
        if minimal {
            params.0.push(("minimal".to_owned(), "true".to_owned()));
        }
        run(&params, &mut printer);
        printer.finish();
        out.text()
    }

    #[test]
    fn lists_are_for_completion_too() {
        let all = help(&["all"], true);
        assert!(all.starts_with("appliance-assert-can-be-recovered,appliance-create,"));
        for name in ["vm-list", "vm-start", "pool-param-set", "help", "vm-group-list"] {
            assert!(all.split(',').any(|known| known.trim() == name), "{name}");
        }
        assert!(!all.contains("crashdump-param-get,crashdump") && !all.contains("vm-query-services"));
        let common = help(&[], true);
        assert!(common.contains("vm-list") && !common.contains("host-param-get"));
    }

    #[test]
    fn a_command_shows_what_it_takes() {
        let text = help(&["vm-clone"], false);
        assert!(text.starts_with("command name            : vm-clone\n"), "{text}");
        assert!(
            text.contains("        reqd params     : new-name-label\n"),
            "{text}"
        );
        assert!(
            text.contains("        optional params : new-name-description, <vm-selectors>\n"),
            "{text}"
        );
        let text = help(&["vif-list"], false);
        assert!(
            text.contains("optional params : params, database:, uuid, vm-uuid,"),
            "{text}"
        );
        assert_eq!(help(&["vm-strat"], false), "Unknown command 'vm-strat'\n");
    }

    #[test]
    fn names_are_wrapped() {
        let long = "x".repeat(40);
        assert_eq!(
            wrapped(&[&long, "ab", &long]),
            [format!("    {long}, ab"), format!("    {long}")]
        );
    }

    #[test]
    fn every_standard_command_is_described() {
        for command in catalogue::commands().values().filter(|command| command.standard) {
            assert!(!written(command).2.is_empty(), "{}", command.name);
        }
    }
}
