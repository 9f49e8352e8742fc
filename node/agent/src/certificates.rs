//! The certificates that this host shows. Its node keeps them; the agent only carries out what is asked about them.

use std::fmt;

use async_trait::async_trait;
use node_commands::{CommandError, CommandErrorKind, HostReply, MachineReply, ShownCertificates};

use crate::agent::Agent;
use crate::operations::Outcome;

/// Who keeps the certificates of this host.
#[async_trait]
pub trait CertificateKeeper: fmt::Debug + Send + Sync {
    /// What is shown now.
    fn shown(&self) -> ShownCertificates;

    /// Shows clients another certificate from now on, also after a restart. `key` is a secret.
    ///
    /// # Errors
    /// A text for people: it cannot be used or not be written; then the old one stays.
    async fn install(&self, certificates: &str, key: &str) -> Result<(), String>;

    /// Shows clients what it shows other hosts, at once, and then gets a fresh certificate for both as
    /// [`CertificateKeeper::renew`] does.
    ///
    /// # Errors
    /// A text for people. Where only the fresh one was not to be had, the installed one is gone all the same.
    async fn reset(&self) -> Result<(), String>;

    /// Gets a fresh certificate and key of the pool's authority and shows it from now on.
    ///
    /// # Errors
    /// As [`CertificateKeeper::install`], and when no leader gives one.
    async fn renew(&self) -> Result<(), String>;
}

impl Agent {
    /// Whoever keeps the certificates, if there is one.
    pub(crate) fn keeper(&self) -> Result<&dyn CertificateKeeper, CommandError> {
        let keeper = self.inner.settings.machine.certificates.as_deref();
        keeper.ok_or_else(|| {
            CommandError::new(
                CommandErrorKind::Unsupported,
                "this host shows no certificates".to_owned(),
            )
        })
    }
}

/// What is shown after something was done about it.
pub(crate) fn shown_after(keeper: &dyn CertificateKeeper, done: Result<(), String>) -> Outcome {
    done.map_err(|why| CommandError::new(CommandErrorKind::Internal, why))?;
    Ok(HostReply::Machine(MachineReply::Certificates(keeper.shown())))
}
