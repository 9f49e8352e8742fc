//! Errors of the API as people read them: what went wrong in a sentence, then each parameter with its name.
//!
//! Parameters that are references are looked up, so that a person sees a uuid and a name. Codes without a sentence are
//! shown as code and parameters.

mod sentences;

use proto_types::generated::errors;
use proto_types::{ApiError, ClassId};

use crate::client::Client;
use crate::failure::Failure;

/// What stands on standard error.
pub fn of(client: Option<&Client>, failure: &Failure) -> String {
    match failure {
        Failure::Api(error) if error.code != "SESSION_AUTHENTICATION_FAILED" => {
            lines(client, error).join("\n")
        }
        other => other.to_string(),
    }
}

/// What stands behind `operation failed on <uuid>:`.
pub fn of_one(client: &Client, failure: &Failure) -> String {
    match failure {
        Failure::Api(error) if sentences::of(&error.code).is_none() => {
            format!("{}: [ {} ]", error.code, readable(Some(client), error).join("; "))
        }
        Failure::Cli(text) => text.clone(),
        other => of(Some(client), other),
    }
}

fn lines(client: Option<&Client>, error: &ApiError) -> Vec<String> {
    let values = readable(client, error);
    let Some(sentence) = sentences::of(&error.code) else {
        return vec![
            format!("Error code: {}", error.code),
            format!("Error parameters: {}", values.join(", ")),
        ];
    };
    let mut lines = vec![sentence.to_owned()];
    let names = names(&error.code);
    for (position, value) in values.iter().enumerate() {
        let name = names.get(position).copied().unwrap_or("<extra>");
        lines.push(format!("{name}: {value}"));
    }
    lines.extend(
        names
            .iter()
            .skip(values.len())
            .map(|name| format!("{name}: <unknown>")),
    );
    lines
}

fn names(code: &str) -> &'static [&'static str] {
    errors::find(code).map_or(&[], |def| def.params)
}

/// Parameters with references looked up.
fn readable(client: Option<&Client>, error: &ApiError) -> Vec<String> {
    let names = names(&error.code);
    let read = |(position, param): (usize, &String)| {
        let hint = names.get(position).copied().unwrap_or_default();
        client
            .and_then(|client| looked_up(client, hint, param))
            .unwrap_or_else(|| param.clone())
    };
    error.params.iter().enumerate().map(read).collect()
}

/// Classes that a reference may be of, the likeliest first.
const LIKELY: &[&str] = &[
    "VM", "VDI", "SR", "host", "VBD", "VIF", "PBD", "PIF", "network", "task", "pool",
];

/// `uuid (name)` of what a reference means.
fn looked_up(client: &Client, hint: &str, param: &str) -> Option<String> {
    if !param.starts_with("OpaqueRef:") || param == crate::client::NULL {
        return None;
    }
    let hinted = ClassId::all()
        .map(ClassId::name)
        .find(|name| name.eq_ignore_ascii_case(hint));
    let classes = hinted.into_iter().chain(LIKELY.iter().copied());
    for class in classes {
        if let Some(uuid) = client.known_uuid(class, param) {
            let label = client.known_label(class, param);
            return Some(label.map_or_else(|| uuid.clone(), |label| format!("{uuid} ({label})")));
        }
        client.forget(param);
    }
    None
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn parameters_are_named_as_the_catalogue_names_them() {
        let error = ApiError::new("VM_BAD_POWER_STATE", ["vm-1", "halted", "running"]);
        let text = of(None, &Failure::Api(error));
        assert_eq!(
            text,
            "The VM is not in a power state in which this can be done.\nvm: vm-1\nexpected: halted\nactual: running"
        );
    }

    #[test]
    fn too_many_and_too_few_parameters_show() {
        let text = |params: &[&str]| {
            let error = ApiError::new("DEVICE_ALREADY_DETACHED", params.iter().copied());
            of(None, &Failure::Api(error))
        };
        assert_eq!(text(&["d"]), "The device is not currently attached\ndevice: d");
        assert_eq!(
            text(&["d", "e"]),
            "The device is not currently attached\ndevice: d\n<extra>: e"
        );
        assert_eq!(
            text(&[]),
            "The device is not currently attached\ndevice: <unknown>"
        );
    }

    #[test]
    fn every_sentence_is_for_a_code_that_exists() {
        for (code, _) in sentences::ALL {
            assert!(errors::find(code).is_some(), "{code}");
        }
        assert!(sentences::ALL.is_sorted_by(|a, b| a.0 < b.0));
    }
}
