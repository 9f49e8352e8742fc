//! What a command works with.

use crate::client::Client;
use crate::command_line::Params;
use crate::failure::Failure;
use crate::output::Printer;

/// One run of one command.
pub struct Context<'a> {
    /// The session.
    pub client: &'a Client,
    /// What was typed.
    pub params: &'a Params,
    /// Where results go.
    pub out: &'a mut Printer,
}

/// Carries out a command.
pub type Run = fn(&mut Context<'_>) -> Result<(), Failure>;

impl Context<'_> {
    /// Refuses to go on without `--force`.
    ///
    /// # Errors
    /// Without it.
    pub fn demand_force(&self) -> Result<(), Failure> {
        if self.params.truth("force")? {
            return Ok(());
        }
        Err(Failure::cli(
            "This operation is dangerous and may cause data loss. This operation must be forced (use --force).",
        ))
    }

    /// The object that a parameter names by its uuid.
    ///
    /// # Errors
    /// When the parameter is not there, or the object is not.
    pub fn named(&self, class: &str, parameter: &str) -> Result<String, Failure> {
        self.client.by_uuid(class, self.params.required(parameter)?)
    }

    /// The object that a parameter names by its uuid, if the parameter is there.
    ///
    /// # Errors
    /// When the object is not.
    pub fn named_if_given(&self, class: &str, parameter: &str) -> Result<Option<String>, Failure> {
        self.params
            .get(parameter)
            .map(|uuid| self.client.by_uuid(class, uuid))
            .transpose()
    }

    /// Prints the uuid of an object.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn print_uuid(&mut self, class: &str, reference: &str) -> Result<(), Failure> {
        let uuid = self.client.uuid(class, reference)?;
        self.out.value(&uuid);
        Ok(())
    }

    /// Asks whether to go on; anything but `yes` means no.
    pub fn user_says_yes(&mut self) -> bool {
        self.out.line("Type 'yes' to continue");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        let answer = answer.trim_end_matches(['\r', '\n']);
        if read.is_ok() && answer.trim().eq_ignore_ascii_case("yes") {
            return true;
        }
        self.out.line(&format!("Aborted (you typed: '{answer}')"));
        false
    }
}
