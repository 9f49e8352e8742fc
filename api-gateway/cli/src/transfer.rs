//! Files to and from the pool: one HTTP request beside the session, watched through a task.
//!
//! The task says how far the transfer is and how it ended; the connection alone does not, because a server that has all
//! it needs may simply hang up.

mod upload;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_codec::WireValue;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, LOCATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use proto_types::Value;

use crate::client::{Client, Object};
use crate::context::Context;
use crate::failure::Failure;
use crate::tasks::{self, Bar};
use crate::transport::{Connection, Peer, whole};

/// How often a host may send us to another.
const MOST_REDIRECTS: usize = 5;

/// A transfer of which nothing was heard for so long is over.
const SILENCE: Duration = Duration::from_secs(600);

/// Between two looks at the task.
const LOOK: Duration = Duration::from_millis(500);

/// How long a connection may outlive its task.
const GRACE: Duration = Duration::from_secs(5);

/// Which way a file goes.
pub enum Way {
    /// From the pool into a file that must not be there yet; no name means standard output.
    Down(PathBuf),
    /// From a file to the pool.
    Up(PathBuf),
}

/// A transfer.
pub struct Transfer<'a> {
    /// Way and file.
    pub way: Way,
    /// The handler, such as `/export`.
    pub path: &'a str,
    /// What is asked of it, beyond session and task.
    pub query: Vec<(&'a str, String)>,
    /// The task's name.
    pub label: String,
    /// The task's description.
    pub description: String,
    /// Another host than that of the session.
    pub host: Option<Peer>,
    /// A task of the user's own, which is left alone in the end.
    pub task: Option<String>,
}

impl<'a> Transfer<'a> {
    /// A transfer with what every one has.
    pub fn new(way: Way, path: &'a str, label: impl Into<String>) -> Transfer<'a> {
        Transfer {
            way,
            path,
            query: Vec::new(),
            label: label.into(),
            description: String::new(),
            host: None,
            task: None,
        }
    }

    /// Asks for something more.
    pub fn with(mut self, name: &'a str, value: impl Into<String>) -> Transfer<'a> {
        self.query.push((name, value.into()));
        self
    }

    /// Carries it out and answers the task's result.
    ///
    /// # Errors
    /// When the file cannot be opened, the server is not reached, or the task fails.
    pub fn run(self, cx: &mut Context<'_>) -> Result<WireValue, Failure> {
        let client = cx.client;
        let file = Local::open(&self.way)?;
        let (task, ours) = match &self.task {
            Some(task) => (task.clone(), false),
            None => {
                let args = [Value::str(&self.label), Value::str(&self.description)];
                match client.text("task.create", &args) {
                    Ok(task) => (task, true),
                    Err(failure) => {
                        file.finish(false);
                        return Err(failure);
                    }
                }
            }
        };
        // Below zero until the server has taken the task on: so that we know whose it is.
        let untouched = client.call("task.set_progress", &[Value::str(&task), Value::Float(-1.0)]);
        let mut bar = Bar::wanted(cx);
        let sent = untouched.and_then(|_| client.wait(self.carry(client, &task, &file, &mut bar)));
        bar.end();
        let outcome = sent.and_then(|carried| self.settle(client, &task, carried));
        if ours {
            let _ = client.call("task.destroy", &[Value::str(&task)]);
        }
        file.finish(outcome.is_ok());
        outcome
    }

    /// What the task and the connection together mean.
    fn settle(&self, client: &Client, task: &str, carried: Carried) -> Result<WireValue, Failure> {
        let Carried { task: seen, broken } = carried;
        if let (Some(broken), true) = (&broken, seen.text("status") == "pending") {
            // The server never began: nobody else is going to end the task.
            let _ = client.call("task.set_status", &[Value::str(task), Value::str("failure")]);
            return Err(Failure::contact(broken.clone()));
        }
        match (tasks::result(&seen), broken, &self.way) {
            (Err(Failure::Api(error)), Some(broken), _) if error.code == "INTERNAL_ERROR" => {
                Err(Failure::contact(broken))
            }
            (Ok(_), Some(broken), Way::Down(_)) => Err(Failure::contact(broken)),
            (result, _, _) => result,
        }
    }

    async fn carry(
        &self,
        client: &Client,
        task: &str,
        file: &Local,
        bar: &mut Bar,
    ) -> Result<Carried, Failure> {
        let mut transfer = std::pin::pin!(self.stream(client, task, file));
        let mut outcome: Option<Result<(), String>> = None;
        let mut ended: Option<tokio::time::Instant> = None;
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                done = &mut transfer, if outcome.is_none() => outcome = Some(done),
                _ = tick.tick() => {}
            }
            let record = client
                .call_meanwhile("task.get_record", &[Value::str(task)])
                .await?;
            let seen = Object {
                reference: task.to_owned(),
                record,
            };
            bar.draw(tasks::progress(&seen));
            let pending = seen.text("status") == "pending";
            match &outcome {
                Some(Ok(())) if !pending => {
                    return Ok(Carried {
                        task: seen,
                        broken: None,
                    });
                }
                Some(Err(why)) => {
                    let since = ended.get_or_insert_with(tokio::time::Instant::now);
                    // A task that the server has taken on ends soon after the connection.
                    let untouched = tasks::progress(&seen) < 0.0;
                    if !pending || untouched || since.elapsed() > GRACE {
                        return Ok(Carried {
                            task: seen,
                            broken: Some(why.clone()),
                        });
                    }
                }
                None if !pending => {
                    let since = ended.get_or_insert_with(tokio::time::Instant::now);
                    let failed = seen.text("status") != "success" || matches!(self.way, Way::Up(_));
                    if failed && since.elapsed() > GRACE {
                        return Ok(Carried {
                            task: seen,
                            broken: None,
                        });
                    }
                }
                Some(Ok(())) | None => {}
            }
        }
    }

    /// The request itself; the error is what to say of it.
    async fn stream(&self, client: &Client, task: &str, file: &Local) -> Result<(), String> {
        let mut peer = self.host.clone().unwrap_or_else(|| client.peer());
        let mut target = self.target(client, task);
        for _ in 0..MOST_REDIRECTS {
            let connection = client
                .dialer()
                .connect(&peer)
                .await
                .map_err(|failure| failure.to_string())?;
            match self.request(connection, &target, file).await? {
                Next::Done => return Ok(()),
                Next::Elsewhere(location) => (peer, target) = elsewhere(&peer, &location)?,
            }
        }
        Err("Too many redirections.".to_owned())
    }

    fn target(&self, client: &Client, task: &str) -> String {
        let session = ("session_id", client.session());
        let task = ("task_id", task.to_owned());
        let all = [session, task]
            .into_iter()
            .chain(self.query.iter().map(|(k, v)| (*k, v.clone())));
        let pairs: Vec<String> = all
            .map(|(name, value)| format!("{name}={}", escaped(&value)))
            .collect();
        format!("{}?{}", self.path, pairs.join("&"))
    }

    async fn request(&self, mut connection: Connection, target: &str, file: &Local) -> Result<Next, String> {
        let lost = |why: &dyn std::fmt::Display| format!("Lost connection to the server. ({why})");
        let uri: Uri = target.parse().map_err(|error| lost(&error))?;
        let builder = Request::builder().uri(uri).header(CONNECTION, "close");
        let request = match file {
            Local::Into { .. } | Local::Output => builder.method(Method::GET).body(whole("")),
            Local::From(path) => {
                upload::request(builder.method(Method::PUT), path).map_err(|error| lost(&error))?
            }
        };
        let request = request.map_err(|error| lost(&error))?;
        let answer = tokio::time::timeout(SILENCE, connection.send(request)).await;
        let response = answer
            .map_err(|_| lost(&"no answer in time"))?
            .map_err(|error| lost(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::FOUND | StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => {
                let location = response
                    .headers()
                    .get(LOCATION)
                    .and_then(|value| value.to_str().ok());
                return location
                    .map(|location| Next::Elsewhere(location.to_owned()))
                    .ok_or_else(|| "Server replied with a redirection to nowhere.".to_owned());
            }
            other => return Err(format!("Server replied with HTTP {other}.")),
        }
        match file {
            Local::Into { file, .. } => receive(response, file).await?,
            Local::Output => receive(response, &std::io::stdout()).await?,
            Local::From(_) => {
                // What it says is said in the task; here only the end of our own words counts.
                let _ = response.into_body().collect().await;
                connection.drained().await;
            }
        }
        Ok(Next::Done)
    }
}

/// How a transfer ended.
struct Carried {
    task: Object,
    broken: Option<String>,
}

enum Next {
    Done,
    Elsewhere(String),
}

/// The file on this side.
enum Local {
    Into { file: File, path: PathBuf },
    Output,
    From(PathBuf),
}

impl Local {
    fn open(way: &Way) -> Result<Local, Failure> {
        let failed = |path: &Path, why: &dyn std::fmt::Display| {
            Failure::contact(format!("Operation failed. Error: {}: {why}", path.display()))
        };
        match way {
            Way::Down(path) if path.as_os_str().is_empty() => Ok(Local::Output),
            Way::Down(path) => {
                let opened = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path);
                let file = opened.map_err(|error| failed(path, &error))?;
                Ok(Local::Into {
                    file,
                    path: path.clone(),
                })
            }
            Way::Up(path) if path.exists() => Ok(Local::From(path.clone())),
            Way::Up(path) => Err(Failure::contact(format!(
                "Operation failed. Error: file '{}' does not exist",
                path.display()
            ))),
        }
    }

    /// Half a file is of no use to anybody.
    fn finish(self, good: bool) {
        if let Local::Into { path, .. } = self
            && !good
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn receive(response: Response<Incoming>, mut into: impl Write) -> Result<(), String> {
    let mut body = response.into_body();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        match frame.map_err(|_| "Lost connection to the server. (silence)".to_owned())? {
            None => break,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    into.write_all(&data)
                        .map_err(|error| format!("Operation failed. Error: {error}"))?;
                }
            }
            Some(Err(error)) => return Err(format!("Lost connection to the server. ({error})")),
        }
    }
    into.flush()
        .map_err(|error| format!("Operation failed. Error: {error}"))
}

/// Where a redirection leads, and what is asked for there.
///
/// # Errors
/// What to say if it leads nowhere.
pub fn elsewhere(from: &Peer, location: &str) -> Result<(Peer, String), String> {
    let bad = || format!("Server replied with a redirection to {location:?}.");
    let uri: Uri = location.parse().map_err(|_| bad())?;
    let target = uri
        .path_and_query()
        .map(|p| p.as_str().to_owned())
        .ok_or_else(bad)?;
    let peer = match (uri.scheme_str(), uri.host()) {
        (_, None) => from.clone(),
        (Some(scheme @ ("http" | "https")), Some(host)) => Peer::Network {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 }),
            plain: scheme == "http",
        },
        _ => return Err(bad()),
    };
    Ok((peer, target))
}

/// Text in a query: everything but letters, digits and a few marks as `%XX`.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod test;
