//! The port between transport and API: bytes of one call in, bytes of its answer out.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use crate::api::listing::Listing;
use crate::http::error_page;
use crate::transfer::{Broken, Reply, Request};

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Over HTTPS, from this address.
    Tcp(SocketAddr),
    /// Over a Unix socket that only root can open; needs no credentials.
    LocalRoot {
        /// The process at the other end, if the kernel tells.
        pid: Option<i32>,
    },
}

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/xml`
    XmlRpc,
    /// `application/json`
    Json,
}

/// The headers of the request that carried the call.
#[derive(Clone, Debug, Default)]
pub struct CallHeaders(HeaderMap);

impl CallHeaders {
    /// Wraps the headers of a request.
    pub fn new(headers: HeaderMap) -> CallHeaders {
        CallHeaders(headers)
    }

    /// The value of a header by its name in lower case, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }

    /// The existing task that the client binds the call to.
    pub fn task_id(&self) -> Option<&str> {
        self.get("task-id")
    }

    /// The task below which the client wants the call's own task.
    pub fn subtask_of(&self) -> Option<&str> {
        self.get("subtask-of")
    }

    /// Pairs for the `other_config` of the task: `x-http-other-config-<key>` becomes `http:<key>`.
    pub fn task_other_config(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let key = name.as_str().strip_prefix("x-http-other-config-")?;
            Some((format!("http:{key}"), value.to_str().ok()?))
        })
    }
}

/// What is sent back.
#[derive(Clone, Debug)]
pub struct CallReply {
    /// 200 for every answer of the API, failures included.
    pub status: StatusCode,
    /// Sent exactly as it is: clients compare the whole text.
    pub content_type: &'static str,
    /// Further headers, such as `x-xenapi-response-host-certificate-thumbprint`; what is no valid header is left out.
    pub headers: Vec<(&'static str, String)>,
    /// The encoded answer.
    pub body: Content,
}

/// The bytes of an answer.
#[derive(Clone, Debug)]
pub enum Content {
    /// At hand.
    Whole(Bytes),
    /// Put together while they are sent.
    Listing(Listing),
}

/// Size in bytes of the pieces in which an answer at hand is passed on.
const PIECE: usize = 1 << 20;

impl Content {
    /// All of them at once.
    pub fn into_bytes(self) -> Bytes {
        self.pieces().collect::<Vec<_>>().concat().into()
    }

    /// All of them in pieces of about a megabyte at most.
    pub fn pieces(self) -> impl Iterator<Item = Bytes> + Send {
        let (mut whole, listing) = match self {
            Content::Whole(bytes) => (bytes, None),
            Content::Listing(listing) => (Bytes::new(), Some(listing)),
        };
        let parts = std::iter::from_fn(move || match whole.len() {
            0 => None,
            length => Some(whole.split_to(length.min(PIECE))),
        });
        parts.chain(listing.into_iter().flatten())
    }
}

impl<B: Into<Bytes>> From<B> for Content {
    fn from(bytes: B) -> Content {
        Content::Whole(bytes.into())
    }
}

impl CallReply {
    /// An answer in XML.
    pub fn xml(body: impl Into<Content>) -> CallReply {
        CallReply {
            status: StatusCode::OK,
            content_type: "text/xml",
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer in JSON.
    pub fn json(body: impl Into<Content>) -> CallReply {
        CallReply {
            status: StatusCode::OK,
            content_type: "application/json",
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer outside the protocol, for a body in which no call could be read (500).
    pub fn page(status: StatusCode) -> CallReply {
        CallReply {
            status,
            content_type: "text/html",
            headers: Vec::new(),
            body: crate::http::error_page::body(status).into(),
        }
    }
}

/// Whether this node can do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it can.
    pub is_healthy: bool,
    /// In a few words, fit for anybody to read.
    pub words: String,
}

/// Carries out calls.
#[async_trait]
pub trait ApiService: Send + Sync + 'static {
    /// Whether clients are listened to that come over the network from elsewhere.
    fn admits_strangers(&self) -> bool {
        true
    }

    /// Whether this node can do its part; asked by anybody, without credentials.
    fn health(&self) -> Health;

    /// Answers one call.
    ///
    /// The future is dropped when the connection breaks before the answer is ready (not when the client merely closes its
    /// half). Work that must then go on belongs in a task of its own.
    async fn call(&self, origin: Origin, headers: CallHeaders, format: Format, body: Bytes) -> CallReply;

    /// Answers a request for one of the HTTP handlers besides calls: transfers, consoles, metrics. After the answer, and
    /// what it streams, the connection is closed.
    ///
    /// The future is dropped when the connection breaks.
    ///
    /// # Errors
    /// [`Broken`]: the connection is closed without an answer.
    async fn transfer(&self, request: Request) -> Result<Reply, Broken> {
        drop(request);
        Ok(error_page::closing(StatusCode::NOT_IMPLEMENTED))
    }
}
