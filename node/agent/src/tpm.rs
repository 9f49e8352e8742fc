//! Trusted platform modules: what they hold goes to a host with the domain, and back to the pool when it has ended.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use node_commands::{CommandError, CommandErrorKind, DomainRequest, HostReply, SecretText};
use uuid::Uuid;

use crate::agent::Agent;
use crate::operations::Outcome;

impl Agent {
    /// Lays down what the module of a domain that is about to start holds.
    pub(crate) async fn lay_tpm(&self, request: &DomainRequest) -> Result<(), CommandError> {
        let Some(tpm) = &request.tpm else {
            return Ok(());
        };
        if self.inner.hypervisor.state(request.vm).await?.is_some() {
            // A repeated start finds its domain: the module is in use.
            return Ok(());
        }
        let state = match tpm.contents.0.as_str() {
            "" => None,
            text => Some(STANDARD.decode(text).map_err(|_| {
                CommandError::new(
                    CommandErrorKind::Unreadable,
                    "what the trusted platform module holds does not read".to_owned(),
                )
            })?),
        };
        Ok(self
            .inner
            .hypervisor
            .put_tpm_state(request.vm, state.as_deref())
            .await?)
    }

    pub(crate) async fn tpm_state(&self, vm: Uuid) -> Outcome {
        let state = self.inner.hypervisor.tpm_state(vm).await?;
        Ok(HostReply::Tpm(
            state.map(|state| SecretText(STANDARD.encode(state))),
        ))
    }
}
