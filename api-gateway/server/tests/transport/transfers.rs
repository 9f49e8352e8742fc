//! Streams and tunnels: what the rest of a connection can be.

use std::time::Duration;

use gateway_server::TransportLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{Client, Server, within};

/// All that comes until the connection ends.
async fn rest<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(client: &mut Client<S>) -> String {
    let mut all = Vec::new();
    let _ = within(client.0.read_to_end(&mut all)).await;
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_stream_ends_with_its_connection() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client.send("GET /export HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let all = rest(&mut client).await;
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("connection: close") && !head.contains("content-length"),
        "{head}"
    );
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, "000111222333444");
}

#[tokio::test]
async fn an_upload_is_answered_before_its_body_is_read() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send("PUT /import HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    client.send("0123456789").await;
    assert_eq!(rest(&mut client).await, "10 whole");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_told_from_one_that_ends() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send("PUT /import HTTP/1.1\r\nHost: x\r\nContent-Length: 1125899906842624\r\n\r\nabc")
        .await;
    assert_eq!(client.answer().await.status, 200);
    within(client.0.shutdown()).await.unwrap();
    assert_eq!(rest(&mut client).await, "3 UnexpectedEof");
}

#[tokio::test]
async fn an_upload_that_stalls_is_given_up() {
    let limits = TransportLimits {
        transfer_stall: Duration::from_millis(200),
        ..TransportLimits::default()
    };
    let server = Server::start(limits).await;
    let mut client = server.client().await;
    client
        .send("PUT /import HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(rest(&mut client).await, "3 TimedOut");
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_outlives_the_idle_time() {
    let limits = TransportLimits {
        idle: Duration::from_millis(100),
        header: Duration::from_millis(100),
        ..TransportLimits::default()
    };
    let server = Server::start(limits).await;
    let mut client = server.client().await;
    client
        .send("CONNECT /console?ref=a&session_id=b HTTP/1.0\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-length"), None);
    for word in ["hello", "world"] {
        // The pause is the thing under test.
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.send(word).await;
        let mut echo = [0; 5];
        within(client.0.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, word.as_bytes());
    }
    within(client.0.shutdown()).await.unwrap();
    client.is_closed().await;
    server.serves_others().await;
}

#[tokio::test]
async fn a_tunnel_ends_when_the_server_stops() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client.send("CONNECT /console HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    server.shutdown.cancel();
    client.is_closed().await;
    within(server.handle.finished()).await;
}

#[tokio::test]
async fn a_request_may_be_left_without_an_answer() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client.send("GET /vncsnapshot HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.is_closed().await;
    server.serves_others().await;
}
