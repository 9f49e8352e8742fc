//! Getting what lies behind a URL: HTTP or HTTPS, a few redirections, each wait bounded.
//!
//! The node asks in its own name, so that it is careful whom: never itself, nor its link's neighbours (there clouds hand
//! out secrets), and never again in the open where it was asked to be secret. A server of HTTPS must be vouched for by an
//! authority that the system trusts, or that an operator has the pool trust.

use std::net::{IpAddr, SocketAddr};
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

/// Whom the node asks, and whom it believes.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Whether an address may be asked.
    pub may_ask: fn(IpAddr) -> bool,
    /// Authorities, in PEM, that vouch for servers besides those that the system trusts.
    pub authorities: Vec<String>,
}

/// Whether an address is of another machine, and beyond the link.
pub fn is_elsewhere(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_loopback()
                || v4.is_unspecified()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_multicast())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast())
        }
    }
}

/// Opens what lies behind a URL. A name and password in it are sent as such, and never to where it leads on.
///
/// # Errors
/// `IMPORT_ERROR [text]`; the text does not repeat the URL, which may hold a secret.
pub async fn fetch(url: &str, manners: &Manners) -> Result<Fetched, ApiError> {
    let mut place: Uri = url.trim().parse().map_err(failed)?;
    let mut secret = credentials(&place);
    for _ in 0..=REDIRECTIONS {
        let response = timeout(OPENING, ask(&place, secret.as_deref(), manners))
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
                let next = beside(&place, to)?;
                if place.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                    return Err(failed("it leads from https on to something else"));
                }
                place = next;
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

/// Connects to the first address of a name that answers. The name is asked for once, so that what was looked at is what
/// is connected to.
async fn connect(host: &str, port: u16, manners: &Manners) -> Result<TcpStream, ApiError> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(failed)?;
    let allowed: Vec<SocketAddr> = found.filter(|address| (manners.may_ask)(address.ip())).collect();
    if allowed.is_empty() {
        return Err(failed("hosts of this pool do not ask such an address"));
    }
    TcpStream::connect(&allowed[..]).await.map_err(failed)
}

async fn ask(
    place: &Uri,
    secret: Option<&str>,
    manners: &Manners,
) -> Result<Response<hyper::body::Incoming>, ApiError> {
    let host = place.host().ok_or_else(|| failed("it names no server"))?;
    let (tls, usual) = match place.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(failed("it is neither http nor https")),
    };
    let port = place.port_u16().unwrap_or(usual);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = connect(bare, port, manners).await?;
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
        let connector = TlsConnector::from(Arc::new(trusting(&manners.authorities)?));
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

/// Trusts whom the system trusts, or whom `SSL_CERT_FILE` names in its place, and the pool's own.
fn trusting(authorities: &[String]) -> Result<ClientConfig, ApiError> {
    let named = std::env::var_os("SSL_CERT_FILE");
    let files = named
        .iter()
        .map(Path::new)
        .chain(AUTHORITIES.iter().map(Path::new));
    let mut roots = RootCertStore::empty();
    if let Some(file) = files.into_iter().find(|file| file.exists()) {
        // A bundle may hold some in forms that nobody uses any more.
        let certificates = CertificateDer::pem_file_iter(file).map_err(failed)?;
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    }
    for text in authorities {
        let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    }
    if roots.is_empty() {
        return Err(failed("this host trusts no authority of certificates"));
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

    /// The servers of these tests are on this machine.
    fn here() -> Manners {
        Manners {
            may_ask: |_| true,
            authorities: Vec::new(),
        }
    }

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
        let mut found = fetch(&format!("http://us%40er:pw@127.0.0.1:{port}/a"), &here())
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
            let error = fetch(&url, &here()).await.err().unwrap();
            assert_eq!(error.code, "IMPORT_ERROR", "{url}");
            assert!(!error.params.join(" ").contains("secret"), "{error}");
        }
    }

    /// The same over HTTPS, for `localhost`; and its certificate.
    async fn secret_server(answer: String) -> (u16, String) {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not believe the certificate leaves.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            }
        });
        (port, issued.cert.pem())
    }

    #[tokio::test]
    async fn a_server_is_believed_that_an_authority_of_the_pool_vouches_for() {
        let (port, authority) = secret_server("HTTP/1.0 200 OK\r\n\r\nhello".to_owned()).await;
        let url = format!("https://localhost:{port}/a");
        let doubted = fetch(&url, &here()).await.err().unwrap();
        assert_eq!(doubted.code, "IMPORT_ERROR");
        let manners = Manners {
            authorities: vec![authority],
            ..here()
        };
        let mut text = String::new();
        let mut found = fetch(&url, &manners).await.unwrap();
        found.body.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
    }

    #[tokio::test]
    async fn what_was_to_be_secret_is_not_fetched_in_the_open() {
        let (open, _worker) = server(vec!["HTTP/1.0 200 OK\r\n\r\nhello".to_owned()]).await;
        let leads =
            format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{open}/a\r\nContent-Length: 0\r\n\r\n");
        let (port, authority) = secret_server(leads).await;
        let manners = Manners {
            authorities: vec![authority],
            ..here()
        };
        let error = fetch(&format!("https://localhost:{port}/a"), &manners)
            .await
            .err()
            .unwrap();
        assert!(error.params[0].contains("leads from https"), "{error}");
    }

    #[tokio::test]
    async fn a_node_asks_neither_itself_nor_its_link() {
        for own in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "169.254.169.254",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_elsewhere(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.1", "10.0.0.1", "fd00::1", "2001:db8::1"] {
            assert!(is_elsewhere(other.parse().unwrap()), "{other}");
        }
        let (port, _worker) = server(vec!["HTTP/1.0 200 OK\r\n\r\nhello".to_owned()]).await;
        let manners = Manners {
            may_ask: is_elsewhere,
            ..here()
        };
        for name in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let error = fetch(&format!("http://{name}:{port}/"), &manners)
                .await
                .err()
                .unwrap();
            assert!(error.params[0].contains("do not ask such an address"), "{error}");
        }
    }
}
