//! What the programs that load a server share: one answer of HTTP over TLS, and no more work than that.

use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Reads one answer and says whether it is the expected one.
///
/// # Errors
/// If the connection ends before the answer.
pub async fn read_answer(
    stream: &mut TlsStream<TcpStream>,
    answer: &mut Vec<u8>,
    expect: &[u8],
) -> anyhow::Result<bool> {
    answer.clear();
    let mut searched = 0;
    let head = loop {
        if stream.read_buf(answer).await? == 0 {
            bail!("connection closed");
        }
        if let Some(at) = find(&answer[searched..], b"\r\n\r\n") {
            break searched + at + 4;
        }
        searched = answer.len().saturating_sub(3);
    };
    let length = content_length(&answer[..head]).context("answer without Content-Length")?;
    while answer.len() < head + length {
        if stream.read_buf(answer).await? == 0 {
            bail!("connection closed");
        }
    }
    Ok(answer.starts_with(b"HTTP/1.1 200") && (expect.is_empty() || find(&answer[head..], expect).is_some()))
}

/// Where something stands in a text.
pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> Option<usize> {
    std::str::from_utf8(head).ok()?.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    })
}

/// A client that takes any certificate.
///
/// # Errors
/// If the provider has no version of TLS.
pub fn trusting_config() -> anyhow::Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll(provider)))
        .with_no_client_auth())
}

/// Takes any certificate: what is measured is the speed of a server that the caller has just started.
#[derive(Debug)]
struct TrustsAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
