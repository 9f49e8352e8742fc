//! Addresses by DHCP, from the client that the host has.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::no_such;
use super::session::Session;
use crate::driver::check_name;
use crate::error::{NetworkError, Result};

/// Clients, the usual one first; each stays in the foreground and renews its lease until it is ended.
const CLIENTS: [(&str, &[&str]); 2] = [("dhclient", &["-4", "-d"]), ("dhcpcd", &["-4", "-B"])];
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks for the address.
const LOOK: Duration = Duration::from_millis(100);

/// The clients that run, by link; they end with this value.
#[derive(Debug, Default)]
pub struct Clients {
    running: Mutex<HashMap<String, Child>>,
}

impl Clients {
    /// Starts a client and waits for the first address. One that runs already is left alone.
    pub async fn start(&self, link: &str) -> Result<()> {
        check_name(link)?;
        if self.runs(link) {
            return Ok(());
        }
        let index = {
            let session = Session::open()?;
            session.link(link).await?.ok_or_else(|| no_such(link))?.index
        };
        let mut client = launch(link)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let addresses = Session::open()?.addresses(index).await?;
            if addresses.iter().any(|address| address.ip.is_ipv4()) {
                break;
            }
            if let Ok(Some(status)) = client.try_wait() {
                return Err(NetworkError::Kernel {
                    operation: "get address by DHCP",
                    name: link.to_owned(),
                    source: format!("the client ended: {status}").into(),
                });
            }
            if Instant::now() >= deadline {
                // Dropping the client ends it.
                return Err(NetworkError::TimedOut {
                    operation: "get address by DHCP",
                    after: PATIENCE,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(link.to_owned(), client);
        Ok(())
    }

    /// Ends the client of a link, if one runs; its addresses stay.
    pub fn stop(&self, link: &str) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(link);
    }

    fn runs(&self, link: &str) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .get_mut(link)
            .is_some_and(|client| matches!(client.try_wait(), Ok(None)))
    }
}

fn launch(link: &str) -> Result<Child> {
    for (program, arguments) in CLIENTS {
        let started = Command::new(program)
            .args(arguments)
            .arg(link)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(client) => return Ok(client),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(NetworkError::Kernel {
                    operation: "start DHCP client",
                    name: link.to_owned(),
                    source: Box::new(error),
                });
            }
        }
    }
    Err(NetworkError::Unsupported {
        feature: "DHCP client (dhclient or dhcpcd)",
    })
}
