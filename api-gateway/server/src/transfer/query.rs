//! Query and cookies of a request.

use hyper::header::COOKIE;
use hyper::http::request::Parts;
use proto_types::Ref;

/// Query and cookies. Of a name that stands twice the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
}

/// Names for which a cookie goes before the query.
const COOKIES_FIRST: &[&str] = &["session_id", "task_id", "subtask_of"];

/// What a header may say that neither cookie nor query does.
const HEADERS: [(&str, &str); 2] = [("task_id", "task-id"), ("subtask_of", "subtask-of")];

impl Query {
    /// Reads them.
    pub fn of(head: &Parts) -> Query {
        let cookies = head
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| pairs(v, &[';', '&']));
        let mut query = Query {
            pairs: head
                .uri
                .query()
                .map(|q| pairs(q, &['&']).collect())
                .unwrap_or_default(),
            cookies: cookies.collect(),
        };
        for (name, header) in HEADERS {
            let named = head.headers.get(header).and_then(|v| v.to_str().ok());
            if let Some(named) = named.filter(|_| !query.mentions(name)) {
                query.pairs.push((name.to_owned(), named.to_owned()));
            }
        }
        query
    }

    /// Reads a query alone.
    pub fn parse(query: &str) -> Query {
        Query {
            pairs: pairs(query, &['&']).collect(),
            cookies: Vec::new(),
        }
    }

    /// The value of a name, from the query; session, task and parent task from a cookie if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let of = |list: &'_ [(String, String)]| list.iter().position(|(n, _)| n == name);
        if COOKIES_FIRST.contains(&name)
            && let Some(at) = of(&self.cookies)
        {
            return self.cookies.get(at).map(|(_, v)| v.as_str());
        }
        self.pairs.get(of(&self.pairs)?).map(|(_, v)| v.as_str())
    }

    /// A name in the query or among the cookies.
    pub fn mentions(&self, name: &str) -> bool {
        self.pairs.iter().chain(&self.cookies).any(|(n, _)| n == name)
    }

    /// All values of a name in the query.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Whether a switch is on.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// Names and values of the query that begin with a prefix, without it.
    pub fn prefixed<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs
            .iter()
            .filter_map(move |(n, v)| Some((n.strip_prefix(prefix)?, v.as_str())))
    }

    /// The task that the client names; `None` too if it is no reference.
    pub fn task(&self) -> Option<Ref> {
        self.get("task_id")?.parse().ok()
    }
}

fn pairs<'a>(text: &'a str, between: &'a [char]) -> impl Iterator<Item = (String, String)> + 'a {
    text.split(between).filter_map(|pair| {
        let pair = pair.trim();
        if pair.is_empty() {
            return None;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name.trim()), decoded(value.trim())))
    })
}

/// Resolves `%XX` and `+`. What is no escape stays as it is; bytes that are no text are replaced.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|b| char::from(*b).to_digit(16))
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod test {
    use super::*;

    fn of(uri: &str, cookie: &str) -> Query {
        let request = hyper::Request::get(uri)
            .header("cookie", cookie)
            .body(())
            .unwrap();
        Query::of(&request.into_parts().0)
    }

    #[test]
    fn escapes_are_resolved_and_what_is_none_stays() {
        let query = of("/x?a=%4fpaque%3aRef&b=1+2&c=%zz%4&d&=e", "");
        assert_eq!(query.get("a"), Some("Opaque:Ref"));
        assert_eq!(query.get("b"), Some("1 2"));
        assert_eq!(query.get("c"), Some("%zz%4"));
        assert_eq!(query.get("d"), Some(""));
        assert_eq!(query.get("f"), None);
    }

    #[test]
    fn a_cookie_goes_before_the_query_for_session_and_task_only() {
        let query = of("/x?session_id=q&ref=q", "session_id=c&task_id=t; ref=c");
        assert_eq!(query.get("session_id"), Some("c"));
        assert_eq!(query.get("task_id"), Some("t"));
        assert_eq!(query.get("ref"), Some("q"));
        assert!(of("/x", "chunked").mentions("chunked"));
    }

    #[test]
    fn a_header_names_the_task_where_nothing_else_does() {
        let of = |uri: &str| {
            let request = hyper::Request::get(uri)
                .header("task-id", "h")
                .header("subtask-of", "s");
            Query::of(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(
            (of("/x").get("task_id"), of("/x").get("subtask_of")),
            (Some("h"), Some("s"))
        );
        assert_eq!(of("/x?task_id=q").get("task_id"), Some("q"));
    }

    #[test]
    fn of_a_name_that_stands_twice_the_first_counts_and_all_are_to_be_had() {
        let query = Query::parse("vm_uuid=a&vm_uuid=b&vdi:x=y");
        assert_eq!(query.get("vm_uuid"), Some("a"));
        assert_eq!(query.all("vm_uuid").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.prefixed("vdi:").collect::<Vec<_>>(), [("x", "y")]);
    }
}
