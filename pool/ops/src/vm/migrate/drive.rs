//! Leads one migration through the table of phases.
//!
//! ```text
//! phase, action ──► hosts ──► answer ──► event ──► Phase::on ──► phase, action ...
//!                                                      └──► the saga's row, where a new leader must know it
//! ```
//! Written down are the phases from which a new leader must go on otherwise than from the one before. `Planned` to
//! `Prepared` is none: all that is asked so far is known to the hosts by the saga's own ids, and asking again joins it.
//! `SwitchedOver` is none either: a new leader that looks finds the guest there.

use std::time::Duration;

use migration::{Action, Event, Phase};
use node_commands::{CommandErrorKind, HostCommand, HostReply, MigrationPhase, MigrationStatus, has_arrived};
use node_hypervisor::{Domain, DomainState, ErrorKind, PauseReason};
use pool_domain::decide::vm_power;
use pool_saga::StepError;
use proto_types::{ApiError, Ref};
use tokio::time::Instant;

use super::hosts::Answer;
use super::turn::Turn;
use super::{FIGURES, Figures, Migrate};
use crate::operation::Cx;

/// Before an action that was not answered is repeated.
const PACE: Duration = Duration::from_millis(200);
/// The outputs under which the row keeps where it stands, why it ended, and the destination's own refusal.
const PHASE: &str = "phase";
const REASON: &str = "reason";
const REFUSAL: &str = "refusal";
/// The output that says: the destination has gone down since, and the guest may have run there before.
const MAY_HAVE_RUN: &str = "may_have_run";
/// A host says to about so many seconds when it booted.
const SAME_BOOT: u64 = 10;

/// One run.
pub(super) struct Drive<'a> {
    pub(super) cx: &'a Cx<Migrate>,
    phase: Phase,
    /// Whether the row is behind.
    unwritten: bool,
    /// The source has answered that it is to end, one way or the other.
    called_off: bool,
    /// The source itself said that the guest has gone and that it holds nothing any more.
    source_is_clean: bool,
    told: f64,
    untold: Option<f64>,
    turn: Turn,
    /// Since when the host that matters has not answered.
    silent_since: Option<Instant>,
}

impl<'a> Drive<'a> {
    /// Where the row says it stands.
    pub(super) fn of(cx: &'a Cx<Migrate>) -> Drive<'a> {
        let phase = cx.left::<String>(PHASE).and_then(|name| Phase::by_name(&name));
        Drive {
            cx,
            phase: phase.unwrap_or(Phase::Planned),
            unwritten: false,
            called_off: false,
            source_is_clean: false,
            told: 0.0,
            untold: None,
            turn: Turn::default(),
            silent_since: None,
        }
    }

    /// Goes on until the guest is on one host for certain, and nothing is left on the other.
    ///
    /// # Errors
    /// Why it stayed where it was; `LeadershipLost`.
    pub(super) async fn to_the_end(mut self) -> Result<(), StepError> {
        let mut todo = self.phase.resume();
        while let Some(action) = todo {
            if !self.cx.is_mine() {
                return Err(StepError::LeadershipLost);
            }
            if action == Action::Commit && self.source_is_clean {
                // The saga's own last entry is the switch-over.
                return Ok(());
            }
            let wants_end = !self.called_off && action != Action::CallOff && self.cx.is_cancelled();
            if wants_end && let Some((phase, next)) = self.phase.on(&Event::CancelWanted) {
                self.enter(phase).await?;
                todo = next;
                continue;
            }
            if action == Action::PrepareDestination
                && !self.turn.has_come(&self.cx.ops.pool.snapshot(), self.cx.saga)
            {
                tokio::time::sleep(PACE / 4).await;
                continue;
            }
            let event = self.carry_out(action).await?;
            if event == Event::ReplyLost {
                self.silent_since.get_or_insert_with(Instant::now);
                tokio::time::sleep(PACE).await;
            } else {
                self.silent_since = None;
            }
            if let Some((phase, next)) = self.phase.on(&event) {
                self.enter(phase).await?;
                todo = next;
            }
        }
        match self.phase {
            Phase::Done => Ok(()),
            _ => Err(self.why().into()),
        }
    }

    async fn enter(&mut self, phase: Phase) -> Result<(), StepError> {
        if phase == self.phase {
            return Ok(());
        }
        tracing::debug!(vm = %self.cx.operation.vm_uuid, from = self.phase.name(), to = phase.name(), "migration");
        self.phase = phase;
        self.silent_since = None;
        match phase {
            // Written while memory travels.
            Phase::Copying => {
                self.cx.leave(PHASE, &phase.name());
                self.unwritten = true;
            }
            Phase::GivingUp | Phase::Reviving => {
                self.cx.leave(PHASE, &phase.name());
                self.unwritten = true;
                self.write().await?;
            }
            // `CleaningUp` stands in the entry of the switch-over itself.
            Phase::Planned
            | Phase::Prepared
            | Phase::SwitchedOver
            | Phase::CleaningUp
            | Phase::Done
            | Phase::GivenUp => {}
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), StepError> {
        if self.unwritten {
            self.cx.write(|_| Ok(())).await?;
            self.unwritten = false;
        }
        Ok(())
    }

    /// Whether whoever does not answer has been silent for too long.
    fn is_past(&self, patience: Duration) -> bool {
        self.silent_since.is_some_and(|since| since.elapsed() >= patience)
    }

    async fn carry_out(&mut self, action: Action) -> Result<Event, StepError> {
        match action {
            Action::PrepareDestination => self.prepare().await,
            Action::BeginCopy => self.begin_copy().await,
            Action::WatchCopy => self.watch().await,
            Action::CallOff => self.call_off().await,
            Action::LookAtBoth => {
                self.write().await?;
                self.look().await
            }
            Action::Commit => self.switch_over().await,
            Action::CleanSource => self.clean_source().await,
            Action::ThrowAwayCopy => self.throw_away().await,
            Action::ReviveSource => self.revive().await,
        }
    }

    async fn prepare(&mut self) -> Result<Event, StepError> {
        let Some(request) = self.cx.operation.request.clone() else {
            self.refused(&ApiError::internal("a migration without its VM's description"));
            return Ok(Event::DestinationRefused);
        };
        let command = HostCommand::PrepareIncoming { request };
        let wait = Duration::from_secs(120);
        match self.ask_destination("prepare", command, wait).await? {
            Answer::Said(reply) => {
                self.cx.leave("prepare", &reply);
                Ok(Event::DestinationReady)
            }
            Answer::Refused(failure) => {
                self.refused(&failure.api);
                Ok(Event::DestinationRefused)
            }
            Answer::Gone => Ok(Event::DestinationFenced),
            // Nothing runs there yet, so it is not waited for as long as later.
            Answer::Silent(failure) if self.is_past(self.cx.operation.patience / 6) => {
                self.refused(&failure.api);
                Ok(Event::DestinationRefused)
            }
            Answer::Silent(_) => Ok(Event::ReplyLost),
        }
    }

    async fn begin_copy(&mut self) -> Result<Event, StepError> {
        let Some(command) = self.migrate_out() else {
            self.because("the destination did not say where it waits");
            return Ok(Event::CopyRefused);
        };
        Ok(
            match self.ask_source("move", command, Duration::from_secs(60)).await? {
                Answer::Said(_) => Event::CopyBegun,
                Answer::Refused(failure) => {
                    self.because(&failure.text);
                    Event::CopyRefused
                }
                Answer::Gone => Event::SourceFenced,
                Answer::Silent(_) => Event::ReplyLost,
            },
        )
    }

    /// Asks how far it is, and meanwhile writes what was not written yet.
    async fn watch(&mut self) -> Result<Event, StepError> {
        let cx = self.cx;
        let behind = self.unwritten;
        let untold = self.untold.take();
        let vm = cx.operation.vm_uuid;
        let asked = self.look_at_source(HostCommand::MigrationProgress { vm });
        let noted = async move {
            if behind {
                cx.write(|_| Ok(())).await?;
            }
            if let Some(done) = untold {
                cx.progress(0.05 + done * 0.9).await;
            }
            Ok::<_, StepError>(())
        };
        let (answer, noted) = tokio::join!(asked, noted);
        noted?;
        self.unwritten = false;
        Ok(match answer? {
            Answer::Said(HostReply::Migration(status)) => self.stands(&status),
            // The source's node has been restarted, or the guest is not there: both are looked at.
            Answer::Said(_) | Answer::Refused(_) => Event::CopyFailed,
            Answer::Gone => Event::SourceFenced,
            Answer::Silent(_) => Event::ReplyLost,
        })
    }

    /// What the source's word on its attempt comes to.
    fn stands(&mut self, status: &MigrationStatus) -> Event {
        let figures = status.progress.unwrap_or_default();
        match &status.phase {
            MigrationPhase::Copying => {
                let done = f64::from(figures.percent()) / 100.0;
                if done >= self.told + 0.05 {
                    self.told = done;
                    self.untold = Some(done);
                }
                Event::FoundCopying
            }
            over => {
                self.cx.leave(
                    FIGURES,
                    &Figures {
                        downtime: figures.downtime,
                        elapsed: figures.elapsed,
                        carried: figures.processed.get(),
                        dirty_rate: status.dirty_rate.map(|rate| rate.get()),
                    },
                );
                match over {
                    MigrationPhase::Failed(error) => {
                        tracing::info!(error = %error.text, "the source ended the migration");
                        self.because(&error.text);
                        Event::CopyFailed
                    }
                    _ => {
                        self.source_is_clean = true;
                        Event::DestinationRunning
                    }
                }
            }
        }
    }

    async fn call_off(&mut self) -> Result<Event, StepError> {
        let command = HostCommand::MigrateAbort {
            vm: self.cx.operation.vm_uuid,
        };
        let answer = self.ask_source("abort", command, Duration::from_secs(60)).await?;
        self.called_off = !matches!(answer, Answer::Silent(_));
        Ok(match answer {
            Answer::Said(HostReply::Migration(status)) => self.stands(&status),
            Answer::Said(_) | Answer::Refused(_) => Event::CopyFailed,
            Answer::Gone => Event::SourceFenced,
            Answer::Silent(_) => Event::ReplyLost,
        })
    }

    /// Asks both hosts where the guest is.
    async fn look(&mut self) -> Result<Event, StepError> {
        let destination = self.domain_at_destination().await?;
        if matches!(&destination, Seen::Domain(Some(domain)) if has_arrived(domain)) {
            return Ok(Event::DestinationRunning);
        }
        let vm = self.cx.operation.vm_uuid;
        let attempt = self.look_at_source(HostCommand::MigrationProgress { vm }).await?;
        if let Answer::Said(HostReply::Migration(status)) = &attempt {
            match self.stands(status) {
                Event::CopyFailed => {}
                // It is the destination's word that counts, unless it cannot give it.
                Event::DestinationRunning if matches!(destination, Seen::Domain(_)) => {}
                other => return Ok(other),
            }
        }
        let source = match attempt {
            Answer::Silent(_) => Seen::Nothing,
            Answer::Gone => Seen::Domain(None),
            Answer::Said(_) | Answer::Refused(_) => self.domain_at_source().await?,
        };
        let too_long = self.is_past(self.cx.operation.patience);
        Ok(match (source, destination) {
            (Seen::Domain(Some(_)), Seen::Domain(_)) => Event::FoundOnSource,
            // Without an attempt, what the source has is the guest; throwing the copy away must wait for the other.
            (Seen::Domain(Some(_)), Seen::Nothing) if too_long => Event::FoundOnSource,
            (Seen::Domain(None), Seen::Domain(_)) => {
                // It may have arrived between the two looks.
                match self.domain_at_destination().await? {
                    Seen::Domain(Some(domain)) if has_arrived(&domain) => Event::DestinationRunning,
                    Seen::Domain(_) => Event::FoundNowhere,
                    Seen::Nothing => Event::ReplyLost,
                }
            }
            (Seen::Nothing, Seen::Domain(_)) if too_long => Event::SourceSilent,
            _ => Event::ReplyLost,
        })
    }

    /// The switch-over in an entry of its own, because the source has to be cleaned yet.
    async fn switch_over(&mut self) -> Result<Event, StepError> {
        let (vm, way) = (self.cx.operation.vm, self.cx.operation.way());
        self.cx.leave(PHASE, &Phase::CleaningUp.name());
        let mut refused = None;
        self.cx
            .write(|d| {
                refused = vm_power::switch_over(d, vm, way).err();
                Ok(())
            })
            .await?;
        // It is a third host's by now; what the destination has is a stray, and is ended as one.
        refused.map_or(Ok(Event::Committed), |error| Err(StepError::Failed(error)))
    }

    async fn clean_source(&mut self) -> Result<Event, StepError> {
        let command = HostCommand::DestroyDomain {
            vm: self.cx.operation.vm_uuid,
        };
        let answer = self.ask_source("clean", command, Duration::from_secs(60)).await?;
        Ok(match answer {
            Answer::Said(_) => Event::SourceCleaned,
            Answer::Gone => Event::SourceFenced,
            Answer::Silent(_) if self.is_past(self.cx.operation.patience) => Event::SourceSilent,
            Answer::Silent(_) => Event::ReplyLost,
            Answer::Refused(failure) => {
                tracing::warn!(error = %failure.text, "what is left on the source does not go");
                if self.is_past(self.cx.operation.patience) {
                    Event::SourceSilent
                } else {
                    Event::ReplyLost
                }
            }
        })
    }

    async fn throw_away(&mut self) -> Result<Event, StepError> {
        let vm = self.cx.operation.vm_uuid;
        let command = HostCommand::CancelIncoming { vm };
        // Each time afresh: what was true of the last time need not be of this one.
        let answer = self.look_at_destination(command, Duration::from_secs(20)).await?;
        match answer {
            Answer::Said(HostReply::ThrownAway { had_run: true }) => {
                self.cx.leave(MAY_HAVE_RUN, &true);
                Ok(Event::CopyThrownAway)
            }
            Answer::Said(_) => match self.has_stayed_up().await? {
                Some(stayed) => {
                    self.cx.leave(MAY_HAVE_RUN, &!stayed);
                    Ok(Event::CopyThrownAway)
                }
                None => Ok(Event::ReplyLost),
            },
            Answer::Gone => {
                self.cx.leave(MAY_HAVE_RUN, &true);
                Ok(Event::DestinationFenced)
            }
            Answer::Refused(failure)
                if failure.kind == Some(CommandErrorKind::Hypervisor(ErrorKind::WrongState)) =>
            {
                Ok(Event::DestinationRunning)
            }
            Answer::Refused(_) | Answer::Silent(_) if self.is_past(self.cx.operation.patience) => {
                self.settle_at_source().await
            }
            Answer::Refused(_) | Answer::Silent(_) => Ok(Event::ReplyLost),
        }
    }

    /// The destination is silent: a guest that runs on the source, with nothing under way there, has never left.
    async fn settle_at_source(&mut self) -> Result<Event, StepError> {
        let vm = self.cx.operation.vm_uuid;
        let ended = self.look_at_source(HostCommand::MigrateAbort { vm }).await?;
        let nothing_under_way = match &ended {
            Answer::Said(HostReply::Migration(status)) => {
                matches!(status.phase, MigrationPhase::Failed(_))
            }
            Answer::Refused(failure) => failure.kind == Some(CommandErrorKind::NoSuchMigration),
            _ => false,
        };
        Ok(match self.domain_at_source().await? {
            Seen::Domain(Some(domain)) if nothing_under_way && domain.state == DomainState::Running => {
                Event::SourceRunsAlone
            }
            _ => Event::ReplyLost,
        })
    }

    /// Whether the destination runs since before it was asked for anything; `None` if it does not say.
    async fn has_stayed_up(&self) -> Result<Option<bool>, StepError> {
        let Some(before) = self.cx.operation.target_booted else {
            return Ok(Some(true));
        };
        let wait = Duration::from_secs(10);
        Ok(match self.look_at_destination(HostCommand::Facts, wait).await? {
            Answer::Said(HostReply::Facts(facts)) => Some(facts.booted.abs_diff(before) < SAME_BOOT),
            Answer::Gone => Some(false),
            Answer::Said(_) => Some(true),
            Answer::Refused(_) | Answer::Silent(_) if self.is_past(self.cx.operation.patience) => Some(false),
            Answer::Refused(_) | Answer::Silent(_) => None,
        })
    }

    async fn revive(&mut self) -> Result<Event, StepError> {
        let vm = self.cx.operation.vm_uuid;
        let may_have_run = self.cx.left(MAY_HAVE_RUN) == Some(true);
        let command = if may_have_run {
            match self.domain_at_source().await? {
                // Unseen it must not go on, nor be left to whoever sees it later and does not know what is known here:
                // nobody but the source can say what it has.
                Seen::Nothing => return Ok(Event::ReplyLost),
                Seen::Domain(None) => return Ok(Event::SourceGoesOn),
                Seen::Domain(Some(domain)) if domain.state == DomainState::Paused(PauseReason::Migrating) => {
                    // What it wrote there is on its disks, and the memory here knows nothing of it.
                    self.because(
                        "the guest came to its end on the destination, where it may have run already",
                    );
                    HostCommand::DestroyDomain { vm }
                }
                Seen::Domain(Some(_)) => HostCommand::ReviveDomain { vm },
            }
        } else {
            HostCommand::ReviveDomain { vm }
        };
        let answer = self.look_at_source(command).await?;
        Ok(match answer {
            Answer::Said(_) => Event::SourceGoesOn,
            Answer::Gone => Event::SourceFenced,
            Answer::Refused(_) | Answer::Silent(_)
                if !may_have_run && self.is_past(self.cx.operation.patience) =>
            {
                Event::SourceSilent
            }
            Answer::Refused(_) | Answer::Silent(_) => Event::ReplyLost,
        })
    }

    async fn domain_at_destination(&self) -> Result<Seen, StepError> {
        let vm = self.cx.operation.vm_uuid;
        let command = HostCommand::DomainState { vm };
        Ok(Seen::of(
            self.look_at_destination(command, Duration::from_secs(5)).await?,
        ))
    }

    async fn domain_at_source(&self) -> Result<Seen, StepError> {
        let vm = self.cx.operation.vm_uuid;
        Ok(Seen::of(
            self.look_at_source(HostCommand::DomainState { vm }).await?,
        ))
    }

    fn because(&self, reason: &str) {
        self.cx.leave(REASON, &reason);
    }

    fn refused(&self, error: &ApiError) {
        self.cx.leave(REFUSAL, &error.description());
    }

    /// The client's error.
    fn why(&self) -> ApiError {
        let op = &self.cx.operation;
        if self.cx.is_cancelled() {
            return ApiError::new("TASK_CANCELLED", [self.cx.task.to_string()]);
        }
        if let Some((code, params)) = self
            .cx
            .left::<Vec<String>>(REFUSAL)
            .as_deref()
            .and_then(<[String]>::split_first)
        {
            return ApiError {
                code: code.clone().into(),
                params: params.to_vec(),
            };
        }
        let reason: String = self
            .cx
            .left(REASON)
            .unwrap_or_else(|| "the guest stayed on its host".to_owned());
        let params: [Ref; 3] = [op.vm, op.source, op.target];
        ApiError::new(
            "VM_MIGRATE_FAILED",
            params.into_iter().map(|r| r.to_string()).chain([reason]),
        )
    }
}

/// What a host has of the guest.
enum Seen {
    /// It answered; a host that is known to be down has nothing.
    Domain(Option<Domain>),
    /// It did not answer.
    Nothing,
}

impl Seen {
    fn of(answer: Answer) -> Seen {
        match answer {
            Answer::Said(HostReply::Domain(domain)) => Seen::Domain(domain),
            Answer::Gone => Seen::Domain(None),
            Answer::Said(_) | Answer::Refused(_) | Answer::Silent(_) => Seen::Nothing,
        }
    }
}
