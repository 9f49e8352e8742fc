//! `xe`: the command line of the XenAPI, with XenServer's grammar and output.
//!
//! ```text
//! arguments, XE_*, ~/.xe ──options──► CommandLine ──► help | generated (list, param-*) | commands | simple
//!                                                              │ client: XML-RPC over the socket or TLS
//!                                                              ▼
//!                                                        records ──► Printer
//! ```
#![forbid(unsafe_code)]

mod catalogue;
mod client;
mod command_line;
mod commands;
mod context;
mod error_text;
mod failure;
mod generated;
mod help;
mod options;
mod output;
mod records;
mod seed;
mod select;
mod simple;
#[cfg(test)]
mod stand_in;
mod tasks;
mod transfer;
mod transport;
mod values;

use std::process::ExitCode;

use catalogue::Command;
use client::{Client, Login};
use command_line::CommandLine;
use context::{Context, Run};
use failure::Failure;
use generated::Verb;
use options::{Options, Surroundings};
use output::Printer;
use records::Kind;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    if args.iter().any(|arg| arg == "-version") {
        Printer::standard(false).line(concat!("xe ", env!("CARGO_PKG_VERSION")));
        return ExitCode::SUCCESS;
    }
    match start(args) {
        Ok(code) => code,
        Err(failure) => {
            say(None, &failure);
            exit_code(&failure)
        }
    }
}

fn exit_code(failure: &Failure) -> ExitCode {
    match failure {
        // XenServer's xe does not hold a lack of arguments against anybody.
        Failure::Usage => ExitCode::SUCCESS,
        Failure::Exit(code) => ExitCode::from(*code),
        _ => ExitCode::FAILURE,
    }
}

/// Says what went wrong where it belongs.
fn say(client: Option<&Client>, failure: &Failure) {
    let mut out = Printer::standard(false);
    match failure {
        Failure::Exit(_) => {}
        // What failed for some of many objects is a result.
        Failure::Several(_) => out.line(failure.to_string().trim_end()),
        other => out.complain(&error_text::of(client, other)),
    }
}

/// How a command is carried out.
enum Way {
    Generated(&'static Kind, Verb),
    Written(Run, &'static Command),
    Simple(&'static Command),
}

impl Way {
    fn of(name: &str) -> Result<Way, Failure> {
        if let Some(command) = catalogue::commands().get(name) {
            return Ok(match commands::find(name) {
                Some(run) => Way::Written(run, command),
                None => Way::Simple(command),
            });
        }
        match split_generated(name) {
            Some((kind, verb)) if verb.suits(kind) => Ok(Way::Generated(kind, verb)),
            _ => Err(Failure::UnknownCommand(name.to_owned())),
        }
    }

    fn required(&self) -> &[&'static str] {
        match self {
            Way::Generated(_, verb) => verb.required(),
            Way::Written(_, command) | Way::Simple(command) => &command.required,
        }
    }

    fn login(&self) -> Login {
        match self {
            Way::Written(_, command) | Way::Simple(command) if command.local => Login::Local,
            Way::Generated(..) | Way::Written(..) | Way::Simple(_) => Login::Pool,
        }
    }
}

/// The kind and verb of a generated command.
fn split_generated(name: &str) -> Option<(&'static Kind, Verb)> {
    generated::VERBS.iter().find_map(|(verb, word)| {
        let kind = name.strip_suffix(word)?.strip_suffix('-')?;
        records::commanded()
            .find(|known| known.name == kind)
            .map(|kind| (kind, *verb))
    })
}

fn start(args: Vec<String>) -> Result<ExitCode, Failure> {
    let (options, rest) = Options::take(args, &Surroundings::of_process())?;
    let line = CommandLine::parse(&rest)?;
    let minimal = line.params.truth("minimal")?;
    let mut out = Printer::standard(minimal);
    if line.name == "help" {
        help::run(&line.params, &mut out);
        out.finish();
        return Ok(ExitCode::SUCCESS);
    }
    let way = Way::of(&line.name)?;
    for name in way.required() {
        // Families of parameters are looked for by the commands themselves.
        if !name.ends_with([':', '-']) {
            line.params.required(name)?;
        }
    }
    let client = Client::open(&options, way.login())?;
    let mut cx = Context {
        client: &client,
        params: &line.params,
        out: &mut out,
    };
    let outcome = match way {
        Way::Generated(kind, verb) => generated::run(&mut cx, kind, verb),
        Way::Written(run, _) => run(&mut cx),
        Way::Simple(command) => simple::run(&mut cx, command),
    };
    let code = match outcome {
        Ok(()) => {
            out.finish();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(Some(&client), &failure);
            exit_code(&failure)
        }
    };
    client.close();
    Ok(code)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn generated_commands_are_told_from_written_ones() {
        assert!(matches!(Way::of("vm-list"), Ok(Way::Generated(kind, Verb::List)) if kind.name == "vm"));
        assert!(matches!(Way::of("host-cpu-list"), Ok(Way::Generated(kind, _)) if kind.name == "host-cpu"));
        assert!(matches!(Way::of("vm-cd-list"), Ok(Way::Written(..))));
        assert!(matches!(Way::of("vm-pause"), Ok(Way::Simple(_))));
        assert!(matches!(
            Way::of("role-param-set"),
            Err(Failure::UnknownCommand(_))
        ));
        assert!(matches!(
            Way::of("nonsense-list"),
            Err(Failure::UnknownCommand(_))
        ));
    }
}
