//! A node's certificate and whom it trusts, replaceable while running.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use uuid::Uuid;

use crate::ca::{self, CaError};

/// What a node shows and trusts, in PEM form. Holds a secret: no `Debug`.
#[derive(Clone)]
pub struct Identity {
    /// The host's uuid.
    pub host: Uuid,
    /// The host's certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// One or more certificates of authorities; two while the pool changes its CA.
    pub trust_pem: String,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A text does not read.
    #[error("certificates do not read")]
    Read(#[from] CaError),
    /// Key and certificate do not fit, or the library refuses them.
    #[error("certificates do not fit")]
    Use(#[from] rustls::Error),
    /// The trust bundle cannot be used.
    #[error("trust bundle cannot be used")]
    Trust(#[from] rustls::server::VerifierBuilderError),
}

pub(super) struct Loaded {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

/// A node's credentials. Cheap to copy; all copies see a reload.
#[derive(Clone)]
pub struct Credentials {
    loaded: Arc<ArcSwap<Loaded>>,
}

impl Credentials {
    /// Loads credentials.
    ///
    /// # Errors
    /// [`CredentialsError`] when a text does not read, or key and certificate do not belong together.
    pub fn new(identity: &Identity) -> Result<Credentials, CredentialsError> {
        Ok(Credentials {
            loaded: Arc::new(ArcSwap::from_pointee(load(identity)?)),
        })
    }

    /// Replaces certificate, key and trust. Connections that stand keep the old ones; on an error nothing
    /// changes.
    ///
    /// # Errors
    /// As [`Credentials::new`].
    pub fn reload(&self, identity: &Identity) -> Result<(), CredentialsError> {
        self.loaded.store(Arc::new(load(identity)?));
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }
}

/// What nodes encrypt with. AES with keys of 128 bits comes first: guests' memory passes here, and it takes ten rounds
/// where 256 bits take fourteen.
pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let wanted = rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != wanted);
    Arc::new(provider)
}

fn load(identity: &Identity) -> Result<Loaded, CredentialsError> {
    let mut roots = RootCertStore::empty();
    let trust = ca::certificates(&identity.trust_pem)?;
    for certificate in &trust {
        roots.add(certificate.clone())?;
    }
    let roots = Arc::new(roots);
    // The authority's certificate goes along, so that a joining host can check it against its token.
    let mut chain = ca::certificates(&identity.certificate_pem)?;
    chain.extend(trust);
    let versions = [&rustls::version::TLS13];

    // A host that joins has no certificate yet; services ask for the peer's identity themselves.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
        .allow_unauthenticated()
        .build()?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), ca::private_key(&identity.key_pem)?)?;
    server.alpn_protocols = vec![b"h2".to_vec()];

    let own = ca::certificates(&identity.certificate_pem)?;
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, ca::private_key(&identity.key_pem)?)?;
    client.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Loaded {
        server: Arc::new(server),
        client: Arc::new(client),
    })
}
