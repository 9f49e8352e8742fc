//! Clients that misbehave: each is refused, and the others do not notice.

use std::time::{Duration, Instant};

use gateway_server::TransportLimits;
use tokio::io::AsyncWriteExt;

use crate::fixture::{Client, PATIENCE, Server, within};

/// Limits that let a test wait for them.
fn hasty() -> TransportLimits {
    let short = Duration::from_millis(300);
    TransportLimits {
        handshake: short,
        header: short,
        body: short,
        write_stall: short,
        ..TransportLimits::default()
    }
}

#[tokio::test]
async fn tls_garbage_closes_the_connection() {
    let server = Server::start(TransportLimits::default()).await;
    for garbage in [
        &b"\x16\x03\x01\xff\xff\x01garbage garbage garbage"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 5000],
        &[0xff; 5000],
    ] {
        let mut stream = server.tcp().await;
        // The server may close before all is sent.
        let _ = stream.write_all(garbage).await;
        let mut rest = Vec::new();
        let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await;
        assert!(rest.len() < 100, "an alert at most");
    }
    server.serves_others().await;
}

#[tokio::test]
async fn a_silent_client_does_not_keep_its_connection() {
    let server = Server::start(hasty()).await;
    Client(server.tcp().await).is_closed().await;
    server.client().await.is_closed().await;
    server.serves_others().await;
}

#[tokio::test]
async fn headers_that_dribble_in_are_cut_off() {
    let server = Server::start(hasty()).await;
    let mut client = server.client().await;
    let begun = Instant::now();
    let mut sent = client.0.write_all(b"POST / HTTP/1.1\r\n").await;
    while sent.is_ok() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        sent = client.0.write_all(b"x: y\r\n").await;
    }
    assert!(sent.is_err(), "still open after {PATIENCE:?}");
    server.serves_others().await;
}

#[tokio::test]
async fn a_pause_between_calls_may_be_longer_than_headers_may_take() {
    let server = Server::start(hasty()).await;
    let mut client = server.client().await;
    for _ in 0..2 {
        assert_eq!(client.post("/", "a").await.status, 200);
        // The pause is the thing under test.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(client.post("/", "a").await.status, 200);
    client.send("POST / HTTP/1.1\r\n").await;
    client.is_closed().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let limits = TransportLimits {
        idle: Duration::from_millis(200),
        ..TransportLimits::default()
    };
    let server = Server::start(limits).await;
    let mut client = server.client().await;
    assert_eq!(client.post("/", "a").await.status, 200);
    client.is_closed().await;
}

#[tokio::test]
async fn a_half_sent_body_is_answered_408_and_a_broken_one_forgotten() {
    let server = Server::start(hasty()).await;
    let mut slow = server.client().await;
    slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    assert_eq!(slow.answer().await.status, 408);
    slow.is_closed().await;
    let mut broken = server.client().await;
    broken
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    drop(broken);
    server.serves_others().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_500() {
    let limits = TransportLimits {
        body_bytes: 1000,
        ..TransportLimits::default()
    };
    let server = Server::start(limits).await;
    let mut fits = server.client().await;
    assert_eq!(fits.post("/", &"x".repeat(1000)).await.status, 200);
    let mut announced = server.client().await;
    announced
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        .await;
    let answer = announced.answer().await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (500, Some("text/html"))
    );
    let mut chunked = server.client().await;
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    chunked
        .send(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
        ))
        .await;
    assert_eq!(chunked.answer().await.status, 500);
    server.serves_others().await;
}

#[tokio::test]
async fn oversize_headers_and_broken_http_are_refused() {
    let server = Server::start(TransportLimits::default()).await;
    let mut long = server.client().await;
    let head = format!("POST / HTTP/1.1\r\nx: {}\r\n", "y".repeat(100_000));
    let _ = long.0.write_all(head.as_bytes()).await;
    assert_eq!(long.answer().await.status, 431);
    let mut broken = server.client().await;
    broken.send("no http at all\r\n\r\n").await;
    assert_eq!(broken.answer().await.status, 400);
    server.serves_others().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = Server::start(hasty()).await;
    let mut client = server.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhuge")
        .await;
    // Nothing is read until the server has given up.
    server.serves_others().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut rest = Vec::new();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut rest)).await;
    assert!(rest.len() < 64 << 20, "the whole answer came: {}", rest.len());
    server.serves_others().await;
}

#[tokio::test]
async fn one_peer_cannot_take_all_connections() {
    let limits = TransportLimits {
        connections: 100,
        connections_per_peer: 8,
        ..TransportLimits::default()
    };
    let server = Server::start(limits).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(server.client().await);
    }
    Client(server.tcp().await).is_closed().await;
    for client in &mut held {
        assert_eq!(client.post("/", "a").await.status, 200);
    }
    drop(held);
    let begun = Instant::now();
    while server.try_client(&server.certificate).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "no room again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_panic_in_one_call_breaks_one_connection() {
    let server = Server::start(TransportLimits::default()).await;
    let mut bystander = server.client().await;
    let mut client = server.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\npanic")
        .await;
    client.is_closed().await;
    assert_eq!(bystander.post("/", "a").await.status, 200);
    server.serves_others().await;
}

#[tokio::test]
async fn good_clients_do_not_notice_two_hundred_bad_ones() {
    let server = Server::start(TransportLimits {
        handshake: PATIENCE,
        header: PATIENCE,
        ..hasty()
    })
    .await;
    let mut bad = Vec::new();
    for kind in 0..200 {
        let mut stream = server.tcp().await;
        if kind % 2 == 0 {
            let _ = stream.write_all(b"\x16\x03\x01\x02\x00").await;
        }
        bad.push(stream);
    }
    let mut client = server.client().await;
    let begun = Instant::now();
    for _ in 0..200 {
        assert_eq!(client.post("/", "a").await.status, 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?} for 200 calls",
        begun.elapsed()
    );
    drop(bad);
}
