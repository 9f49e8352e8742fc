//! A server for tests: it answers calls and transfers as a test says, over a Unix socket of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway_codec::{Limits, WireValue, xmlrpc};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use proto_types::{ApiError, Value};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use crate::client::{Client, Login};
use crate::command_line::CommandLine;
use crate::context::Context;
use crate::failure::Failure;
use crate::options::Options;
use crate::output::Printer;
use crate::output::test::Kept;
use crate::transport::Peer;

/// The handler that does not read to the end.
pub const HANGS_UP: &str = "/import_partly";

/// What a call comes to.
pub type Answer = Result<Value, ApiError>;

/// What a transfer comes to: status, a header, and content.
#[derive(Clone, Default)]
pub struct Handed {
    /// Status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// Content.
    pub content: Vec<u8>,
}

type Calls = dyn Fn(&str, &[WireValue]) -> Answer + Send + Sync;
type Transfers = dyn Fn(&str, &[u8]) -> Handed + Send + Sync;

/// A running server. It ends with its owner.
pub struct StandIn {
    folder: tempfile::TempDir,
    /// Every method called, in order.
    pub called: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl StandIn {
    /// Begins to listen.
    pub fn new(
        calls: impl Fn(&str, &[WireValue]) -> Answer + Send + Sync + 'static,
        transfers: impl Fn(&str, &[u8]) -> Handed + Send + Sync + 'static,
    ) -> StandIn {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let called = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (calls, transfers): (Arc<Calls>, Arc<Transfers>) = (Arc::new(calls), Arc::new(transfers));
        let heard = Arc::clone(&called);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = listen(listener, calls, transfers, heard) => {}
                    _ = stopped => {}
                }
            });
        });
        StandIn {
            folder,
            called,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Its folder, for files of the test.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Runs a command against it: what it prints, and how it ends.
    pub fn run(
        &self,
        words: &[&str],
        work: impl FnOnce(&mut Context<'_>) -> Result<(), Failure>,
    ) -> (String, Result<(), Failure>) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let line = CommandLine::parse(&words).unwrap();
        let out = Kept::default();
        let minimal = line.params.truth("minimal").unwrap();
        let mut printer = Printer::to(minimal, Box::new(out.clone()), Box::new(Kept::default()));
        let client = Client::open_at(Peer::Socket(self.socket()), &Options::default(), Login::Pool).unwrap();
        let mut cx = Context {
            client: &client,
            params: &line.params,
            out: &mut printer,
        };
        let outcome = work(&mut cx);
        if outcome.is_ok() {
            printer.finish();
        }
        client.close();
        (out.text(), outcome)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: UnixListener,
    calls: Arc<Calls>,
    transfers: Arc<Transfers>,
    heard: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (calls, transfers, heard) = (Arc::clone(&calls), Arc::clone(&transfers), Arc::clone(&heard));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                answer(
                    request,
                    Arc::clone(&calls),
                    Arc::clone(&transfers),
                    Arc::clone(&heard),
                )
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    calls: Arc<Calls>,
    transfers: Arc<Transfers>,
    heard: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (method, target) = (request.method().clone(), request.uri().to_string());
    // A server that has all it needs hangs up without reading the rest.
    let reads_all = !target.starts_with(HANGS_UP);
    let body = if reads_all {
        request.into_body().collect().await?.to_bytes()
    } else {
        Bytes::new()
    };
    if method != Method::POST {
        heard.lock().unwrap().push(format!(
            "{method} {}",
            target.split('?').next().unwrap_or_default()
        ));
        let handed = transfers(&target, &body);
        let mut response = Response::new(Full::new(Bytes::from(handed.content)));
        *response.status_mut() = handed.status.try_into().unwrap();
        if let Some(location) = handed.location {
            response
                .headers_mut()
                .insert("location", location.parse().unwrap());
        }
        return Ok(response);
    }
    let call = xmlrpc::decode_call(&body, &Limits::CALL).unwrap();
    heard.lock().unwrap().push(call.method.clone());
    let answer = match call.method.as_str() {
        "session.login_with_password" => Ok(Value::str("OpaqueRef:00000000-0000-0000-0000-000000000001")),
        "session.logout" => Ok(Value::Void),
        method => calls(method, call.params.get(1..).unwrap_or_default()),
    };
    let bytes = match answer {
        Ok(value) => xmlrpc::success(&value),
        Err(error) => xmlrpc::failure(&error),
    };
    Ok(Response::new(Full::new(Bytes::from(bytes))))
}

/// A record of texts.
pub fn record(members: &[(&str, &str)]) -> Value {
    let member = |(name, value): &(&str, &str)| {
        let value = match *value {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => Value::str(text),
        };
        ((*name).into(), value)
    };
    Value::Record(members.iter().map(member).collect())
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::generated::{self, Verb};
    use crate::records;

    fn vm(number: u8, name: &str) -> (String, Value) {
        let uuid = format!("00000000-0000-0000-0000-0000000000{number:02}");
        let members = [
            ("uuid", uuid.as_str()),
            ("name_label", name),
            ("power_state", "Halted"),
            ("is_a_template", "false"),
        ];
        (format!("OpaqueRef:{uuid}"), record(&members))
    }

    #[test]
    fn a_list_is_one_call() {
        let server = StandIn::new(
            |method, params| {
                assert_eq!(method, "VM.get_all_records_where");
                let expression = params.first().and_then(WireValue::as_str);
                assert_eq!(expression, Some("(field \"is_a_template\" = \"false\")"));
                let vms = [vm(1, "one"), vm(2, "two")];
                Ok(Value::Record(
                    vms.into_iter().map(|(r, v)| (r.as_str().into(), v)).collect(),
                ))
            },
            |_, _| Handed::default(),
        );
        let kind = records::kind("vm").unwrap();
        let (text, outcome) = server.run(&["vm-list", "power-state=halted"], |cx| {
            generated::run(cx, kind, Verb::List)
        });
        outcome.unwrap();
        assert!(text.starts_with(
            "uuid ( RO)           : 00000000-0000-0000-0000-000000000001\n     name-label ( RW): one\n    power-state ( RO): halted\n\n\nuuid"
        ));
        let called = server.called.lock().unwrap().clone();
        assert_eq!(
            called,
            [
                "session.login_with_password",
                "VM.get_all_records_where",
                "session.logout"
            ]
        );
    }

    #[test]
    fn references_are_shown_by_uuid_and_asked_for_once() {
        let server = StandIn::new(
            |method, _| match method {
                "VIF.get_all_records" => {
                    let vif =
                        |n: &str| record(&[("uuid", n), ("VM", "OpaqueRef:v"), ("network", "OpaqueRef:n")]);
                    Ok(Value::Record(vec![
                        ("OpaqueRef:a".into(), vif("a")),
                        ("OpaqueRef:b".into(), vif("b")),
                    ]))
                }
                "VM.get_uuid" => Ok(Value::str("vm-uuid")),
                "VM.get_name_label" => Ok(Value::str("vm name")),
                "network.get_uuid" => Err(ApiError::handle_invalid("network", "OpaqueRef:n")),
                other => panic!("{other}"),
            },
            |_, _| Handed::default(),
        );
        let kind = records::kind("vif").unwrap();
        let words = ["vif-list", "params=vm-uuid,vm-name-label,network-uuid"];
        let (text, outcome) = server.run(&words, |cx| generated::run(cx, kind, Verb::List));
        outcome.unwrap();
        let one = "vm-uuid ( RO)          : vm-uuid\n    vm-name-label ( RO): vm name\n     network-uuid ( RO): <not in database>\n\n\n";
        assert_eq!(text, one.repeat(2));
        let called = server.called.lock().unwrap();
        assert_eq!(called.iter().filter(|method| *method == "VM.get_uuid").count(), 1);
    }

    #[test]
    fn an_error_of_the_api_names_objects() {
        let server = StandIn::new(
            |method, _| match method {
                "VM.start" => Err(ApiError::new(
                    "VM_BAD_POWER_STATE",
                    ["OpaqueRef:v", "halted", "running"],
                )),
                "VM.get_uuid" => Ok(Value::str("vm-uuid")),
                "VM.get_name_label" => Ok(Value::str("web")),
                other => panic!("{other}"),
            },
            |_, _| Handed::default(),
        );
        server
            .run(&["vm-start"], |cx| {
                let failure = cx.client.call("VM.start", &[]).unwrap_err();
                let text = crate::error_text::of(Some(cx.client), &failure);
                assert!(text.contains("\nvm: vm-uuid (web)\n"), "{text}");
                Ok(())
            })
            .1
            .unwrap();
    }
}
