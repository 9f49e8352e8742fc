//! The pool's own certificate authority, and the certificates it gives to hosts.
//!
//! A host is known by the DNS name `<uuid>.host.tarn` in its certificate; addresses and `localhost` stand beside
//! it so that the API on 443 can use the same certificate.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What follows the uuid in the name of a host.
const HOST_SUFFIX: &str = ".host.tarn";
/// How long an authority is good, in days.
const CA_DAYS: i64 = 30 * 365;
/// How long a host's certificate is good: it is renewed when a third of this is left, so that a host may be away for
/// eight months.
const HOST_DAYS: i64 = 2 * 365;

/// A certificate or key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The text is no certificate, key or request.
    #[error("not a {what} in PEM form")]
    NotPem {
        /// What was expected.
        what: &'static str,
    },
    /// Signing or encoding failed, or the request is not signed by its key.
    #[error("certificate was not made")]
    Make(#[from] rcgen::Error),
}

/// The name by which the certificate of a host knows it.
pub fn host_name(host: Uuid) -> String {
    format!("{}{HOST_SUFFIX}", host.as_hyphenated())
}

/// The certificate authority of one pool. Its key is a secret: no `Debug`.
///
/// One that took the place of another carries a second certificate of its key, which the older one signed: so it is
/// trusted by hosts that were away and know the older one only.
pub struct Authority {
    certificate_pem: String,
    links_pem: String,
    key: KeyPair,
}

impl Authority {
    /// Makes a new authority for a pool.
    ///
    /// # Errors
    /// [`CaError::Make`] when no key can be made.
    pub fn create(pool: Uuid) -> Result<Authority, CaError> {
        let key = KeyPair::generate()?;
        Ok(Authority {
            certificate_pem: authority_params(pool)?.self_signed(&key)?.pem(),
            links_pem: String::new(),
            key,
        })
    }

    /// Makes the authority that takes this one's place. `name` makes it another name.
    ///
    /// # Errors
    /// [`CaError::Make`] when no key can be made.
    pub fn successor(&self, name: Uuid) -> Result<Authority, CaError> {
        let key = KeyPair::generate()?;
        let params = authority_params(name)?;
        Ok(Authority {
            certificate_pem: params.self_signed(&key)?.pem(),
            links_pem: params.signed_by(&key, &self.issuer()?)?.pem(),
            key,
        })
    }

    /// Takes up an authority made before.
    ///
    /// # Errors
    /// [`CaError`] when either text is not what it should be.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Authority, CaError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::NotPem { what: "private key" })?;
        let _ = first_der(certificate_pem)?;
        let (first, links) = split_first(certificate_pem);
        Ok(Authority {
            certificate_pem: first.to_owned(),
            links_pem: links.to_owned(),
            key,
        })
    }

    /// The authority's certificate, which every node trusts.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// All of its certificates, as [`Authority::from_pem`] takes them.
    pub fn all_pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.links_pem)
    }

    /// The authority's key. Secret: kept by the pool's members only.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Issues a certificate for the key that signed a request. Names and uses in the request are ignored. What links it
    /// to older authorities follows it.
    ///
    /// # Errors
    /// [`CaError`] when the request does not read or is not signed by its key.
    pub fn issue_for_request(
        &self,
        request_pem: &str,
        host: Uuid,
        addresses: &[IpAddr],
    ) -> Result<String, CaError> {
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)?;
        request.params = host_params(host, addresses)?;
        let issuer = self.issuer()?;
        Ok(format!("{}{}", request.signed_by(&issuer)?.pem(), self.links_pem))
    }

    /// Issues a certificate for a key at hand, likewise.
    ///
    /// # Errors
    /// [`CaError`] when the key does not read.
    pub fn issue_for_key(&self, key_pem: &str, host: Uuid, addresses: &[IpAddr]) -> Result<String, CaError> {
        self.issue(key_pem, host_params(host, addresses)?)
    }

    /// The same, until a moment.
    ///
    /// # Errors
    /// [`CaError`] when the key does not read.
    pub fn issue_until(
        &self,
        key_pem: &str,
        host: Uuid,
        addresses: &[IpAddr],
        until: OffsetDateTime,
    ) -> Result<String, CaError> {
        let mut params = host_params(host, addresses)?;
        params.not_after = until;
        self.issue(key_pem, params)
    }

    fn issue(&self, key_pem: &str, params: CertificateParams) -> Result<String, CaError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::NotPem { what: "private key" })?;
        let certificate: Certificate = params.signed_by(&key, &self.issuer()?)?;
        Ok(format!("{}{}", certificate.pem(), self.links_pem))
    }

    fn issuer(&self) -> Result<Issuer<'static, &KeyPair>, CaError> {
        Ok(Issuer::from_ca_cert_pem(&self.certificate_pem, &self.key)?)
    }
}

/// Makes a private key in PEM form. Secret.
///
/// # Errors
/// [`CaError::Make`] when there is no randomness.
pub fn make_key() -> Result<String, CaError> {
    Ok(KeyPair::generate()?.serialize_pem())
}

/// Makes a signing request for a key.
///
/// # Errors
/// [`CaError`] when the key does not read.
pub fn make_request(key_pem: &str, host: Uuid) -> Result<String, CaError> {
    let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::NotPem { what: "private key" })?;
    let mut params = CertificateParams::new(vec![host_name(host)])?;
    params.distinguished_name = named(host_name(host));
    Ok(params.serialize_request(&key)?.pem()?)
}

/// SHA-256 of a certificate, as 64 lower-case hexadecimal digits.
///
/// # Errors
/// [`CaError::NotPem`] when the text is no certificate.
pub fn fingerprint(certificate_pem: &str) -> Result<String, CaError> {
    Ok(fingerprint_of(&first_der(certificate_pem)?))
}

/// SHA-256 of a certificate in binary form, as 64 lower-case hexadecimal digits.
pub fn fingerprint_of(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate.as_ref())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The host a certificate was issued to; `None` if it names none. The caller must have checked who signed it.
pub fn host_of(certificate: &CertificateDer<'_>) -> Option<Uuid> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let (_, parsed) = X509Certificate::from_der(certificate.as_ref()).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Uuid::try_parse(name.strip_suffix(HOST_SUFFIX)?).ok(),
        _ => None,
    })
}

/// Cuts a PEM text behind its first certificate.
pub fn split_first(pem: &str) -> (&str, &str) {
    const END: &str = "-----END CERTIFICATE-----";
    let Some(at) = pem.find(END) else {
        return (pem, "");
    };
    let behind = pem.get(at.saturating_add(END.len())..).unwrap_or_default();
    let rest = behind.trim_start_matches(['\r', '\n']);
    (pem.strip_suffix(rest).unwrap_or(pem), rest)
}

/// Whether a certificate names an authority as the one that signed it. The signature is not looked at.
pub fn names_issuer(certificate_pem: &str, authority_pem: &str) -> bool {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (Ok(leaf), Ok(authority)) = (first_der(certificate_pem), first_der(authority_pem)) else {
        return false;
    };
    match (
        X509Certificate::from_der(&leaf),
        X509Certificate::from_der(&authority),
    ) {
        (Ok((_, leaf)), Ok((_, authority))) => leaf.issuer().as_raw() == authority.subject().as_raw(),
        _ => false,
    }
}

/// Whether a certificate is to be renewed: a third of its time or less is left at `now`, in seconds since 1970.
///
/// # Errors
/// [`CaError::NotPem`] when the text is no certificate.
pub fn is_due(certificate_pem: &str, now: i64) -> Result<bool, CaError> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let not_pem = || CaError::NotPem { what: "certificate" };
    let der = first_der(certificate_pem)?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| not_pem())?;
    let validity = parsed.validity();
    let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    Ok(to.saturating_sub(now) <= to.saturating_sub(from) / 3)
}

/// The certificates in a PEM text, in order.
///
/// # Errors
/// [`CaError::NotPem`] when there is none, or one does not read.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, CaError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| CaError::NotPem { what: "certificate" })?;
    if found.is_empty() {
        Err(CaError::NotPem { what: "certificate" })
    } else {
        Ok(found)
    }
}

/// The private key in a PEM text.
///
/// # Errors
/// [`CaError::NotPem`] when there is none.
pub fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, CaError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CaError::NotPem { what: "private key" })
}

fn first_der(pem: &str) -> Result<CertificateDer<'static>, CaError> {
    certificates(pem)?
        .into_iter()
        .next()
        .ok_or(CaError::NotPem { what: "certificate" })
}

fn named(common_name: String) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn authority_params(pool: Uuid) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named(format!("Tarn pool {}", pool.as_hyphenated()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, CA_DAYS);
    Ok(params)
}

fn valid_for(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    // Hosts' clocks may differ by a day before anything sets them.
    params.not_before = now - Duration::days(2);
    params.not_after = now + Duration::days(days);
}

fn host_params(host: Uuid, addresses: &[IpAddr]) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new(vec![host_name(host), "localhost".to_owned()])?;
    params
        .subject_alt_names
        .extend(addresses.iter().map(|a| SanType::IpAddress(*a)));
    params.distinguished_name = named(host_name(host));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, HOST_DAYS);
    Ok(params)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_certificate() {
        let host = Uuid::from_u128(42);
        let ca = Authority::create(Uuid::from_u128(1)).unwrap();
        let again = Authority::from_pem(ca.certificate_pem(), &ca.key_pem()).unwrap();
        let key = make_key().unwrap();
        let by_request = again
            .issue_for_request(&make_request(&key, Uuid::from_u128(666)).unwrap(), host, &[])
            .unwrap();
        let by_key = again
            .issue_for_key(&key, host, &["127.0.0.1".parse().unwrap()])
            .unwrap();
        for pem in [by_request, by_key] {
            assert_eq!(host_of(&first_der(&pem).unwrap()), Some(host));
        }
        assert_eq!(host_of(&first_der(ca.certificate_pem()).unwrap()), None);
        assert_eq!(fingerprint(ca.certificate_pem()).unwrap().len(), 64);
    }

    #[test]
    fn a_certificate_is_due_when_a_third_of_its_time_is_left() {
        let ca = Authority::create(Uuid::from_u128(1)).unwrap();
        let pem = ca
            .issue_for_key(&make_key().unwrap(), Uuid::from_u128(2), &[])
            .unwrap();
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let day = 86_400;
        assert!(!is_due(&pem, now).unwrap());
        assert!(!is_due(&pem, now + (HOST_DAYS * 2 / 3 - 3) * day).unwrap());
        assert!(is_due(&pem, now + HOST_DAYS * 2 / 3 * day).unwrap());
        assert!(is_due(&pem, now + 2 * HOST_DAYS * day).unwrap());
    }

    #[test]
    fn a_successor_is_linked_to_the_one_before() {
        let old = Authority::create(Uuid::from_u128(1)).unwrap();
        let new = old.successor(Uuid::from_u128(2)).unwrap();
        let new = Authority::from_pem(&new.all_pem(), &new.key_pem()).unwrap();
        let leaf = new
            .issue_for_key(&make_key().unwrap(), Uuid::from_u128(3), &[])
            .unwrap();
        let (first, links) = split_first(&leaf);
        assert!(names_issuer(first, new.certificate_pem()) && !names_issuer(first, old.certificate_pem()));
        assert!(names_issuer(links, old.certificate_pem()));
        assert_eq!(certificates(&leaf).unwrap().len(), 2);
        assert_eq!(certificates(new.certificate_pem()).unwrap().len(), 1);
    }

    #[test]
    fn text_that_is_no_certificate_is_refused() {
        assert!(fingerprint("hello").is_err());
        assert!(Authority::from_pem("x", "y").is_err());
    }
}
