//! Why a command did not end well, and how that is said.

use std::fmt;
use std::path::PathBuf;

use proto_types::ApiError;

/// What ends a command early.
#[derive(Debug)]
pub enum Failure {
    /// No command: the usage is shown, and that is no error.
    Usage,
    /// A port is no number up to 65535.
    BadPort,
    /// The password file cannot be opened, or has not its two lines.
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Whether it could be read at all.
        readable: bool,
    },
    /// There is no such command.
    UnknownCommand(String),
    /// The command line does not read.
    Syntax(String),
    /// A parameter that the command needs.
    Missing(String),
    /// Something this program refuses; the text after `Error: `.
    Cli(String),
    /// Refused by the API.
    Api(ApiError),
    /// Some of several objects failed: uuid and what was said.
    Several(Vec<(String, String)>),
    /// The server was not reached, or broke off.
    Contact(String),
    /// Everything has been said; only the exit code is left.
    Exit(u8),
}

impl Failure {
    /// A refusal of this program's own.
    pub fn cli(text: impl Into<String>) -> Failure {
        Failure::Cli(text.into())
    }

    /// A broken connection or an answer that makes no sense.
    pub fn contact(text: impl Into<String>) -> Failure {
        Failure::Contact(text.into())
    }

    /// The API's error code, if it is one of those.
    pub fn code(&self) -> Option<&str> {
        if let Failure::Api(error) = self {
            Some(&error.code)
        } else {
            None
        }
    }

    /// Whether the object asked for does not exist (any more).
    pub fn is_gone(&self) -> bool {
        matches!(self.code(), Some("HANDLE_INVALID" | "UUID_INVALID"))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        Failure::Api(error)
    }
}

/// What follows a mistake in the command line.
const FOR_USAGE: &str = "\nFor usage run: 'xe help'";

impl fmt::Display for Failure {
    /// What stands on standard error, without the last line break. Errors of the API are said by `error_text`, since
    /// the objects they name must be looked up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage => f.write_str(USAGE),
            Failure::BadPort => write!(f, "Port number must be an integer (0-65535)\n{USAGE}"),
            Failure::PasswordFile { readable: true, .. } => f.write_str(
                "Error: password file format: expecting username on the first line, password on the second line",
            ),
            Failure::PasswordFile { path, readable: false } => {
                write!(f, "Error opening password file '{}'", path.display())
            }
            Failure::UnknownCommand(name) => write!(f, "Unknown command: {name}{FOR_USAGE}"),
            Failure::Syntax(text) => write!(f, "Syntax error: {text}{FOR_USAGE}"),
            Failure::Missing(name) => write!(f, "Required parameter not found: {name}{FOR_USAGE}"),
            Failure::Cli(text) => write!(f, "Error: {text}"),
            Failure::Api(error) if error.code == "SESSION_AUTHENTICATION_FAILED" => {
                let nameless = error.params.first().is_none_or(String::is_empty);
                let what = if nameless { "Username/password must be specified" } else { "Authentication failed" };
                write!(f, "{what}{FOR_USAGE}")
            }
            Failure::Api(error) => write!(
                f,
                "Error code: {}\nError parameters: {}",
                error.code,
                error.params.join(", ")
            ),
            Failure::Several(each) => {
                for (uuid, text) in each {
                    writeln!(f, "operation failed on {uuid}: {text}")?;
                }
                Ok(())
            }
            Failure::Contact(text) => f.write_str(text),
            Failure::Exit(_) => Ok(()),
        }
    }
}

/// How to call the program.
pub const USAGE: &str = "Usage: xe <cmd> [-s server] [-p port] ([-u username] [-pw password] or [-pwf <password file>]) \
[--ca <certificates>] <other arguments>\n\nA full list of commands can be obtained by running \n\txe help --all";

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn mistakes_point_to_the_help() {
        assert_eq!(
            Failure::UnknownCommand("vm-strat".into()).to_string(),
            "Unknown command: vm-strat\nFor usage run: 'xe help'"
        );
        assert_eq!(
            Failure::Missing("uuid".into()).to_string(),
            "Required parameter not found: uuid\nFor usage run: 'xe help'"
        );
        let refused = ApiError::new("SESSION_AUTHENTICATION_FAILED", ["root", "no"]);
        assert_eq!(
            Failure::Api(refused).to_string(),
            "Authentication failed\nFor usage run: 'xe help'"
        );
    }

    #[test]
    fn an_error_without_a_text_is_said_with_its_code() {
        let error = ApiError::new(
            "SR_BACKEND_FAILURE_90",
            ["", "The request is missing the server parameter", ""],
        );
        assert_eq!(
            Failure::Api(error).to_string(),
            "Error code: SR_BACKEND_FAILURE_90\nError parameters: , The request is missing the server parameter, "
        );
    }
}
