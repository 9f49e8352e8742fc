//! Certificates that come from outside: what they say of themselves, and whether they can be used.

use pool_domain::decide::certificate::CertificateFacts;
use proto_types::{ApiError, DateTime};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::Oid;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate, X509Version};

/// Longest text of a certificate, key or list that is looked at.
const LONGEST: usize = 1024 * 1024;
/// Sizes of RSA keys in bits that XenServer takes.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The names of one family of errors about a certificate.
struct Names {
    invalid: &'static str,
    expired: &'static str,
    not_yet: &'static str,
}

const SERVER: Names = Names {
    invalid: "SERVER_CERTIFICATE_INVALID",
    expired: "SERVER_CERTIFICATE_EXPIRED",
    not_yet: "SERVER_CERTIFICATE_NOT_VALID_YET",
};
const AUTHORITY: Names = Names {
    invalid: "CA_CERTIFICATE_INVALID",
    expired: "CA_CERTIFICATE_EXPIRED",
    not_yet: "CA_CERTIFICATE_NOT_VALID_YET",
};
const TRUSTED: Names = Names {
    invalid: "TRUSTED_CERTIFICATE_INVALID",
    expired: "TRUSTED_CERTIFICATE_EXPIRED",
    not_yet: "TRUSTED_CERTIFICATE_NOT_VALID_YET",
};

fn pairs(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn read(text: &str) -> Option<CertificateDer<'static>> {
    if text.len() > LONGEST {
        return None;
    }
    CertificateDer::from_pem_slice(text.as_bytes()).ok()
}

fn facts(der: &CertificateDer<'_>, parsed: &X509Certificate<'_>) -> CertificateFacts {
    let validity = parsed.validity();
    CertificateFacts {
        not_before: DateTime(validity.not_before.timestamp()),
        not_after: DateTime(validity.not_after.timestamp()),
        sha256: pairs(&Sha256::digest(der.as_ref())),
        sha1: pairs(&Sha1::digest(der.as_ref())),
    }
}

/// What the first certificate in a PEM text says of itself; `None` if there is none.
pub fn describe(pem: &str) -> Option<CertificateFacts> {
    let der = read(pem)?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    Some(facts(&der, &parsed))
}

/// A moment as these errors have it: RFC 3339.
fn moment(at: DateTime) -> String {
    let text = at.to_string();
    match (text.get(..4), text.get(4..6), text.get(6..)) {
        (Some(year), Some(month), Some(rest)) => format!("{year}-{month}-{rest}"),
        _ => text,
    }
}

/// Reads a certificate that must be good now.
fn valid(text: &str, now: DateTime, names: &Names) -> Result<CertificateFacts, ApiError> {
    let found = describe(text).ok_or_else(|| ApiError::bare(names.invalid))?;
    if now < found.not_before {
        return Err(ApiError::new(
            names.not_yet,
            [moment(now), moment(found.not_before)],
        ));
    }
    if now > found.not_after {
        return Err(ApiError::new(
            names.expired,
            [moment(now), moment(found.not_after)],
        ));
    }
    Ok(found)
}

/// Checks an authority that the pool is to trust.
///
/// # Errors
/// `CA_CERTIFICATE_INVALID`, `CA_CERTIFICATE_EXPIRED`, `CA_CERTIFICATE_NOT_VALID_YET`.
pub fn check_authority(text: &str, now: DateTime) -> Result<CertificateFacts, ApiError> {
    valid(text, now, &AUTHORITY)
}

/// Checks a certificate that the pool is to trust for a purpose.
///
/// # Errors
/// `TRUSTED_CERTIFICATE_INVALID`, `TRUSTED_CERTIFICATE_EXPIRED`, `TRUSTED_CERTIFICATE_NOT_VALID_YET`.
pub fn check_trusted(text: &str, now: DateTime) -> Result<CertificateFacts, ApiError> {
    valid(text, now, &TRUSTED)
}

/// Whether a text is a revocation list in PEM.
pub fn is_revocation_list(text: &str) -> bool {
    text.len() <= LONGEST
        && CertificateRevocationListDer::from_pem_slice(text.as_bytes())
            .is_ok_and(|der| CertificateRevocationList::from_der(&der).is_ok())
}

/// Checks a certificate for a host's API with its key and the authorities between.
///
/// # Errors
/// The `SERVER_CERTIFICATE_*` of the obstacle that XenServer would find first: key, certificate, chain.
pub fn check_server(
    certificate: &str,
    key: &str,
    chain: &str,
    now: DateTime,
) -> Result<CertificateFacts, ApiError> {
    let key = check_key(key)?;
    let found = valid(certificate, now, &SERVER)?;
    let invalid = || ApiError::bare(SERVER.invalid);
    let der = read(certificate).ok_or_else(invalid)?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| invalid())?;
    // Older forms have no extensions, and TLS as it is spoken here does without them no more.
    if parsed.version() != X509Version::V3 {
        return Err(invalid());
    }
    if parsed.public_key().raw != key.as_slice() {
        return Err(ApiError::bare("SERVER_CERTIFICATE_KEY_MISMATCH"));
    }
    if !SIGNATURES.contains(&parsed.signature_algorithm.algorithm.to_id_string().as_str()) {
        return Err(ApiError::bare("SERVER_CERTIFICATE_SIGNATURE_NOT_SUPPORTED"));
    }
    check_chain(chain)?;
    Ok(found)
}

/// RSA and ECDSA with SHA-256, SHA-384 and SHA-512.
const SIGNATURES: &[&str] = &[
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
];

fn check_chain(chain: &str) -> Result<(), ApiError> {
    if chain.trim().is_empty() {
        return Ok(());
    }
    let invalid = || ApiError::bare("SERVER_CERTIFICATE_CHAIN_INVALID");
    if chain.len() > LONGEST {
        return Err(invalid());
    }
    let mut count = 0;
    for der in CertificateDer::pem_slice_iter(chain.as_bytes()) {
        let der = der.map_err(|_| invalid())?;
        X509Certificate::from_der(&der).map_err(|_| invalid())?;
        count += 1;
    }
    if count == 0 { Err(invalid()) } else { Ok(()) }
}

const RSA: &str = "1.2.840.113549.1.1.1";
const ELLIPTIC: &str = "1.2.840.10045.2.1";

/// Checks a private key and returns the public one to it, as certificates have it.
fn check_key(text: &str) -> Result<Vec<u8>, ApiError> {
    let invalid = || ApiError::bare("SERVER_CERTIFICATE_KEY_INVALID");
    let other = |oid: &str| ApiError::new("SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED", [oid]);
    if text.len() > LONGEST {
        return Err(invalid());
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| invalid())?;
    let rsa = match &key {
        PrivateKeyDer::Pkcs1(key) => key.secret_pkcs1_der(),
        PrivateKeyDer::Pkcs8(key) => {
            let (algorithm, inner) = within_pkcs8(key.secret_pkcs8_der()).ok_or_else(invalid)?;
            if algorithm != RSA {
                return Err(other(&algorithm));
            }
            inner
        }
        PrivateKeyDer::Sec1(_) => return Err(other(ELLIPTIC)),
        _ => return Err(invalid()),
    };
    let (version, bits) = of_rsa(rsa).ok_or_else(invalid)?;
    if version != 0 {
        return Err(ApiError::bare("SERVER_CERTIFICATE_KEY_RSA_MULTI_NOT_SUPPORTED"));
    }
    if !RSA_BITS.contains(&bits) {
        return Err(ApiError::new(
            "SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED",
            [bits.to_string()],
        ));
    }
    let signing = any_supported_type(&key).map_err(|_| invalid())?;
    let public = signing.public_key().ok_or_else(invalid)?;
    Ok(public.as_ref().to_vec())
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NAME: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// One DER element of a kind: its content, and what follows it.
fn element(input: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&[tag, first], rest) = input.split_first_chunk::<2>()?;
    if tag != kind {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.is_empty() || bytes.len() > 4 {
            return None;
        }
        let length = bytes.iter().fold(0usize, |sum, b| (sum << 8) | usize::from(*b));
        (length, rest)
    };
    rest.split_at_checked(length)
}

/// The algorithm's number and the key itself. Source: RFC 5958.
fn within_pkcs8(der: &[u8]) -> Option<(String, &[u8])> {
    let (all, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(all, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (number, _) = element(algorithm, NAME)?;
    let (key, _) = element(rest, OCTETS)?;
    Some((Oid::new(number.into()).to_id_string(), key))
}

/// Version (1 with more than two primes) and size in bits. Source: RFC 8017, A.1.2.
fn of_rsa(der: &[u8]) -> Option<(u8, usize)> {
    let (all, _) = element(der, SEQUENCE)?;
    let (version, rest) = element(all, INTEGER)?;
    let (modulus, _) = element(rest, INTEGER)?;
    let zeros = modulus.iter().take_while(|b| **b == 0).count();
    let digits = modulus.get(zeros..)?;
    let top = digits.first()?.leading_zeros();
    let bits = digits
        .len()
        .checked_mul(8)?
        .checked_sub(usize::try_from(top).ok()?)?;
    Some((*version.first()?, bits))
}

#[cfg(test)]
mod test;
