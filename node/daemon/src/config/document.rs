//! The settings in words: the commented file that packages install, and the page of the manual.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, SECTIONS};

/// The commented file. Every key stands in it, with what holds when nothing is set.
pub fn commented_file() -> String {
    let mut out = String::from(
        "# Settings of this host's Tarn node. `tarn config check` says what is wrong with them, and\n\
         # `tarn config show` what is in force. A variable of the environment overrides a key: its name is TARN, the\n\
         # table and the key, such as TARN_NODE_ADDRESS. Keys marked with * are taken on `systemctl reload tarn`,\n\
         # all others when the node starts. What is commented out is what holds anyway.\n",
    );
    for (section, about) in SECTIONS {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n# {}\n[{section}]\n", about.replace('\n', "\n# "));
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let live = if key.is_live { " *" } else { "" };
            let _ = writeln!(out, "\n# {}{live}", key.about.replace('\n', "\n# "));
            let _ = writeln!(out, "# Allowed: {}.{}", key.allowed, unset(key));
            let value = if key.default.is_empty() || key.default.starts_with('(') {
                key.example
            } else {
                key.default
            };
            let _ = writeln!(out, "#{} = {value}", key.name);
        }
    }
    out
}

/// What holds when a key is not set, where the commented line does not show it.
fn unset(key: &Key) -> String {
    let words = key.default.strip_prefix('(').and_then(|d| d.strip_suffix(')'));
    words
        .map(|words| format!(" When not set: {words}."))
        .unwrap_or_default()
}

/// The page tarn.toml(5), for man.
pub fn manual_page() -> String {
    let mut out = format!(
        ".TH TARN.TOML 5 \"\" \"tarn {}\"\n.SH NAME\ntarn.toml \\- settings of a Tarn node\n.SH SYNOPSIS\n/etc/tarn/tarn.toml\n.SH DESCRIPTION\n\
         A file in TOML.\n.B tarn config check\nsays what is wrong with it,\n.B tarn config show\nwhat is in force.\n\
         Keys that are not set have their defaults; only node.address has none.\n",
        node_commands::release()
    );
    for (section, about) in SECTIONS {
        let _ = write!(out, ".SH \"TABLE [{section}]\"\n{}\n", roff(about));
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let _ = write!(
                out,
                ".TP\n.B {}\n{}\n.br\nAllowed: {}.\n",
                roff(key.name),
                roff(key.about),
                roff(key.allowed)
            );
            let default = match key.default {
                "" => "It must be set.".to_owned(),
                words if words.starts_with('(') => unset(key).trim_start().to_owned(),
                value => format!("Default: {value}"),
            };
            let _ = write!(out, ".br\n{}\n", roff(&default));
            if key.is_live {
                out.push_str(".br\nA running node takes it on SIGHUP.\n");
            }
        }
    }
    out.push_str(
        ".SH ENVIRONMENT\nA variable overrides a key. Its name is TARN, the table and the key, in capitals and joined by\nunderscores, such as\n.BR TARN_NODE_ADDRESS .\n\
         Lists and numbers are written as in the file.\n.SH SEE ALSO\n.BR tarn (1)\n",
    );
    out
}

/// Text that troff takes as it is.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .lines()
        .map(|line| {
            if line.starts_with(['.', '\'']) {
                format!("\\&{line}")
            } else {
                line.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_manual_has_every_key_and_no_line_that_troff_would_take_for_a_request() {
        let page = manual_page();
        for key in KEYS {
            assert!(page.contains(&format!(".B {}\n", roff(key.name))), "{}", key.name);
        }
        let requests = [".TH", ".SH", ".TP", ".B ", ".BR", ".br"];
        for line in page.lines().filter(|l| l.starts_with(['.', '\''])) {
            assert!(requests.iter().any(|r| line.starts_with(r)), "{line}");
        }
    }
}
