//! What a browser finds at this host: a page of welcome, the reference of the API, worked samples. All of it is in the
//! program, and none of it says anything of the pool.

pub mod reference;

use std::borrow::Cow;

use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};

use crate::http::reply_body::{self, ReplyBody};

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The worked samples, by name. Each is run in the live tests as it is here.
pub const SAMPLES: &[(&str, &str)] = &[
    ("install_vm.py", include_str!("../web/samples/install_vm.py")),
    ("migrate_all.py", include_str!("../web/samples/migrate_all.py")),
    ("watch.py", include_str!("../web/samples/watch.py")),
    ("clone.sh", include_str!("../web/samples/clone.sh")),
];

/// What a path shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// A text that is at hand, and its type.
    Fixed(&'static str, &'static str),
    /// A page of the reference.
    Reference(reference::Page),
}

/// What is at a path, if anything is.
pub fn find(path: &str) -> Option<Page> {
    match path {
        "/" | "/index.html" => return Some(Page::Fixed(HTML, include_str!("../web/index.html"))),
        "/style.css" => {
            let style = include_str!("../web/style.css");
            return Some(Page::Fixed("text/css; charset=utf-8", style));
        }
        _ => {}
    }
    if let Some(name) = path.strip_prefix("/samples/") {
        let found = SAMPLES.iter().find(|(known, _)| *known == name);
        return found.map(|(_, text)| Page::Fixed(TEXT, text));
    }
    reference::find(path.strip_prefix("/reference/")?).map(Page::Reference)
}

/// Shows a page. The connection is closed after it.
pub fn show(page: Page) -> Response<ReplyBody> {
    let (kind, text) = match page {
        Page::Fixed(kind, text) => (kind, Cow::Borrowed(text)),
        Page::Reference(page) => (HTML, Cow::Owned(reference::render(page))),
    };
    let mut response = Response::new(reply_body::full(text.into_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // No page of this server needs a script or anything from elsewhere.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'self'"),
    );
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod test;
