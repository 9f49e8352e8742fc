//! The other endpoints, and how the server ends.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use gateway_server::{GatewayConfig, GatewayError, TransportLimits, serve};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Client, Server, within};

#[tokio::test]
async fn plain_http_only_redirects() {
    let server = Server::start(TransportLimits::default()).await;
    let port = server.handle.https_addr.port();
    for request in [
        "GET /a?b=c HTTP/1.1\r\nHost: localhost:80",
        "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9",
    ] {
        let mut client = Client(
            TcpStream::connect(server.handle.http_addr.unwrap())
                .await
                .unwrap(),
        );
        client.send(&format!("{request}\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 301);
        assert_eq!(
            answer.header("location"),
            Some(format!("https://localhost:{port}/a?b=c").as_str())
        );
        client.is_closed().await;
    }
}

#[tokio::test]
async fn callers_at_the_socket_are_root() {
    let server = Server::start(TransportLimits::default()).await;
    let mode = std::fs::metadata(server.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for path in [server.socket(), server.folder.path().join("two")] {
        let mut client = Client(UnixStream::connect(path).await.unwrap());
        assert_eq!(client.post("/", "a").await.body, "root XmlRpc - a");
        assert_eq!(client.post("/jsonrpc", "a").await.body, "root Json - a");
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_living_one_respected() {
    let server = Server::start(TransportLimits::default()).await;
    let stale = server.folder.path().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let file = server.folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let on = |path: std::path::PathBuf| {
        let config = GatewayConfig {
            https: "127.0.0.1:0".parse().unwrap(),
            http: None,
            unix: vec![path],
            identity: server.identity.clone(),
            limits: TransportLimits::default(),
        };
        serve(config, server.echo.clone(), server.shutdown.clone())
    };
    assert!(matches!(
        on(server.socket()).await,
        Err(GatewayError::Socket { .. })
    ));
    assert!(matches!(on(file.clone()).await, Err(GatewayError::Socket { .. })));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    on(stale.clone()).await.unwrap();
    let mut client = Client(UnixStream::connect(stale).await.unwrap());
    assert_eq!(client.post("/", "a").await.status, 200);
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let server = Server::start(TransportLimits::default()).await;
    let config = GatewayConfig {
        https: server.handle.https_addr,
        http: None,
        unix: Vec::new(),
        identity: server.identity.clone(),
        limits: TransportLimits::default(),
    };
    let result = serve(config, server.echo.clone(), CancellationToken::new()).await;
    assert!(matches!(result, Err(GatewayError::Bind { .. })));
}

#[tokio::test]
async fn shutdown_lets_calls_in_progress_end_and_leaves_nothing_behind() {
    let server = Server::start(TransportLimits {
        drain: Duration::from_secs(15),
        ..TransportLimits::default()
    })
    .await;
    let mut busy = server.client().await;
    let mut idle = server.client().await;
    assert_eq!(idle.post("/", "a").await.status, 200);
    busy.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait")
        .await;
    within(server.echo.waiting.acquire()).await.unwrap().forget();
    server.shutdown.cancel();
    idle.is_closed().await;
    server.echo.gate.add_permits(1);
    assert_eq!(busy.answer().await.body, "tcp XmlRpc - wait");
    within(server.handle.finished()).await;
    assert!(!server.socket().exists());
    assert!(TcpStream::connect(server.handle.https_addr).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_calls_that_never_end() {
    let server = Server::start(TransportLimits {
        drain: Duration::from_millis(100),
        ..TransportLimits::default()
    })
    .await;
    let mut busy = server.client().await;
    busy.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait")
        .await;
    within(server.echo.waiting.acquire()).await.unwrap().forget();
    server.shutdown.cancel();
    within(server.handle.finished()).await;
    busy.is_closed().await;
}
