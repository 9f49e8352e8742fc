//! What is taken for a certificate and what is not.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SerialNumber,
};
use time::OffsetDateTime;

use super::*;

const NOW: DateTime = DateTime(1_800_000_000);

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn signed(key: &KeyPair, from: i64, to: i64) -> String {
    let mut params = CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(from).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(to).unwrap();
    params.self_signed(key).unwrap().pem()
}

fn refusal(certificate: &str, key: &str, chain: &str) -> Vec<String> {
    check_server(certificate, key, chain, NOW)
        .unwrap_err()
        .description()
}

#[test]
fn a_certificate_that_fits_is_taken_and_each_obstacle_has_its_name() {
    let key = rsa();
    let good = signed(&key, NOW.0 - 10, NOW.0 + 10);
    let found = check_server(&good, &key.serialize_pem(), "", NOW).unwrap();
    assert_eq!((found.not_before.0, found.not_after.0), (NOW.0 - 10, NOW.0 + 10));
    assert_eq!((found.sha256.len(), found.sha1.len()), (95, 59));
    check_server(&good, &key.serialize_pem(), &good, NOW).unwrap();

    let secret = key.serialize_pem();
    assert_eq!(refusal(&good, "nothing", ""), ["SERVER_CERTIFICATE_KEY_INVALID"]);
    assert_eq!(refusal("nothing", &secret, ""), ["SERVER_CERTIFICATE_INVALID"]);
    assert_eq!(
        refusal(&good, &secret, "nothing"),
        ["SERVER_CERTIFICATE_CHAIN_INVALID"]
    );
    assert_eq!(
        refusal(&good, &rsa().serialize_pem(), ""),
        ["SERVER_CERTIFICATE_KEY_MISMATCH"]
    );
    let elliptic = KeyPair::generate().unwrap();
    assert_eq!(
        refusal(&good, &elliptic.serialize_pem(), ""),
        ["SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED", ELLIPTIC]
    );
    assert_eq!(
        refusal(&signed(&key, NOW.0 - 20, NOW.0 - 10), &secret, ""),
        [
            "SERVER_CERTIFICATE_EXPIRED",
            "2027-01-15T08:00:00Z",
            "2027-01-15T07:59:50Z"
        ]
    );
    assert_eq!(
        refusal(&signed(&key, NOW.0 + 10, NOW.0 + 20), &secret, ""),
        [
            "SERVER_CERTIFICATE_NOT_VALID_YET",
            "2027-01-15T08:00:00Z",
            "2027-01-15T08:00:10Z"
        ]
    );
}

#[test]
fn sizes_of_rsa_keys_are_read_from_the_key() {
    // SEQUENCE { version, modulus }: all that is looked at.
    let key = |version: u8, bits: usize| {
        let mut modulus = vec![0x00];
        modulus.extend(std::iter::repeat_n(0x80, bits / 8));
        let mut inner = vec![INTEGER, 1, version, INTEGER, 0x82];
        inner.extend(u16::try_from(modulus.len()).unwrap().to_be_bytes());
        inner.extend(modulus);
        let mut all = vec![SEQUENCE, 0x82];
        all.extend(u16::try_from(inner.len()).unwrap().to_be_bytes());
        all.extend(inner);
        all
    };
    assert_eq!(of_rsa(&key(0, 1024)), Some((0, 1024)));
    assert_eq!(of_rsa(&key(1, 4096)), Some((1, 4096)));
    for cut in 0..key(0, 1024).len() {
        assert_eq!(of_rsa(&key(0, 1024)[..cut]), None);
    }
}

#[test]
fn a_list_of_revoked_certificates_is_told_from_a_certificate() {
    let key = rsa();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let certificate = params.clone().self_signed(&key).unwrap().pem();
    let list = CertificateRevocationListParams {
        this_update: OffsetDateTime::from_unix_timestamp(NOW.0).unwrap(),
        next_update: OffsetDateTime::from_unix_timestamp(NOW.0 + 10).unwrap(),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).unwrap().pem().unwrap();
    assert!(is_revocation_list(&list));
    assert!(!is_revocation_list(&certificate) && !is_revocation_list(""));
    assert!(check_authority(&list, NOW).is_err());
}
