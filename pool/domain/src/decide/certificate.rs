//! Certificates: those that hosts show, the pool's own authorities, and those that an operator has the pool trust.
//!
//! A row of the class says what a certificate is. The text of one that is trusted, and revocation lists, which have no
//! rows, are settings of the pool.

use proto_types::generated::{certificate, tarn_setting};
use proto_types::{ApiError, DateTime, Ref, Value};

use crate::database::Database;
use crate::decide::{setting, unique};
use crate::draft::Draft;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// It is good from then on.
    pub not_before: DateTime,
    /// And until then.
    pub not_after: DateTime,
    /// SHA-256 of its binary form: upper-case hexadecimal pairs with colons between.
    pub sha256: String,
    /// SHA-1 of the same, likewise.
    pub sha1: String,
}

/// The certificate of a host's API.
pub const OF_API: &str = "host";
/// The certificate that a host shows to other hosts.
pub const OF_NODE: &str = "host_internal";
/// An authority.
const OF_AUTHORITY: &str = "ca";
/// A certificate that is trusted itself, whoever signed it.
const PINNED: &str = "pinned";
/// The name of the pool's own authority among those that are trusted.
pub const OWN_AUTHORITY: &str = "tarn-pool-authority";

/// Where the text of a trusted certificate is kept.
fn text_key(uuid: &str) -> String {
    format!("certificate/{uuid}")
}

/// Where a revocation list is kept.
fn list_key(name: &str) -> String {
    format!("{LISTS}{name}")
}

const LISTS: &str = "crl/";

fn rows<'a>(db: &'a Database, kind: &'a str) -> impl Iterator<Item = &'a crate::Row> {
    db.rows(certificate::CLASS)
        .map(|row| &**row)
        .filter(move |row| row.get(certificate::TYPE).as_str() == kind)
}

fn insert(
    draft: &mut Draft<'_>,
    kind: &str,
    (name, host): (&str, Ref),
    facts: &CertificateFacts,
    purpose: Value,
) -> Ref {
    // Of each name, each host's kind and each fingerprint there is one.
    unique::one_at_a_time(draft);
    draft.insert(
        certificate::CLASS,
        vec![
            (certificate::NAME, name.into()),
            (certificate::TYPE, kind.into()),
            (certificate::HOST, host.into()),
            (certificate::NOT_BEFORE, facts.not_before.into()),
            (certificate::NOT_AFTER, facts.not_after.into()),
            (certificate::FINGERPRINT, facts.sha256.as_str().into()),
            (certificate::FINGERPRINT_SHA256, facts.sha256.as_str().into()),
            (certificate::FINGERPRINT_SHA1, facts.sha1.as_str().into()),
            (certificate::PURPOSE, purpose),
        ],
    )
}

/// Notes which certificate a host shows, in place of the one before: another certificate is another object. Idempotent.
pub fn shown(draft: &mut Draft<'_>, host: Ref, kind: &str, facts: &CertificateFacts) {
    let known: Vec<(Ref, bool)> = rows(draft.db(), kind)
        .filter(|row| row.get(certificate::HOST).as_ref() == host)
        .map(|row| {
            (
                row.reference,
                row.get(certificate::FINGERPRINT_SHA256).as_str() == facts.sha256,
            )
        })
        .collect();
    let stays = known.iter().find(|(_, same)| *same).map(|(row, _)| *row);
    for (row, _) in known {
        if Some(row) != stays {
            draft.note(row);
            draft.delete(row);
        }
    }
    if stays.is_none() {
        insert(draft, kind, ("", host), facts, Value::refs([]));
    }
}

/// Notes a host's new certificate towards other hosts, which its API shows as well unless it has one of its own.
pub fn renewed(draft: &mut Draft<'_>, host: Ref, facts: &CertificateFacts) {
    let of = |db: &Database, kind: &str| {
        rows(db, kind)
            .find(|row| row.get(certificate::HOST).as_ref() == host)
            .map(|row| row.get(certificate::FINGERPRINT_SHA256).as_str().to_owned())
    };
    let shares = of(draft.db(), OF_API) == of(draft.db(), OF_NODE);
    shown(draft, host, OF_NODE, facts);
    if shares {
        shown(draft, host, OF_API, facts);
    }
}

/// Removes what is known of a host's certificates: the host goes.
pub fn forget_host(draft: &mut Draft<'_>, host: Ref) {
    let gone: Vec<Ref> = draft
        .db()
        .rows(certificate::CLASS)
        .filter(|row| row.get(certificate::HOST).as_ref() == host)
        .map(|row| row.reference)
        .collect();
    for row in gone {
        draft.delete(row);
    }
}

/// Notes the pool's own authorities. Idempotent.
pub fn authorities(draft: &mut Draft<'_>, all: &[CertificateFacts]) {
    let known: Vec<(Ref, String)> = rows(draft.db(), OF_AUTHORITY)
        .filter(|row| row.get(certificate::NAME).as_str() == OWN_AUTHORITY)
        .map(|row| {
            let print = row.get(certificate::FINGERPRINT_SHA256).as_str();
            (row.reference, print.to_owned())
        })
        .collect();
    for (row, print) in &known {
        if all.iter().all(|facts| facts.sha256 != *print) {
            draft.delete(*row);
        }
    }
    for facts in all {
        if known.iter().all(|(_, print)| facts.sha256 != *print) {
            let name = (OWN_AUTHORITY, Ref::NULL);
            insert(draft, OF_AUTHORITY, name, facts, Value::refs([]));
        }
    }
}

/// A name for a file of the same folder on every host.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 200 && !name.starts_with(['.', '-']) && name.bytes().all(plain)
}

/// Whether a trusted certificate of that name may be installed: `pool.install_ca_certificate`, before its text is read.
///
/// # Errors
/// `CERTIFICATE_NAME_INVALID [name]`, `CERTIFICATE_ALREADY_EXISTS [name]`.
pub fn may_install(db: &Database, name: &str) -> Result<(), ApiError> {
    if !is_name(name) {
        return Err(ApiError::new("CERTIFICATE_NAME_INVALID", [name]));
    }
    if rows(db, OF_AUTHORITY).any(|row| row.get(certificate::NAME).as_str() == name) {
        return Err(ApiError::new("CERTIFICATE_ALREADY_EXISTS", [name]));
    }
    Ok(())
}

/// Has the pool trust an authority under a name.
///
/// # Errors
/// As [`may_install`].
pub fn install(
    draft: &mut Draft<'_>,
    name: &str,
    facts: &CertificateFacts,
    pem: &str,
) -> Result<Ref, ApiError> {
    may_install(draft.db(), name)?;
    Ok(trust(draft, OF_AUTHORITY, name, (facts, pem), Value::refs([])))
}

fn trust(
    draft: &mut Draft<'_>,
    kind: &str,
    name: &str,
    (facts, pem): (&CertificateFacts, &str),
    purpose: Value,
) -> Ref {
    let row = insert(draft, kind, (name, Ref::NULL), facts, purpose);
    let uuid = draft
        .db()
        .get(row)
        .map(|r| r.uuid().to_owned())
        .unwrap_or_default();
    setting::put(draft, &text_key(&uuid), Some(pem));
    row
}

/// Has the pool trust a certificate for a purpose: `pool.install_trusted_certificate`.
///
/// # Errors
/// `TRUSTED_CERTIFICATE_ALREADY_EXISTS [fingerprint]`.
pub fn install_for(
    draft: &mut Draft<'_>,
    is_authority: bool,
    facts: &CertificateFacts,
    pem: &str,
    purpose: &Value,
) -> Result<Ref, ApiError> {
    let kind = if is_authority { OF_AUTHORITY } else { PINNED };
    let known =
        rows(draft.db(), kind).any(|row| row.get(certificate::FINGERPRINT_SHA256).as_str() == facts.sha256);
    if known {
        return Err(ApiError::new(
            "TRUSTED_CERTIFICATE_ALREADY_EXISTS",
            [facts.sha256.as_str()],
        ));
    }
    Ok(trust(draft, kind, "", (facts, pem), purpose.clone()))
}

/// Whether a missing certificate is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is.
    Refused,
    /// It is what is wanted.
    Fine,
}

/// Ends the trust in the authority of that name: `pool.uninstall_ca_certificate`.
///
/// # Errors
/// `CERTIFICATE_NAME_INVALID [name]`, `CERTIFICATE_DOES_NOT_EXIST [name]`. The pool's own cannot be taken away so.
pub fn uninstall(draft: &mut Draft<'_>, name: &str, missing: Missing) -> Result<(), ApiError> {
    if !is_name(name) {
        return Err(ApiError::new("CERTIFICATE_NAME_INVALID", [name]));
    }
    let found = rows(draft.db(), OF_AUTHORITY)
        .filter(|row| name != OWN_AUTHORITY && row.get(certificate::NAME).as_str() == name)
        .map(|row| row.reference)
        .next();
    match (found, missing) {
        (Some(row), _) => {
            distrust(draft, row);
            Ok(())
        }
        (None, Missing::Fine) => Ok(()),
        (None, Missing::Refused) => Err(ApiError::new("CERTIFICATE_DOES_NOT_EXIST", [name])),
    }
}

/// `pool.uninstall_trusted_certificate`.
///
/// # Errors
/// `HANDLE_INVALID`; `NOT_TRUSTED_CERTIFICATE [reference]` if it is one that a host shows, or the pool's own.
pub fn uninstall_row(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(certificate::CLASS, reference)?;
    if setting::get(draft.db(), &text_key(row.uuid())).is_none() {
        return Err(ApiError::new("NOT_TRUSTED_CERTIFICATE", [reference.to_string()]));
    }
    distrust(draft, reference);
    Ok(())
}

fn distrust(draft: &mut Draft<'_>, reference: Ref) {
    let Some(uuid) = draft.db().get(reference).map(|r| r.uuid().to_owned()) else {
        return;
    };
    draft.note(reference);
    draft.delete(reference);
    setting::put(draft, &text_key(&uuid), None);
}

/// Names of the authorities that an operator has had the pool trust, in order.
pub fn installed(db: &Database) -> Vec<String> {
    let mut names: Vec<String> = rows(db, OF_AUTHORITY)
        .map(|row| row.get(certificate::NAME).as_str())
        .filter(|name| !name.is_empty() && *name != OWN_AUTHORITY)
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

/// Installs a revocation list: `pool.crl_install`.
///
/// # Errors
/// `CRL_NAME_INVALID [name]`, `CRL_ALREADY_EXISTS [name]`.
pub fn install_list(draft: &mut Draft<'_>, name: &str, pem: &str) -> Result<(), ApiError> {
    check_list_name(name)?;
    if setting::get(draft.db(), &list_key(name)).is_some() {
        return Err(ApiError::new("CRL_ALREADY_EXISTS", [name]));
    }
    setting::put(draft, &list_key(name), Some(pem));
    Ok(())
}

/// Takes a revocation list away: `pool.crl_uninstall`.
///
/// # Errors
/// `CRL_NAME_INVALID [name]`, `CRL_DOES_NOT_EXIST [name]`.
pub fn uninstall_list(draft: &mut Draft<'_>, name: &str) -> Result<(), ApiError> {
    check_list_name(name)?;
    if setting::get(draft.db(), &list_key(name)).is_none() {
        return Err(ApiError::new("CRL_DOES_NOT_EXIST", [name]));
    }
    setting::put(draft, &list_key(name), None);
    Ok(())
}

fn check_list_name(name: &str) -> Result<(), ApiError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(ApiError::new("CRL_NAME_INVALID", [name]))
    }
}

/// Names of the revocation lists, in order.
pub fn lists(db: &Database) -> Vec<String> {
    let mut names: Vec<String> = db
        .rows(tarn_setting::CLASS)
        .filter_map(|s| {
            s.get(tarn_setting::KEY)
                .as_str()
                .strip_prefix(LISTS)
                .map(str::to_owned)
        })
        .collect();
    names.sort_unstable();
    names
}

/// The texts, in PEM, of the authorities that an operator has the pool trust for everything.
pub fn trusted_authorities(db: &Database) -> Vec<String> {
    rows(db, OF_AUTHORITY)
        .filter(|row| row.get(certificate::PURPOSE).as_set().is_empty())
        .filter_map(|row| setting::get(db, &text_key(row.uuid())).map(str::to_owned))
        .collect()
}

/// A file that every host keeps for its programs: name and text.
pub type TrustFile = (String, String);

/// What every host is to keep of what the pool trusts: authorities and pinned certificates, then revocation lists.
pub fn files(db: &Database) -> (Vec<TrustFile>, Vec<TrustFile>) {
    let certificates = db.rows(certificate::CLASS).filter_map(|row| {
        let text = setting::get(db, &text_key(row.uuid()))?;
        let name = match row.get(certificate::NAME).as_str() {
            "" => format!("{}.pem", row.uuid()),
            name => name.to_owned(),
        };
        Some((name, text.to_owned()))
    });
    let lists = lists(db).into_iter().filter_map(|name| {
        let text = setting::get(db, &list_key(&name))?.to_owned();
        Some((name, text))
    });
    (certificates.collect(), lists.collect())
}

#[cfg(test)]
mod test;
