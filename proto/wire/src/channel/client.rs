//! The calling side: one lazily connected channel per peer and lane.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use uuid::Uuid;

use super::credentials::{Credentials, provider};
use super::server::READ_AT_ONCE;
use crate::ca;

/// How long connecting and the handshake may take together.
const CONNECT: Duration = Duration::from_secs(3);
/// A silent connection is asked for a sign of life this often, and given up when none comes.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Kinds of traffic that have a connection each, so that one does not wait behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Consensus: small and urgent.
    Raft,
    /// Snapshots of the database.
    Snapshot,
    /// Commands to hosts and what they tell.
    Agent,
    /// Bytes of migrations.
    Tunnel,
}

/// Channels to the other hosts of the pool. Cheap to copy; copies share the channels.
#[derive(Clone)]
pub struct Peers {
    credentials: Credentials,
    channels: Arc<Mutex<HashMap<Key, Channel>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    host: Uuid,
    address: String,
    port: u16,
    lane: Lane,
}

impl Peers {
    /// Makes an empty set of channels.
    pub fn new(credentials: Credentials) -> Peers {
        Peers {
            credentials,
            channels: Arc::default(),
        }
    }

    /// The channel to a host. Connects at the first call made on it, and again after a failure; needs a tokio
    /// runtime, whose threads then carry the traffic.
    ///
    /// The host must show a certificate of this pool that names it. Calls have no deadline of their own.
    pub fn channel(&self, host: Uuid, address: &str, port: u16, lane: Lane) -> Channel {
        let key = Key {
            host,
            address: address.to_owned(),
            port,
            lane,
        };
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&key) {
            return channel.clone();
        }
        let credentials = self.credentials.clone();
        let target = (address.to_owned(), port);
        let name = ca::host_name(host);
        let channel = endpoint().connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let config = Arc::clone(&credentials.current().client);
            dial(target.clone(), name.clone(), config)
        }));
        channels.insert(key, channel.clone());
        channel
    }

    /// Forgets all channels: the next calls connect anew, with the credentials of then.
    pub fn reconnect(&self) {
        self.channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The credentials in use.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

/// A channel to a pool that is known only by the fingerprint of its CA: what a joining host has.
pub struct Pinned;

impl Pinned {
    /// Connects lazily to `address:port`, without an own certificate. The other side must show a chain that
    /// ends in the CA with this SHA-256 fingerprint (hexadecimal); its name is not checked.
    ///
    /// # Errors
    /// [`rustls::Error`] if TLS cannot be set up.
    pub fn channel(address: &str, port: u16, ca_fingerprint: &str) -> Result<Channel, rustls::Error> {
        let pinned = OnceLock::from(ca_fingerprint.to_ascii_lowercase());
        let config = stranger(PinnedCa::new(pinned))?;
        let target = (address.to_owned(), port);
        Ok(
            endpoint().connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                dial(target.clone(), "pool.tarn".to_owned(), Arc::clone(&config))
            })),
        )
    }

    /// The fingerprint of the CA that a node at `address:port` shows, believed at first sight: for `pool.join`, whose
    /// caller names an address and no fingerprint. XenServer joins so, too.
    ///
    /// # Errors
    /// [`io::Error`] if the node is not reached within some seconds, speaks no TLS, or shows no CA.
    pub async fn first_sight(address: &str, port: u16) -> io::Result<String> {
        let verifier = PinnedCa::new(OnceLock::new());
        let config = stranger(Arc::clone(&verifier)).map_err(io::Error::other)?;
        dial((address.to_owned(), port), "pool.tarn".to_owned(), config).await?;
        let seen = verifier.fingerprint.get().cloned();
        seen.ok_or_else(|| io::Error::other("the node shows no certificate authority"))
    }
}

/// TLS without an own certificate, for a host that is in no pool yet.
fn stranger(verifier: Arc<PinnedCa>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn endpoint() -> Endpoint {
    Endpoint::from_static("http://node.tarn")
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024)
        .tcp_nodelay(true)
}

/// Rest after a connection that failed.
const REST: Duration = Duration::from_millis(100);

async fn dial(
    target: (String, u16),
    name: String,
    config: Arc<ClientConfig>,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<BufReader<TcpStream>>>> {
    let connect = async {
        let stream = TcpStream::connect((target.0.as_str(), target.1)).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(READ_AT_ONCE, stream);
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, stream).await
    };
    let failure = match tokio::time::timeout(CONNECT, connect).await {
        Ok(Ok(stream)) => return Ok(TokioIo::new(stream)),
        Ok(Err(error)) => error,
        Err(_) => io::Error::from(io::ErrorKind::TimedOut),
    };
    // A network that is down refuses at once, and those who call try again at once: without a rest a host that has lost
    // its network would spend its processors on it.
    tokio::time::sleep(REST).await;
    Err(failure)
}

/// Trusts the CA with a fingerprint; where none is set, the one that is seen first.
#[derive(Debug)]
struct PinnedCa {
    fingerprint: OnceLock<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedCa {
    fn new(fingerprint: OnceLock<String>) -> Arc<PinnedCa> {
        let algorithms = provider().signature_verification_algorithms;
        Arc::new(PinnedCa {
            fingerprint,
            algorithms,
        })
    }
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let last = intermediates.last().ok_or_else(|| unknown.clone())?;
        let pinned = self.fingerprint.get_or_init(|| ca::fingerprint_of(last));
        let ca = intermediates
            .iter()
            .find(|certificate| ca::fingerprint_of(certificate) == *pinned)
            .ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let leaf = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, self.algorithms.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
