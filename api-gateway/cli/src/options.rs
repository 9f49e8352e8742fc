//! Which server, as whom, and what is left for the command: from arguments, `XE_*` and the file `~/.xe`.
//!
//! What is given earlier in this list wins: the command line, `XE_EXTRA_ARGS`, the other variables, the file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// How to reach the pool and who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The server; this host's own socket when not given.
    pub server: Option<String>,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// User.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// A file with the user on its first line and the password on its second.
    pub password_file: Option<PathBuf>,
    /// Plain HTTP instead of HTTPS.
    pub plain: bool,
    /// Certificates of the authorities to trust.
    pub ca: Option<PathBuf>,
    /// Says on standard error what goes on.
    pub debug: bool,
}

/// The variables and files that options come from, so that tests can give their own.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `XE_EXTRA_ARGS`.
    pub extra_args: Option<String>,
    /// Values of `XE_SERVER` and its kin, by option name.
    pub variables: Vec<(&'static str, String)>,
    /// The text of `~/.xe`.
    pub file: Option<String>,
}

/// Variables and the options they set.
const VARIABLES: &[(&str, &str)] = &[
    ("XE_SERVER", "server"),
    ("XE_PORT", "port"),
    ("XE_USERNAME", "username"),
    ("XE_PASSWORD", "password"),
    ("XE_PASSWORDFILE", "passwordfile"),
    ("XE_CA", "ca"),
];

/// No settings file is longer.
const LONGEST_FILE: u64 = 64 << 10;

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Surroundings {
        let variable = |name: &str| {
            std::env::var_os(name)
                .map(OsString::into_string)
                .and_then(Result::ok)
        };
        let file = variable("HOME").map(|home| Path::new(&home).join(".xe"));
        Surroundings {
            extra_args: variable("XE_EXTRA_ARGS"),
            variables: VARIABLES
                .iter()
                .filter_map(|(name, option)| Some((*option, variable(name)?)))
                .collect(),
            file: file.and_then(|path| read_short(&path).ok()),
        }
    }
}

/// Reads a text file that must be short.
fn read_short(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(LONGEST_FILE)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl Options {
    /// Takes the options out of the arguments; what remains is the command and its parameters.
    ///
    /// # Errors
    /// When help is asked for in the place of a command, a port is none, or the password file cannot be read.
    pub fn take(args: Vec<String>, around: &Surroundings) -> Result<(Options, Vec<String>), Failure> {
        let mut options = Options::default();
        let mut from_file = Vec::new();
        for (key, value) in around.file.as_deref().into_iter().flat_map(settings) {
            if !options.set(key, value)? {
                from_file.push(format!("{key}={value}"));
            }
        }
        for (key, value) in &around.variables {
            options.set(key, value)?;
        }
        let extra = split_extra(around.extra_args.as_deref().unwrap_or_default());
        let extra = options.sift(extra)?;
        let asked_for_help = args.iter().any(|a| a == "-help" || a == "--help");
        let mut rest = options.sift(args)?;
        if asked_for_help {
            return Err(Failure::Usage);
        }
        rest.extend(extra);
        rest.extend(from_file);
        options.read_password_file()?;
        Ok((options, rest))
    }

    /// Sets an option; false if there is none of the name.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, Failure> {
        match key {
            "server" => self.server = Some(value.to_owned()),
            "port" => self.port = Some(value.parse().map_err(|_| Failure::BadPort)?),
            "username" => self.username = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "passwordfile" => self.password_file = Some(PathBuf::from(value)),
            "nossl" => self.plain = value == "true",
            "ca" => self.ca = Some(PathBuf::from(value)),
            "debug" | "debugonfail" => self.debug = value == "true",
            "traceparent" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes what it knows out of a list of arguments.
    fn sift(&mut self, args: Vec<String>) -> Result<Vec<String>, Failure> {
        let mut rest = Vec::new();
        let mut args = args.into_iter().peekable();
        while let Some(arg) = args.next() {
            let valued = match arg.as_str() {
                "-s" | "-h" => Some("server"),
                "-p" => Some("port"),
                "-u" => Some("username"),
                "-pw" => Some("password"),
                "-pwf" => Some("passwordfile"),
                "--ca" => Some("ca"),
                "--traceparent" => Some("traceparent"),
                _ => None,
            };
            let flag = match arg.as_str() {
                "--nossl" => Some("nossl"),
                "--debug" => Some("debug"),
                "--debug-on-fail" => Some("debugonfail"),
                _ => None,
            };
            if let (Some(key), true) = (valued, args.peek().is_some()) {
                let value = args.next().unwrap_or_default();
                self.set(key, &value)?;
            } else if let Some(key) = flag {
                self.set(key, "true")?;
            } else {
                let known = match arg.split_once('=') {
                    Some((key, value)) => self.set(key.strip_prefix("--").unwrap_or(key), value)?,
                    None => false,
                };
                if !known && arg != "-help" && arg != "--help" {
                    rest.push(arg);
                }
            }
        }
        Ok(rest)
    }

    fn read_password_file(&mut self) -> Result<(), Failure> {
        let Some(path) = &self.password_file else {
            return Ok(());
        };
        let text = read_short(path).map_err(|_| Failure::PasswordFile {
            path: path.clone(),
            readable: false,
        })?;
        let mut lines = text.lines();
        let (Some(user), Some(password)) = (lines.next(), lines.next()) else {
            return Err(Failure::PasswordFile {
                path: path.clone(),
                readable: true,
            });
        };
        self.username = Some(user.to_owned());
        self.password = Some(password.to_owned());
        Ok(())
    }
}

/// The settings in the text of a file: `key=value` a line.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

/// Splits at commas, save those behind a backslash.
fn split_extra(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            ',' => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod test {
    use super::*;

    fn take(args: &[&str], around: &Surroundings) -> (Options, Vec<String>) {
        Options::take(args.iter().map(|a| (*a).to_owned()).collect(), around).unwrap()
    }

    #[test]
    fn the_command_line_wins_over_variables_and_those_over_the_file() {
        let around = Surroundings {
            extra_args: Some("server=extra,username=extra".to_owned()),
            variables: vec![("server", "variable".to_owned()), ("port", "8443".to_owned())],
            file: Some("server=file\npassword=secret\n# remark=1\nport = 1\n".to_owned()),
        };
        let (options, rest) = take(&["vm-list", "-s", "line", "--minimal"], &around);
        assert_eq!(options.server.as_deref(), Some("line"));
        assert_eq!(options.username.as_deref(), Some("extra"));
        assert_eq!(options.password.as_deref(), Some("secret"));
        assert_eq!(options.port, Some(8443));
        assert_eq!(rest, ["vm-list", "--minimal"]);
    }

    #[test]
    fn what_is_no_option_is_left_for_the_command() {
        let around = Surroundings {
            extra_args: Some(r"params=uuid\,name-label,-pw,a\\b".to_owned()),
            ..Surroundings::default()
        };
        let (options, rest) = take(&["vm-list", "power-state=running", "-u", "root"], &around);
        assert_eq!(options.username.as_deref(), Some("root"));
        assert_eq!(options.password.as_deref(), Some(r"a\b"));
        assert_eq!(rest, ["vm-list", "power-state=running", "params=uuid,name-label"]);
    }

    #[test]
    fn a_port_must_be_one() {
        let bad = Options::take(vec!["-p".into(), "70000".into()], &Surroundings::default());
        assert!(matches!(bad, Err(Failure::BadPort)));
    }

    #[test]
    fn a_password_file_has_the_user_first() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "root\nsesame\n").unwrap();
        let path = file.path().display().to_string();
        let (options, _) = take(&["vm-list", "-pwf", &path], &Surroundings::default());
        assert_eq!(
            (options.username.as_deref(), options.password.as_deref()),
            (Some("root"), Some("sesame"))
        );
        std::fs::write(file.path(), "root\n").unwrap();
        let short = Options::take(vec!["-pwf".into(), path], &Surroundings::default());
        assert!(matches!(short, Err(Failure::PasswordFile { readable: true, .. })));
    }

    #[test]
    fn help_in_the_place_of_a_command_shows_the_usage() {
        let help = Options::take(vec!["--help".into()], &Surroundings::default());
        assert!(matches!(help, Err(Failure::Usage)));
    }
}
