//! `console`: the text console of a VM on this terminal, until Ctrl-].

use std::io::{Read, Write};

use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustix::termios::{self, OptionalActions, Termios};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Table;
use crate::client::Object;
use crate::context::Context;
use crate::failure::Failure;
use crate::select::{self, Also, What};
use crate::transfer::{elsewhere, escaped};
use crate::transport::whole;

/// The command.
pub const TABLE: Table = &[("console", console)];

/// Ctrl-].
const LEAVE: u8 = 0x1d;

fn refuse<T>(cx: &mut Context<'_>, text: &str) -> Result<T, Failure> {
    cx.out.complain(text);
    Err(Failure::Exit(1))
}

fn console(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut vms = select::select(cx.client, cx.params, What::Vms(Also::Control), &[])?;
    let vm = match (vms.pop(), vms.is_empty()) {
        (Some(vm), true) => vm,
        (None, _) => return refuse(cx, "No VM found"),
        (Some(_), false) => return refuse(cx, "Multiple VMs found: please narrow your request to one VM."),
    };
    let mut text = None;
    for console in vm.texts("consoles") {
        let console: Object = cx.client.object("console", &console)?;
        if console.text("protocol") == "vt100" {
            text = Some(console);
            break;
        }
    }
    let Some(console) = text else {
        return refuse(cx, "No text console available");
    };
    cx.out.line(&format!(
        "Connecting to console on VM {}. Press Ctrl + ']' to quit.",
        vm.text("name_label")
    ));
    let session = escaped(&cx.client.session());
    let location = format!("{}&session_id={session}", console.text("location"));
    let outcome = cx.client.wait(talk(cx, &location));
    outcome.or_else(|text| refuse(cx, &text))
}

async fn talk(cx: &Context<'_>, location: &str) -> Result<(), String> {
    let (peer, target) = elsewhere(&cx.client.peer(), location)?;
    let connection = cx.client.dialer().connect(&peer).await;
    let mut connection = connection.map_err(|failure| failure.to_string())?;
    let uri: Uri = target.parse().map_err(|_| format!("no such place: {target}"))?;
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(uri)
        .body(whole(""));
    let request = request.map_err(|error| error.to_string())?;
    let response = connection
        .send(request)
        .await
        .map_err(|error| error.to_string())?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            return Err("Server replied with HTTP 404: the console is not available".to_owned());
        }
        other => return Err(format!("Server said: {other}")),
    }
    let stream = hyper::upgrade::on(response)
        .await
        .map_err(|error| error.to_string())?;
    let _raw = RawTerminal::enter();
    let outcome = pump(TokioIo::new(stream)).await;
    outcome.map_err(|error| format!("Lost connection to the console. ({error})"))
}

/// Carries bytes both ways until the user leaves or the console ends.
async fn pump(stream: TokioIo<hyper::upgrade::Upgraded>) -> std::io::Result<()> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut typed = keyboard();
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            read = from.read(&mut buffer) => {
                let length = read?;
                let Some(piece) = buffer.get(..length).filter(|piece| !piece.is_empty()) else { return Ok(()) };
                let mut out = std::io::stdout();
                out.write_all(piece)?;
                out.flush()?;
            }
            piece = typed.recv() => {
                let Some(piece) = piece else { return Ok(()) };
                let end = piece.iter().position(|byte| *byte == LEAVE);
                to.write_all(piece.get(..end.unwrap_or(piece.len())).unwrap_or_default()).await?;
                to.flush().await?;
                if end.is_some() {
                    return Ok(());
                }
            }
        }
    }
}

/// What is typed. The thread that waits for it ends with the program.
fn keyboard() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(length) = std::io::stdin().read(&mut buffer) {
            let piece = buffer.get(..length).unwrap_or_default().to_vec();
            if piece.is_empty() || sender.blocking_send(piece).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The terminal hands every key on while this lives.
struct RawTerminal(Option<Termios>);

impl RawTerminal {
    fn enter() -> RawTerminal {
        let input = std::io::stdin();
        let Ok(before) = termios::tcgetattr(&input) else {
            return RawTerminal(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        let entered = termios::tcsetattr(&input, OptionalActions::Now, &raw);
        RawTerminal(entered.ok().map(|()| before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before);
            let _ = std::io::stdout().write_all(b"\r\n");
        }
    }
}
