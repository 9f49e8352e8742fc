//! The grammar of a command: its name, then `name=value`, `--flag` and `-switch value`.

use crate::failure::Failure;

/// A command as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Its name.
    pub name: String,
    /// Its parameters in the order typed.
    pub params: Params,
}

/// Parameters: names may repeat, the first of a name counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(pub Vec<(String, String)>);

/// Parameters that mean something to every command and never select objects.
pub const STANDARD: &[&str] = &[
    "server",
    "password",
    "port",
    "username",
    "minimal",
    "force",
    "multiple",
    "all",
    "message-priority",
    "trace",
];

/// Switches with one letter or two, and what they stand for.
const SWITCHES: &[(&str, &str)] = &[
    ("-u", "username"),
    ("-pw", "password"),
    ("-s", "server"),
    ("-h", "server"),
    ("-p", "port"),
];

impl CommandLine {
    /// Reads the arguments that are left after the options.
    ///
    /// # Errors
    /// When there is no command, or a parameter stands in its place.
    pub fn parse(args: &[String]) -> Result<CommandLine, Failure> {
        let Some((name, rest)) = args.split_first() else {
            return Err(Failure::Usage);
        };
        if name.contains('=') {
            return Err(Failure::Syntax(String::new()));
        }
        let mut params = Vec::new();
        let mut rest = rest.iter();
        while let Some(arg) = rest.next() {
            if let Some(flag) = arg.strip_prefix("--") {
                params.push((flag.to_owned(), "true".to_owned()));
            } else if arg.starts_with('-') {
                let known = SWITCHES.iter().find(|(switch, _)| switch == arg);
                let (Some((_, key)), Some(value)) = (known, rest.next()) else {
                    return Err(Failure::Syntax(String::new()));
                };
                params.push(((*key).to_owned(), value.clone()));
            } else {
                let (key, value) = arg.split_once('=').unwrap_or((arg, ""));
                params.push((key.to_owned(), value.to_owned()));
            }
        }
        Ok(CommandLine {
            name: name.clone(),
            params: Params(params),
        })
    }
}

impl Params {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a name in whatever case.
    pub fn get_any_case(&self, name: &str) -> Option<&str> {
        let same = |key: &str| key.eq_ignore_ascii_case(name);
        self.0
            .iter()
            .find(|(key, _)| same(key))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a name that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::Missing(name.to_owned()))
    }

    /// Whether the name was given at all.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A truth value; false when it was not given.
    ///
    /// # Errors
    /// When the word means neither.
    pub fn truth(&self, name: &str) -> Result<bool, Failure> {
        self.truth_or(name, false)
    }

    /// A truth value, or another when it was not given.
    ///
    /// # Errors
    /// When the word means neither.
    pub fn truth_or(&self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.get(name) {
            None => Ok(default),
            Some(word) => crate::values::truth(word).ok_or_else(|| {
                Failure::cli(format!(
                    "Failed to parse parameter '{name}': Expected 'true','t','yes','y','1','false','f','no','n','0' got {word}"
                ))
            }),
        }
    }

    /// A size in bytes, perhaps with a suffix.
    ///
    /// # Errors
    /// When it was not given or is none.
    pub fn bytes(&self, name: &str) -> Result<i64, Failure> {
        crate::values::bytes(name, self.required(name)?)
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it was not given or is none.
    pub fn int(&self, name: &str) -> Result<i64, Failure> {
        crate::values::int(name, self.required(name)?)
    }

    /// The members of a map: `name:key=value`, or `name-key=value` as old scripts have it.
    pub fn map(&self, name: &str) -> Vec<(String, String)> {
        let member = |(key, value): &(String, String)| {
            let rest = key.strip_prefix(name)?;
            let rest = rest.get(1..).filter(|rest| !rest.is_empty())?;
            key.is_char_boundary(name.len())
                .then(|| (rest.to_owned(), value.clone()))
        };
        self.0.iter().filter_map(member).collect()
    }

    /// The parts of a list with commas; none when it was not given.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .map(|text| text.split(',').collect())
            .unwrap_or_default()
    }

    /// What selects objects: everything but the standard names and those of the command itself. The part behind a
    /// colon does not count.
    pub fn selectors(&self, own: &[&str]) -> Vec<(&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| {
                let stem = key.split(':').next().unwrap_or(key);
                !STANDARD.contains(&stem) && !own.contains(&stem)
            })
            .collect()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn parse(words: &[&str]) -> Result<CommandLine, Failure> {
        CommandLine::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn parameters_flags_and_switches_are_told_apart() {
        let line = parse(&["vm-start", "vm=a=b", "--force", "-s", "h1", "word"]).unwrap();
        assert_eq!(line.name, "vm-start");
        let pairs: Vec<(&str, &str)> = line
            .params
            .0
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [("vm", "a=b"), ("force", "true"), ("server", "h1"), ("word", "")]
        );
    }

    #[test]
    fn a_command_must_come_first() {
        assert!(matches!(parse(&["vm=a"]), Err(Failure::Syntax(_))));
        assert!(matches!(parse(&[]), Err(Failure::Usage)));
        assert!(matches!(parse(&["vm-list", "-x", "1"]), Err(Failure::Syntax(_))));
        assert!(matches!(parse(&["vm-list", "-s"]), Err(Failure::Syntax(_))));
    }

    #[test]
    fn members_of_maps_come_with_a_colon_or_a_hyphen() {
        let line = parse(&[
            "sr-create",
            "device-config:location=/a",
            "device-config-b=c",
            "device-config=x",
        ]);
        let map = line.unwrap().params.map("device-config");
        assert_eq!(
            map,
            [
                ("location".to_owned(), "/a".to_owned()),
                ("b".to_owned(), "c".to_owned())
            ]
        );
    }

    #[test]
    fn selectors_leave_out_what_belongs_to_the_command() {
        let line = parse(&[
            "vm-start",
            "on=h1",
            "vm=x",
            "--multiple",
            "other-config:a=b",
            "vif:c=d",
        ])
        .unwrap();
        assert_eq!(
            line.params.selectors(&["on", "vif"]),
            [("vm", "x"), ("other-config:a", "b")]
        );
    }

    #[test]
    fn truth_has_several_spellings() {
        let line = parse(&["x", "a=T", "b=no", "c=perhaps"]).unwrap();
        assert!(line.params.truth("a").unwrap());
        assert!(!line.params.truth("b").unwrap());
        assert!(!line.params.truth("absent").unwrap());
        assert!(line.params.truth("c").is_err());
    }
}
