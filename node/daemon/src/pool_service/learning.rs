//! Nodes that only learn, as they come and go. On the leader.

use gateway_server::audit::{End, Note};
use pool_domain::decide::host::MemberFacts;
use pool_domain::decide::{authority, learner};
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use super::{PoolService, history};

impl PoolService {
    /// Takes one in: its uuid and where it is, and who has signed its certificate.
    pub(super) async fn admit_learner(
        &self,
        (uuid, address): (Uuid, &str),
        place: &MemberFacts,
        signed_by: Ref,
        token: Option<Ref>,
    ) -> Result<(), ApiError> {
        let uuid = uuid.to_string();
        let admitted = self
            .ops
            .decide(&history("learn"), |d| {
                learner::admit(d, &uuid, address, place)?;
                authority::signed(d, &uuid, signed_by);
                if let Some(token) = token {
                    d.note(token);
                    d.delete(token);
                }
                Ok(())
            })
            .await
            .map(|_| ());
        let note = Note::of_operator("pool learn", &[("node", &uuid), ("address", address)]);
        self.tell(&note, &admitted).await;
        admitted
    }

    /// Sends one away.
    pub(super) async fn send_learner_away(&self, uuid: Uuid) -> Result<(), ApiError> {
        let uuid = uuid.to_string();
        let gone = self
            .ops
            .decide(&history("forget learner"), |d| learner::forget(d, &uuid))
            .await
            .map(|_| ());
        self.tell(
            &Note::of_operator("pool forget-learner", &[("node", &uuid)]),
            &gone,
        )
        .await;
        gone
    }

    async fn tell(&self, note: &Note, outcome: &Result<(), ApiError>) {
        let end = outcome.as_ref().map_or_else(End::of_error, |()| End::Done(None));
        self.api.audit(note, &end).await;
    }
}
