//! What HTTP looks like to clients that behave.

use gateway_server::TransportLimits;

use crate::fixture::{Server, make_certificate};

#[tokio::test]
async fn answers_carry_exactly_the_headers_that_clients_compare() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    for (path, body, kind) in [
        ("/", "tcp XmlRpc - a", "text/xml"),
        ("/jsonrpc", "tcp Json - a", "application/json"),
    ] {
        let answer = client.post(path, "a").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        for (name, value) in [
            ("content-type", kind),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-headers", "X-Requested-With"),
            ("cache-control", "no-cache, no-store"),
            ("connection", "keep-alive"),
            ("x-extra", "yes"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn request_headers_reach_the_service() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\ntask-id: OpaqueRef:t\r\nContent-Length: 1\r\n\r\na")
        .await;
    assert_eq!(client.answer().await.body, "tcp XmlRpc OpaqueRef:t a");
}

#[tokio::test]
async fn a_connection_carries_many_calls_until_the_client_wants_no_more() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    for _ in 0..50 {
        assert_eq!(client.post("/RPC2", "x").await.status, 200);
    }
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na")
        .await;
    assert_eq!(client.answer().await.header("connection"), Some("close"));
    client.is_closed().await;
}

#[tokio::test]
async fn pipelined_calls_are_answered_in_order() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    let one = |body: &str| format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{body}");
    client.send(&(one("a") + &one("b") + &one("c"))).await;
    for body in ["a", "b", "c"] {
        assert!(client.answer().await.body.ends_with(body));
    }
}

#[tokio::test]
async fn http_1_0_is_answered_once() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    client.is_closed().await;
}

#[tokio::test]
async fn chunked_and_continued_bodies_are_read() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.body, "tcp XmlRpc - abc");
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 100);
    client.send("a").await;
    assert_eq!(client.answer().await.body, "tcp XmlRpc - a");
}

#[tokio::test]
async fn a_client_may_close_its_half_and_still_gets_its_answer() {
    let server = Server::start(TransportLimits::default()).await;
    let stream = tokio::net::UnixStream::connect(server.socket()).await.unwrap();
    let mut client = crate::fixture::Client(stream);
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait")
        .await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.0).await.unwrap();
    crate::fixture::within(server.echo.waiting.acquire())
        .await
        .unwrap()
        .forget();
    server.echo.gate.add_permits(1);
    assert_eq!(client.answer().await.body, "root XmlRpc - wait");
}

#[tokio::test]
async fn browsers_may_call_from_any_page() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client
        .send("OPTIONS /jsonrpc HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Headers: content-type\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("content-type, X-Requested-With")
    );
    assert_eq!(answer.header("access-control-allow-methods"), Some("PUT"));
}

#[tokio::test]
async fn what_is_no_call_gets_a_page() {
    let server = Server::start(TransportLimits::default()).await;
    for (request, status) in [
        ("GET /x", 404),
        ("PUT /x", 403),
        ("GET /wlb_report?uuid=1", 501),
        ("DELETE /x", 501),
    ] {
        let mut client = server.client().await;
        client
            .send(&format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("text/html")),
            "{request}"
        );
        client.is_closed().await;
    }
}

#[tokio::test]
async fn anybody_may_ask_whether_the_node_is_well() {
    let server = Server::start(TransportLimits::default()).await;
    let mut client = server.client().await;
    client.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "as it was asked\n"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_only() {
    let server = Server::start(TransportLimits::default()).await;
    let mut old = server.client().await;
    let (pem, key, certificate) = make_certificate();
    assert!(server.identity.replace(pem.as_bytes(), b"no key").is_err());
    server.serves_others().await;
    server.identity.replace(pem.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(old.post("/", "a").await.status, 200);
    assert!(server.try_client(&server.certificate).await.is_err());
    assert_eq!(
        server
            .try_client(&certificate)
            .await
            .unwrap()
            .post("/", "a")
            .await
            .status,
        200
    );
}
