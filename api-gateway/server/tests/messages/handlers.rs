//! The HTTP handlers over TLS, all of the table: credentials, roles, tasks, queries that make no sense.

use std::sync::Arc;

use gateway_server::transfer::table::{self, Entry, Verb};
use gateway_server::{GatewayConfig, ServerHandle, ServerIdentity, TransportLimits, serve};
use proto_types::generated::permissions::ROLES;
use proto_types::generated::task;
use proto_types::{Ref, Value};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::client::{Answer, Client, make_certificate};
use super::leader::Leader;

struct Web {
    leader: Leader,
    handle: ServerHandle,
    certificate: CertificateDer<'static>,
    stop: CancellationToken,
}

impl Web {
    async fn start() -> Web {
        let leader = Leader::new().await;
        let (pem, key, certificate) = make_certificate();
        let stop = CancellationToken::new();
        let config = GatewayConfig {
            https: "127.0.0.1:0".parse().unwrap(),
            http: None,
            unix: Vec::new(),
            identity: ServerIdentity::from_pem(pem.as_bytes(), key.as_bytes()).unwrap(),
            limits: TransportLimits::default(),
        };
        let handle = serve(config, Arc::new(leader.service()), stop.clone())
            .await
            .unwrap();
        Web {
            leader,
            handle,
            certificate,
            stop,
        }
    }

    /// Sends one request with these further headers, each with its end of line.
    async fn ask(&self, verb: Verb, path: &str, headers: &str) -> Answer {
        self.ask_for_any(verb, path, headers).await.expect("an answer")
    }

    async fn ask_for_any(&self, verb: Verb, path: &str, headers: &str) -> Option<Answer> {
        let verb = match verb {
            Verb::Get => "GET",
            Verb::Put => "PUT",
            Verb::Post => "POST",
            Verb::Connect => "CONNECT",
        };
        let mut client = Client::connect(self.handle.https_addr, &self.certificate)
            .await
            .unwrap();
        let text = format!("{verb} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{headers}\r\n");
        client.send(&text).await;
        client.answer_if_any().await
    }

    async fn in_session(&self, entry: &Entry, session: &str, query: &str) -> Answer {
        let path = format!("{}?{query}", entry.path);
        self.ask(entry.verb, &path, &format!("Cookie: session_id={session}\r\n"))
            .await
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Without this a console over a WebSocket is forbidden to everybody.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn entry(action: &str) -> &'static Entry {
    table::TABLE.iter().find(|e| e.action == action).unwrap()
}

fn dead() -> String {
    Ref::from_uuid(Uuid::from_u128(0xdead)).to_string()
}

#[tokio::test]
async fn whoever_shows_no_good_credentials_is_asked_for_some() {
    let web = Web::start().await;
    web.leader.user("eve", "pool-admin");
    for entry in table::TABLE {
        let realm = format!("Basic realm=\"{}\"", entry.label);
        // Of `eve:wrong`, `root:` with a password that is none, and no name at all.
        for headers in [
            "",
            "Authorization: Basic ZXZlOndyb25n\r\n",
            "Authorization: Basic cm9vdDo=\r\n",
            "Authorization: Bearer x\r\n",
            "Cookie: session_id=OpaqueRef:NULL\r\n",
        ] {
            let answer = web.ask(entry.verb, entry.path, headers).await;
            assert_eq!(answer.status, 401, "{} {headers}", entry.action);
            assert_eq!(answer.header("www-authenticate"), Some(realm.as_str()));
        }
        let answer = web.in_session(entry, &dead(), "").await;
        assert_eq!(answer.status, 401, "{}", entry.action);
    }
}

#[tokio::test]
async fn a_role_below_that_of_a_handler_is_forbidden_it() {
    let web = Web::start().await;
    let mut sessions = Vec::new();
    for def in ROLES.iter().rev().filter(|r| !r.internal) {
        sessions.push((def.role, web.leader.session_of(def.name).await));
    }
    let mut forbidden = 0;
    for entry in table::TABLE {
        for (role, session) in &sessions {
            let cookie = format!("Cookie: session_id={session}\r\n{UPGRADE}");
            // Whoever is let in and says nothing more may be left without an answer.
            let status = web
                .ask_for_any(entry.verb, entry.path, &cookie)
                .await
                .map(|a| a.status);
            assert_eq!(
                status == Some(403),
                *role < entry.role,
                "{} as {role:?}",
                entry.action
            );
            assert_ne!(status, Some(401));
            forbidden += usize::from(status == Some(403));
        }
    }
    assert!(forbidden > 8, "{forbidden}");
    // With name and password, too, a user is no more than the role.
    let export = entry("get_export");
    let basic = "Authorization: Basic YS1yZWFkLW9ubHk6c2VjcmV0\r\n";
    assert_eq!(web.ask(export.verb, export.path, basic).await.status, 403);
}

async fn waiting_task(web: &Web, session: &str) -> Ref {
    let params = ["transfer".into(), "".into()];
    match web.leader.call_in(session, "task.create", &params).await {
        gateway_codec::Outcome::Success(value) => value.as_str().unwrap().parse().unwrap(),
        gateway_codec::Outcome::Failure(error) => panic!("{:?}", error.description()),
    }
}

fn ended(web: &Web, this: Ref) -> (String, Vec<String>) {
    let row = web.leader.db().get(this).cloned().unwrap();
    let info = row.get(task::ERROR_INFO).as_set();
    (
        row.get(task::STATUS).as_str().to_owned(),
        info.iter().map(|v| v.as_str().to_owned()).collect(),
    )
}

#[tokio::test]
async fn a_task_that_waits_for_a_transfer_learns_why_there_is_none() {
    let web = Web::start().await;
    let export = entry("get_export");
    let reader = web.leader.session_of("read-only").await;
    let guest = web.leader.vm().await;
    let query = |task: Ref| format!("ref={guest}&task_id={task}");
    let own = waiting_task(&web, &reader).await;
    assert_eq!(web.in_session(export, &reader, &query(own)).await.status, 403);
    let (status, info) = ended(&web, own);
    assert_eq!(
        (status.as_str(), &info[0], &info[1]),
        (
            "failure",
            &"RBAC_PERMISSION_DENIED".to_owned(),
            &"http/get_export".to_owned()
        )
    );
    let own = waiting_task(&web, &reader).await;
    assert_eq!(web.in_session(export, &dead(), &query(own)).await.status, 401);
    assert_eq!(
        ended(&web, own),
        (
            "failure".to_owned(),
            vec!["SESSION_AUTHENTICATION_FAILED".to_owned()]
        )
    );
    // A task behind which an operation stands is not ended by a stranger's word.
    let works = waiting_task(&web, &web.leader.session).await;
    web.leader.set(works, task::RESIDENT_ON, web.leader.host("one"));
    assert_eq!(web.in_session(export, &dead(), &query(works)).await.status, 401);
    assert_eq!(ended(&web, works).0, "pending");
}

#[tokio::test]
async fn a_task_that_is_not_there_or_not_ones_own_is_not_taken_over() {
    let web = Web::start().await;
    let guest = web.leader.vm().await;
    let admin = web.leader.session_of("vm-admin").await;
    let metadata = entry("get_export_metadata");
    for named in [dead(), "nonsense".to_owned()] {
        let query = format!("ref={guest}&task_id={named}");
        assert_eq!(
            web.in_session(metadata, &admin, &query).await.status,
            500,
            "{named}"
        );
    }
    let others = waiting_task(&web, &web.leader.session).await;
    let query = format!("ref={guest}&task_id={others}");
    assert_eq!(web.in_session(metadata, &admin, &query).await.status, 403);
    let own = waiting_task(&web, &admin).await;
    let query = format!("ref={guest}&task_id={own}");
    assert_eq!(web.in_session(metadata, &admin, &query).await.status, 200);
    assert_eq!(ended(&web, own).0, "success");
    // It has ended: no second transfer takes it.
    assert_eq!(web.in_session(metadata, &admin, &query).await.status, 500);
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused_before_anything_is_sent() {
    let web = Web::start().await;
    let session = web.leader.session.clone();
    let cases = [
        ("get_rrd_updates", "", 400),
        ("get_rrd_updates", "start=now", 400),
        ("get_audit_log", "since=yesterday", 400),
        ("get_audit_log", "since=20260101", 400),
        ("get_vm_rrd", "uuid=nonsense", 404),
        ("get_export", "ref=nonsense", 500),
        ("get_export", "uuid=", 500),
        ("get_export_raw_vdi", "vdi=nonsense", 500),
        ("put_import_raw_vdi", "", 400),
        ("put_import_raw_vdi", "vdi=nonsense", 500),
        ("put_import", "sr_id=nonsense", 500),
    ];
    let mut wrong = Vec::new();
    for (action, query, status) in cases {
        let answer = web.in_session(entry(action), &session, query).await;
        if answer.status != status {
            wrong.push((action, query, answer.status, status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn the_trail_is_read_over_http_and_its_task_ends() {
    let web = Web::start().await;
    let reader = web.leader.session_of("read-only").await;
    web.leader.ok("pool.get_all", &[]).await;
    let vm = web.leader.vm().await;
    web.leader
        .ok("VM.set_name_label", &[vm.into(), Value::str("told")])
        .await;
    let own = waiting_task(&web, &reader).await;
    let mut client = Client::connect(web.handle.https_addr, &web.certificate)
        .await
        .unwrap();
    client
        .send(&format!(
            "GET /audit_log?task_id={own} HTTP/1.1\r\nHost: x\r\nCookie: session_id={reader}\r\n\r\n"
        ))
        .await;
    let mut all = Vec::new();
    let _ = super::client::within(tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut all)).await;
    let text = String::from_utf8(all).unwrap();
    assert!(text.starts_with("HTTP/1.0 200 OK\r\n"), "{text}");
    assert!(
        text.contains("'API' 'VM.set_name_label' (('self'") && text.contains("('value' 'told' '' '')"),
        "{text}"
    );
    assert_eq!(ended(&web, own).0, "success");
}

#[tokio::test]
async fn the_trail_tells_how_transfers_end_and_not_only_that_they_began() {
    let web = Web::start().await;
    let admin = web.leader.session_of("vm-admin").await;
    let guest = web.leader.vm().await;
    let lines = async |call: &str, count: usize| {
        for _ in 0..400 {
            let quoted = format!("'{call}'");
            let found: Vec<String> = {
                let all = web.leader.trail.0.lock().unwrap();
                all.iter().filter(|l| l.contains(&quoted)).cloned().collect()
            };
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no {count} lines about {call}")
    };
    let metadata = entry("get_export_metadata");
    let query = format!("ref={guest}");
    assert_eq!(web.in_session(metadata, &admin, &query).await.status, 200);
    let told = lines("http/get_export_metadata", 2).await;
    assert!(
        told[0].contains("'ALLOWED' 'ACCEPTED'") && told[1].contains("'ALLOWED' 'OK'"),
        "{told:?}"
    );
    // An archive that ends at once: the import began, and failed.
    web.leader.ok("SR.get_all", &[]).await;
    let import = entry("put_import_metadata");
    web.in_session(import, &admin, "").await;
    let told = lines("http/put_import_metadata", 2).await;
    assert!(
        told[0].contains("ACCEPTED") && told[1].contains("'ERROR:IMPORT_ERROR"),
        "{told:?}"
    );
    // What does not begin is told once.
    let answer = web.in_session(metadata, &admin, "ref=nonsense").await;
    assert_eq!(answer.status, 500);
    let told = lines("http/get_export_metadata", 3).await;
    assert!(
        told.len() == 3 && told[2].contains("'ERROR:HANDLE_INVALID'"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_transfers_own_task_is_named_and_stands_where_the_client_says() {
    let web = Web::start().await;
    let admin = web.leader.session_of("vm-admin").await;
    let guest = web.leader.vm().await;
    let metadata = entry("get_export_metadata");
    let above = waiting_task(&web, &admin).await;
    let path = format!("{}?ref={guest}&subtask_of={above}", metadata.path);
    let headers = format!("Cookie: session_id={admin}\r\nx-http-other-config-origin: script\r\n");
    let answer = web.ask(metadata.verb, &path, &headers).await;
    let made: Ref = answer.header("task-id").unwrap().parse().unwrap();
    let row = web.leader.db().get(made).cloned().unwrap();
    assert_eq!(row.get(task::SUBTASK_OF).as_ref(), above);
    assert_eq!(row.get(task::OTHER_CONFIG).get("http:origin"), Some("script"));
    // A header names a task as well as the query does.
    let own = waiting_task(&web, &admin).await;
    let headers = format!("Cookie: session_id={admin}\r\ntask-id: {own}\r\n");
    let path = format!("{}?ref={guest}", metadata.path);
    let answer = web.ask(metadata.verb, &path, &headers).await;
    assert_eq!(answer.header("task-id"), Some(own.to_string().as_str()));
    assert_eq!(ended(&web, own).0, "success");
    // So does a call that fetches.
    let storage = web.leader.db();
    let storage = storage
        .rows(proto_types::generated::sr::CLASS)
        .find(|r| r.get(proto_types::generated::sr::TYPE).as_str() != "iso")
        .map(|r| r.reference);
    if let Some(storage) = storage {
        let params = [
            web.leader.session.as_str().into(),
            "ftp://x/".into(),
            storage.into(),
            false.into(),
            false.into(),
        ];
        let above = waiting_task(&web, &web.leader.session).await;
        let headers = [
            ("subtask-of", above.to_string()),
            ("x-http-other-config-origin", "script".to_owned()),
        ];
        let made = match web.leader.from_afar("Async.VM.import", &params, &headers).await {
            gateway_codec::Outcome::Success(value) => value.as_str().unwrap().parse::<Ref>().unwrap(),
            gateway_codec::Outcome::Failure(error) => panic!("{:?}", error.description()),
        };
        let row = web.leader.db().get(made).cloned().unwrap();
        assert_eq!(row.get(task::SUBTASK_OF).as_ref(), above);
        assert_eq!(row.get(task::OTHER_CONFIG).get("http:origin"), Some("script"));
    }
}

async fn blob_of(web: &Web, public: bool) -> Ref {
    let params = ["text/html".into(), public.into()];
    let made = web.leader.ok("blob.create", &params).await;
    made.as_str().unwrap().parse().unwrap()
}

impl Web {
    async fn put_blob(&self, session: &str, blob: Ref, body: &str) -> Answer {
        let mut client = Client::connect(self.handle.https_addr, &self.certificate)
            .await
            .unwrap();
        let length = body.len();
        let head = format!("PUT /blob?ref={blob} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
        client
            .send(&format!("{head}Cookie: session_id={session}\r\n\r\n{body}"))
            .await;
        client.answer().await
    }
}

#[tokio::test]
async fn a_blob_keeps_what_is_put_into_it() {
    let web = Web::start().await;
    let (writer, reader) = (
        web.leader.session_of("vm-power-admin").await,
        web.leader.session_of("read-only").await,
    );
    let blob = blob_of(&web, false).await;
    let get = entry("get_blob");
    let query = format!("ref={blob}");
    assert_eq!(web.in_session(get, &reader, &query).await.body, "");
    assert_eq!(web.put_blob(&reader, blob, "no").await.status, 403);
    assert_eq!(web.put_blob(&writer, blob, "<b>yes</b>").await.status, 200);
    let answer = web.in_session(get, &reader, &query).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.body.as_str()),
        (200, Some("text/html"), "<b>yes</b>")
    );
    // A browser that comes to it takes it for no page of this server.
    assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
    let size = web.leader.ok("blob.get_size", &[blob.into()]).await;
    assert_eq!(size.as_str(), Some("10"));
    let record = web.leader.ok("blob.get_record", &[blob.into()]).await;
    assert!(record.member("content").is_none(), "it is read over HTTP only");
    // Too much changes nothing.
    let most = pool_domain::decide::blob::MOST_BYTES;
    assert_eq!(
        web.put_blob(&writer, blob, &"x".repeat(most + 1)).await.status,
        413
    );
    assert_eq!(web.in_session(get, &reader, &query).await.body, "<b>yes</b>");
    assert_eq!(web.put_blob(&writer, blob, &"x".repeat(most)).await.status, 200);
    let by_uuid = web.leader.db().get(blob).unwrap().uuid().to_owned();
    let answer = web.in_session(get, &reader, &format!("uuid={by_uuid}")).await;
    assert_eq!(answer.body.len(), most);
    for nothing in ["ref=nonsense", "uuid=", ""] {
        assert_eq!(
            web.in_session(get, &reader, nothing).await.status,
            404,
            "{nothing}"
        );
    }
    // Only what is public is read without a session.
    let path = format!("/blob?{query}");
    assert_eq!(web.ask(Verb::Get, &path, "").await.status, 401);
    web.leader
        .ok("blob.set_public", &[blob.into(), true.into()])
        .await;
    assert_eq!(web.ask(Verb::Get, &path, "").await.status, 200);
    assert_eq!(web.ask(Verb::Put, &path, "").await.status, 401);
}
