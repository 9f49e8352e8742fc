//! Offloads and link parameters of NICs, by the program `ethtool`.

use std::collections::BTreeMap;

use super::program::{self, Failure};
use crate::driver::check_name;
use crate::error::Result;

/// Offloads, which are on or off.
const OFFLOADS: [&str; 8] = ["rx", "tx", "sg", "tso", "ufo", "gso", "gro", "lro"];

/// The program's arguments for one option; `None` for one that nobody knows or a value that it cannot have.
fn arguments<'a>(nic: &'a str, word: &'a str, value: &'a str) -> Option<Vec<&'a str>> {
    let truth = match value {
        "on" | "true" => Some("on"),
        "off" | "false" => Some("off"),
        _ => None,
    };
    let number = value.bytes().all(|byte| byte.is_ascii_digit()) && (1..=9).contains(&value.len());
    match word {
        _ if OFFLOADS.contains(&word) => Some(vec!["-K", nic, word, truth?]),
        "autoneg" => Some(vec!["-s", nic, word, truth?]),
        "speed" if number => Some(vec!["-s", nic, word, value]),
        "duplex" if matches!(value, "half" | "full") => Some(vec!["-s", nic, word, value]),
        "advertise" => {
            let digits = value.strip_prefix("0x")?;
            let fits =
                digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && (1..=16).contains(&digits.len());
            fits.then(|| vec!["-s", nic, word, value])
        }
        _ => None,
    }
}

/// See [`crate::NetworkDriver::set_link_options`].
pub async fn set(nic: &str, options: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    check_name(nic)?;
    let mut refused = BTreeMap::new();
    for (word, value) in options {
        let outcome = match arguments(nic, word, value) {
            Some(arguments) => program::run("ethtool", &arguments, "").await,
            None => Err(Failure::Refused("no such setting".to_owned())),
        };
        let why = match outcome {
            Ok(()) => continue,
            Err(Failure::Missing) => "the program ethtool is not installed".to_owned(),
            Err(Failure::Slow(after)) => format!("no answer within {after:?}"),
            Err(Failure::Refused(why)) => why,
        };
        tracing::warn!(nic, option = word, value, why, "a link setting was not made");
        refused.insert(word.clone(), why);
    }
    Ok(refused)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_settings_that_exist_reach_the_program() {
        assert_eq!(
            arguments("eth0", "tso", "off"),
            Some(vec!["-K", "eth0", "tso", "off"])
        );
        assert_eq!(
            arguments("eth0", "speed", "1000"),
            Some(vec!["-s", "eth0", "speed", "1000"])
        );
        for (word, value) in [
            ("tso", "maybe"),
            ("speed", "fast"),
            ("speed", ""),
            ("duplex", "both"),
            ("advertise", "0x; reboot"),
            ("advertise", "12"),
            ("wol", "g"),
        ] {
            assert_eq!(arguments("eth0", word, value), None, "{word}={value}");
        }
    }
}
