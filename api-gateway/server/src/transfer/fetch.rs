//! Getting what lies behind a URL: HTTP or HTTPS, a few redirections, each wait bounded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use proto_types::ApiError;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::body::{BodyReader, RequestBody};

/// How long it may take until the server's first words have come.
const OPENING: Duration = Duration::from_secs(30);
/// How long it may send nothing in between.
const STALL: Duration = Duration::from_secs(60);
/// How often one is sent on.
const REDIRECTIONS: usize = 5;
/// Where systems keep the certificates of authorities that they trust.
const AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// What was found.
pub struct Fetched {
    /// Its bytes.
    pub body: BodyReader,
    /// How many, if the server says so.
    pub length: Option<u64>,
    /// The last part of its path.
    pub name: String,
}

fn failed(why: impl std::fmt::Display) -> ApiError {
    ApiError::new("IMPORT_ERROR", [format!("the URL cannot be read: {why}")])
}

/// Opens what lies behind a URL. A name and password in it are sent as such, and never to where it leads on.
///
/// # Errors
/// `IMPORT_ERROR [text]`; the text does not repeat the URL, which may hold a secret.
pub async fn fetch(url: &str) -> Result<Fetched, ApiError> {
    let mut place: Uri = url.trim().parse().map_err(failed)?;
    let mut secret = credentials(&place);
    for _ in 0..=REDIRECTIONS {
        let response = timeout(OPENING, ask(&place, secret.as_deref()))
            .await
            .map_err(|_| failed("the server does not answer"))??;
        match response.status() {
            StatusCode::OK => {
                let name = place.path().rsplit('/').next().unwrap_or_default();
                let name = plain(name);
                let body = RequestBody::new(response.into_body(), STALL);
                let length = body.length();
                let body = body.shared().reader();
                return Ok(Fetched { body, length, name });
            }
            status if status.is_redirection() => {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let to = to.ok_or_else(|| failed("it leads on to nowhere"))?;
                place = beside(&place, to)?;
                secret = None;
            }
            status => return Err(failed(format!("the server answers {status}"))),
        }
    }
    Err(failed("it leads on too often"))
}

/// Where a redirection leads: a URL, or a path on the same server.
fn beside(from: &Uri, to: &str) -> Result<Uri, ApiError> {
    let found: Uri = to.parse().map_err(failed)?;
    if found.scheme().is_some() {
        return Ok(found);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = found.into_parts().path_and_query;
    Uri::from_parts(parts).map_err(failed)
}

/// The words of authorization for a name and password in a URL.
fn credentials(place: &Uri) -> Option<String> {
    let (user, _) = place.authority()?.as_str().rsplit_once('@')?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(plain(user))))
}

/// A part of a URL without its escapes; a plus sign is none outside of queries.
fn plain(text: &str) -> String {
    super::query::decoded(&text.replace('+', "%2B"))
}

async fn ask(place: &Uri, secret: Option<&str>) -> Result<Response<hyper::body::Incoming>, ApiError> {
    let host = place.host().ok_or_else(|| failed("it names no server"))?;
    let (tls, usual) = match place.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(failed("it is neither http nor https")),
    };
    let port = place.port_u16().unwrap_or(usual);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await.map_err(failed)?;
    let path = place.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path)
        .header(
            HOST,
            if port == usual {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            },
        )
        .header(USER_AGENT, "tarn");
    if let Some(secret) = secret {
        request = request.header(AUTHORIZATION, secret);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(failed)?;
    if tls {
        let name = ServerName::try_from(bare.to_owned()).map_err(failed)?;
        let connector = TlsConnector::from(Arc::new(trusting()?));
        let stream = connector.connect(name, stream).await.map_err(failed)?;
        send(stream, request).await
    } else {
        send(stream, request).await
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<hyper::body::Incoming>, ApiError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the body's last byte, or when the body is dropped.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(failed)
}

/// Trusts whom the system trusts, or whom `SSL_CERT_FILE` names.
fn trusting() -> Result<ClientConfig, ApiError> {
    let named = std::env::var_os("SSL_CERT_FILE");
    let files = named
        .iter()
        .map(Path::new)
        .chain(AUTHORITIES.iter().map(Path::new));
    let file = files
        .into_iter()
        .find(|file| file.exists())
        .ok_or_else(|| failed("this host trusts no authority of certificates"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(failed)? {
        // A bundle may hold some in forms that nobody uses any more.
        if let Ok(certificate) = certificate {
            let _ = roots.add(certificate);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod test {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers each connection with the next of these, and tells what it was asked.
    async fn server(answers: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let worker = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                asked.push(String::from_utf8(request).unwrap());
            }
            asked
        });
        (port, worker)
    }

    #[tokio::test]
    async fn redirections_are_followed_and_a_password_goes_to_the_first_only() {
        let (port, worker) = server(vec![
            "HTTP/1.1 302 Found\r\nLocation: /b%20c.xva?x=1\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "HTTP/1.0 200 OK\r\n\r\nhello".to_owned(),
        ])
        .await;
        let mut found = fetch(&format!("http://us%40er:pw@127.0.0.1:{port}/a"))
            .await
            .unwrap();
        let mut text = String::new();
        found.body.read_to_string(&mut text).await.unwrap();
        assert_eq!(
            (text.as_str(), found.length, found.name.as_str()),
            ("hello", None, "b c.xva")
        );
        let asked = worker.await.unwrap();
        let words = format!("Basic {}", BASE64_STANDARD.encode("us@er:pw"));
        assert!(
            asked[0].starts_with("GET /a HTTP/1.1\r\n") && asked[0].contains(&words),
            "{}",
            asked[0]
        );
        assert!(asked[1].starts_with("GET /b%20c.xva?x=1 HTTP/1.1\r\n") && !asked[1].contains("Basic"));
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_says_why_without_the_url() {
        let circle = "HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".to_owned();
        let (port, _worker) = server(vec![circle; REDIRECTIONS + 1]).await;
        let (gone, _other) = server(vec![
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ])
        .await;
        for url in [
            format!("http://127.0.0.1:{port}/secret"),
            format!("http://127.0.0.1:{gone}/secret"),
            "ftp://127.0.0.1/secret".to_owned(),
            "/secret".to_owned(),
            "http://se cret/".to_owned(),
        ] {
            let error = fetch(&url).await.err().unwrap();
            assert_eq!(error.code, "IMPORT_ERROR", "{url}");
            assert!(!error.params.join(" ").contains("secret"), "{error}");
        }
    }
}
