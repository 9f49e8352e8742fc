//! Settings of hosts that are more than a write of one field.

use proto_types::generated::{host, vm};
use proto_types::{ApiError, Field, Ref, Value};

use crate::decide::licence::EDITION;
use crate::draft::Draft;

/// Longest name of a host.
const LONGEST_NAME: usize = 253;
/// Longest part between dots.
const LONGEST_LABEL: usize = 63;

/// Says whether a host may be called so.
///
/// # Errors
/// `HOST_NAME_INVALID [reason]`.
pub fn check_hostname(name: &str) -> Result<(), ApiError> {
    let invalid = |why: &str| Err(ApiError::new("HOST_NAME_INVALID", [why]));
    if name.is_empty() {
        return invalid("hostname empty");
    }
    if name.len() > LONGEST_NAME || name.split('.').any(|part| part.len() > LONGEST_LABEL) {
        return invalid("hostname is too long");
    }
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.split('.').all(plain) {
        Ok(())
    } else {
        invalid("hostname contains invalid characters")
    }
}

/// The host has another name now; so has its control domain.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn renamed(draft: &mut Draft<'_>, reference: Ref, name: &str) -> Result<(), ApiError> {
    let row = draft.read(host::CLASS, reference)?;
    draft.set(reference, host::HOSTNAME, name);
    let control = row.get(host::CONTROL_DOMAIN).as_ref();
    if draft.db().of_class(vm::CLASS, control).is_some() {
        draft.set(control, vm::NAME_LABEL, format!("Control domain on host: {name}"));
    }
    Ok(())
}

/// Sets a field and the key of `other_config` under which older clients look for it.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_with_key(
    draft: &mut Draft<'_>,
    reference: Ref,
    field: Field,
    value: impl Into<Value>,
    (key, text): (&str, &str),
) -> Result<(), ApiError> {
    draft.read(host::CLASS, reference)?;
    draft.set(reference, field, value);
    draft.put_key(reference, host::OTHER_CONFIG, key, text);
    Ok(())
}

/// `host.set_iscsi_iqn`.
///
/// # Errors
/// `INVALID_VALUE [value, text]` for an empty name or one with blanks.
pub fn set_iqn(draft: &mut Draft<'_>, reference: Ref, name: &str) -> Result<(), ApiError> {
    draft.read(host::CLASS, reference)?;
    if name.is_empty() || name.len() > 223 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ApiError::new("INVALID_VALUE", ["value", name]));
    }
    set_with_key(draft, reference, host::ISCSI_IQN, name, ("iscsi_iqn", name))
}

/// `host.set_multipathing`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_multipathing(draft: &mut Draft<'_>, reference: Ref, wanted: &Value) -> Result<(), ApiError> {
    let text = if wanted.as_bool() { "true" } else { "false" };
    set_with_key(
        draft,
        reference,
        host::MULTIPATHING,
        wanted.clone(),
        ("multipathing", text),
    )
}

/// `host.set_power_on_mode`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_power_on_mode(
    draft: &mut Draft<'_>,
    reference: Ref,
    mode: &str,
    config: &Value,
) -> Result<(), ApiError> {
    draft.read(host::CLASS, reference)?;
    draft.update(
        reference,
        vec![
            (host::POWER_ON_MODE, mode.into()),
            (host::POWER_ON_CONFIG, config.clone()),
        ],
    );
    Ok(())
}

/// `host.apply_edition`: there is one, and every host has it.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_EDITION [edition]`.
pub fn apply_edition(draft: &mut Draft<'_>, reference: Ref, edition: &str) -> Result<(), ApiError> {
    draft.read(host::CLASS, reference)?;
    if edition != EDITION {
        return Err(ApiError::new("INVALID_EDITION", [edition]));
    }
    draft.set(reference, host::EDITION, edition);
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_that_no_system_takes_are_refused() {
        for good in ["a", "host-1", "host1.example.org", "1st"] {
            check_hostname(good).unwrap();
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "a..b", "a_b", "a b", "a;reboot", "\u{e4}", &long] {
            assert_eq!(
                check_hostname(bad).unwrap_err().code,
                "HOST_NAME_INVALID",
                "{bad}"
            );
        }
    }
}
