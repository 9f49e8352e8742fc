//! Why nodes do not trust one another, in words for those who look after them.

use std::error::Error;

/// How rustls names what is wrong, and what that means here. It keeps no type of its own on the way through HTTP/2, so that its
/// words are looked for; the tests below see each of them as it comes.
const MEANINGS: &[(&str, &str)] = &[
    (
        "received fatal alert: CertificateExpired",
        "the other node refuses this one's certificate: it has expired, or one of the two clocks is wrong",
    ),
    (
        "received fatal alert: UnknownCA",
        "the other node refuses this one's certificate: it was signed by no authority that the other trusts",
    ),
    (
        "received fatal alert: DecryptError",
        "the other node refuses this one's certificate: it was signed by no authority that the other trusts",
    ),
    (
        "received fatal alert: BadCertificate",
        "the other node refuses this one's certificate: it does not read as one of a host",
    ),
    (
        "invalid peer certificate: certificate expired",
        "the other node's certificate has expired, or one of the two clocks is wrong",
    ),
    (
        "invalid peer certificate: Expired",
        "the other node's certificate has expired, or one of the two clocks is wrong",
    ),
    (
        "invalid peer certificate: UnknownIssuer",
        "the other node's certificate was signed by no authority that this one trusts",
    ),
    (
        "invalid peer certificate: BadSignature",
        "the other node's certificate was signed by no authority that this one trusts",
    ),
    (
        "invalid peer certificate: NotValidForName",
        "the other node is another host than the one that was called",
    ),
    (
        "invalid peer certificate: certificate not valid for name",
        "the other node is another host than the one that was called",
    ),
];

/// What an error of a connection or of a call over it says about trust; nothing if it says nothing.
pub fn distrust(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut at = Some(error);
    while let Some(error) = at {
        let text = error.to_string();
        if let Some((_, meaning)) = MEANINGS.iter().find(|(words, _)| text.contains(words)) {
            return Some(meaning);
        }
        at = error.source();
    }
    None
}

#[cfg(test)]
mod test {
    use std::sync::Arc;

    use rustls_pki_types::ServerName;
    use time::{Duration, OffsetDateTime};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};
    use uuid::Uuid;

    use super::*;
    use crate::ca::{self, Authority};
    use crate::channel::{Credentials, Identity};

    const SERVER: Uuid = Uuid::from_u128(1);
    const CLIENT: Uuid = Uuid::from_u128(2);

    fn credentials(signs: &Authority, trusts: &Authority, host: Uuid, days: i64) -> Credentials {
        let key_pem = ca::make_key().unwrap();
        let until = OffsetDateTime::now_utc() + Duration::days(days);
        let certificate_pem = signs.issue_until(&key_pem, host, &[], until).unwrap();
        Credentials::new(&Identity {
            host,
            certificate_pem,
            key_pem,
            trust_pem: trusts.certificate_pem().to_owned(),
        })
        .unwrap()
    }

    /// What either side says of the other's certificate: the server, then the client.
    async fn meet(server: &Credentials, client: &Credentials, called: Uuid) -> [Option<&'static str>; 2] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let accepting = TlsAcceptor::from(Arc::clone(&server.current().server)).accept(far);
        let name = ServerName::try_from(ca::host_name(called)).unwrap();
        let connecting = async {
            let mut stream = TlsConnector::from(Arc::clone(&client.current().client))
                .connect(name, near)
                .await?;
            stream.write_all(b"x").await?;
            stream.read_u8().await
        };
        let (accepted, connected) = tokio::join!(
            async {
                let mut stream = accepting.await?;
                stream.write_all(b"y").await
            },
            connecting
        );
        [
            accepted.err().and_then(|e| distrust(&e)),
            connected.err().and_then(|e| distrust(&e)),
        ]
    }

    #[tokio::test]
    async fn an_expired_and_a_foreign_certificate_are_refused_with_the_reason() {
        let own = Authority::create(Uuid::from_u128(10)).unwrap();
        let other = Authority::create(Uuid::from_u128(11)).unwrap();
        let server = credentials(&own, &own, SERVER, 9);
        let client = credentials(&own, &own, CLIENT, 9);
        assert_eq!(meet(&server, &client, SERVER).await, [None, None]);

        let [theirs, ours] = meet(&server, &credentials(&own, &own, CLIENT, -1), SERVER).await;
        assert!(theirs.unwrap().contains("has expired"), "{theirs:?}");
        assert!(
            ours.unwrap()
                .contains("refuses this one's certificate: it has expired"),
            "{ours:?}"
        );
        let [theirs, ours] = meet(&server, &credentials(&other, &own, CLIENT, 9), SERVER).await;
        assert!(
            theirs.unwrap().contains("no authority that this one trusts"),
            "{theirs:?}"
        );
        assert!(
            ours.unwrap().contains("no authority that the other trusts"),
            "{ours:?}"
        );

        let [_, ours] = meet(&credentials(&own, &own, SERVER, -1), &client, SERVER).await;
        assert!(
            ours.unwrap().contains("other node's certificate has expired"),
            "{ours:?}"
        );
        let [_, ours] = meet(&credentials(&other, &own, SERVER, 9), &client, SERVER).await;
        assert!(
            ours.unwrap().contains("no authority that this one trusts"),
            "{ours:?}"
        );
        let [_, ours] = meet(&server, &client, Uuid::from_u128(7)).await;
        assert!(ours.unwrap().contains("another host"), "{ours:?}");
    }

    #[test]
    fn other_errors_say_nothing_of_trust() {
        assert_eq!(distrust(&std::io::Error::other("connection refused")), None);
    }
}
