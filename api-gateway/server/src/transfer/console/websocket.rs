//! Bytes of a console in WebSocket messages.

use futures::{SinkExt, StreamExt};
use hyper::HeaderMap;
use hyper::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::api::ports::HostStream;
use crate::transfer::tunnel::Connection;

/// No message of a client is longer: keys, pointers, pasted text.
const LONGEST: usize = 1 << 20;
/// Bytes of one message to the client.
const PIECE: usize = 64 << 10;

/// The answer to the client's key, if the request asks for a WebSocket.
///
/// Source: RFC 6455, 4.2.1.
pub(super) fn accept_key(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let asks = text(&UPGRADE).is_some_and(|v| v.eq_ignore_ascii_case("websocket"));
    if !asks || text(&SEC_WEBSOCKET_VERSION) != Some("13") {
        return None;
    }
    Some(derive_accept_key(text(&SEC_WEBSOCKET_KEY)?.as_bytes()))
}

/// Carries bytes both ways until either side ends.
pub(super) async fn carry(near: Connection, far: HostStream) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    let socket = WebSocketStream::from_raw_socket(near, Role::Server, Some(config)).await;
    let (mut to_client, mut from_client) = socket.split();
    let (mut from_far, mut to_far) = tokio::io::split(far);
    let mut buffer = vec![0; PIECE];
    loop {
        tokio::select! {
            message = from_client.next() => {
                let data = match message {
                    Some(Ok(Message::Binary(data))) => data,
                    Some(Ok(Message::Text(text))) => text.into(),
                    // Pings are answered by the library with the next message that is sent.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                };
                if to_far.write_all(&data).await.is_err() || to_far.flush().await.is_err() {
                    break;
                }
            }
            count = from_far.read(&mut buffer) => {
                let data = match count {
                    Ok(count) if count > 0 => buffer.get(..count).unwrap_or_default().to_vec(),
                    _ => break,
                };
                if to_client.send(Message::Binary(data.into())).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = to_client.close().await;
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_key_of_the_standards_example_is_answered() {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, "WebSocket".parse().unwrap());
        headers.insert(SEC_WEBSOCKET_VERSION, "13".parse().unwrap());
        assert_eq!(accept_key(&headers), None);
        headers.insert(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        assert_eq!(
            accept_key(&headers).as_deref(),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        headers.insert(SEC_WEBSOCKET_VERSION, "8".parse().unwrap());
        assert_eq!(accept_key(&headers), None);
    }
}
