//! The certificate that the host shows, replaceable while the server runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// The certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is no PEM, or holds no certificate.
    #[error("cannot read the certificate")]
    Certificate(#[source] rustls_pki_types::pem::Error),
    /// The key is no PEM, or holds no private key.
    #[error("cannot read the private key")]
    Key(#[source] rustls_pki_types::pem::Error),
    /// rustls refuses the pair.
    #[error("cannot use the certificate with its key")]
    Pair(#[source] rustls::Error),
    /// No ticket key could be made.
    #[error("cannot make a key for session tickets")]
    Tickets(#[source] rustls::Error),
}

/// The server's certificate chain and key. Clones share one identity.
#[derive(Clone)]
pub struct ServerIdentity {
    current: Arc<ArcSwap<ServerConfig>>,
}

impl ServerIdentity {
    /// Reads a certificate chain, leaf first, and its private key, both in PEM.
    ///
    /// # Errors
    /// [`TlsError`] if either cannot be read or they do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<ServerIdentity, TlsError> {
        Ok(ServerIdentity {
            current: Arc::new(ArcSwap::from_pointee(configure(certificates, key)?)),
        })
    }

    /// Shows another certificate from the next connection on. Open connections stay.
    ///
    /// # Errors
    /// As [`ServerIdentity::from_pem`]; the old certificate then stays in use.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), TlsError> {
        self.current.store(Arc::new(configure(certificates, key)?));
        Ok(())
    }

    /// An acceptor with the certificate of now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

/// TLS 1.2 and 1.3, HTTP/1.1, no client certificates.
fn configure(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::Certificate(rustls_pki_types::pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Clients without keep-alive save the better half of a handshake by resuming.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Tickets)?;
    Ok(config)
}
