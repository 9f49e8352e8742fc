//! The table of a migration's phases.
//!
//! ```text
//!            before the guest runs on the destination            │  after: only forward
//!                                                                │
//! Planned ── ready ──► Prepared ── begun ──► Copying ── arrived ─┼─► SwitchedOver ── committed ──► CleaningUp ──► Done
//!    │ refused            │ refused             │ looked: it     │        ▲
//!    ▼                    ▼                     ▼ stayed, it ended        │ arrived after all
//!  GivingUp ◄─────────────┴─────────────────────┘ ────────────────────────┘
//!    └── thrown away ──► Reviving ── goes on ──► GivenUp         │
//! ```
//! A reply that is lost, and an attempt that the source calls failed, say nothing about where the guest is: both lead to
//! [`Action::LookAtBoth`], and only what is found there decides.
//!
//! A host that stays silent does not hold a migration for ever, as long as the other one can settle it alone: a
//! destination that has thrown its place away can receive nothing any more, and a source that runs the guest with no
//! attempt under way has never let it go. Where neither can say, it waits.

use serde::{Deserialize, Serialize};

/// Where a migration stands. Written to the pool's log with each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Decided; no host has been asked for anything, or the destination has not answered yet.
    Planned,
    /// The destination has the bridges, disks and the place; the source is asked to begin.
    Prepared,
    /// Memory travels. The guest runs on the source, or is in the moment of changing over.
    Copying,
    /// The guest runs on the destination; the pool's database is about to say so.
    SwitchedOver,
    /// The database says so; the source lets go of disks and remains.
    CleaningUp,
    /// It runs on the destination and nothing is left on the source. The end.
    Done,
    /// It stays on the source; what the destination holds for it is thrown away.
    GivingUp,
    /// Nothing is left on the destination; the source's guest goes on, should the attempt have left it paused.
    Reviving,
    /// It is where it was, and nothing is left on the destination. The end.
    GivenUp,
}

/// What became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// The destination is ready.
    DestinationReady,
    /// The destination cannot take it; it holds at most remains.
    DestinationRefused,
    /// The source has begun.
    CopyBegun,
    /// The source has not begun and will not: it answered so.
    CopyRefused,
    /// The source says the attempt has ended without success. Its guest is most probably where it was.
    CopyFailed,
    /// The guest runs on the destination: the destination said so, or the source said it has gone there.
    DestinationRunning,
    /// No answer to the last action; it may or may not have been carried out.
    ReplyLost,
    /// Looked: the source still copies.
    FoundCopying,
    /// Looked: the guest is on the source (running, or paused by an attempt cut off in its last step), no attempt is
    /// under way there, and the destination does not run it.
    FoundOnSource,
    /// Looked: it runs on neither and the source has no attempt under way: the guest ended meanwhile.
    FoundNowhere,
    /// The source has been silent for long; the destination, as far as it was asked, does not run the guest.
    SourceSilent,
    /// The destination has been silent for long; the source runs the guest, and no attempt is under way there.
    SourceRunsAlone,
    /// The client wants it called off.
    CancelWanted,
    /// The source is known to be fenced: whatever ran there runs no more.
    SourceFenced,
    /// The destination is known to be fenced.
    DestinationFenced,
    /// The database says that the VM resides on the destination.
    Committed,
    /// Nothing is left on the source.
    SourceCleaned,
    /// Nothing is left on the destination.
    CopyThrownAway,
    /// The source's guest goes on, or had ended by itself.
    SourceGoesOn,
}

/// What is to be done next. Each is idempotent, and is repeated by a new leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Ask the destination to get ready.
    PrepareDestination,
    /// Ask the source to begin.
    BeginCopy,
    /// Ask the source how far it is, until that changes.
    WatchCopy,
    /// Ask the source to call it off. The answer says how it ended, which may be: too late.
    CallOff,
    /// Ask both hosts where the guest is. A fenced host holds nothing; one that does not answer must answer, or be
    /// fenced, first.
    LookAtBoth,
    /// Write `resident_on` in one log entry.
    Commit,
    /// Make the source let go of what is left there.
    CleanSource,
    /// Make the destination let go of its half copy; a running guest it must not touch.
    ThrowAwayCopy,
    /// Make the source's guest go on if an attempt has left it paused. Only once the destination holds nothing.
    ReviveSource,
}

impl Phase {
    /// What follows an event: the next phase and what to do in it.
    ///
    /// `None` means that the event changes nothing in this phase (it is late, or repeated): go on as before.
    pub fn on(self, event: &Event) -> Option<(Phase, Option<Action>)> {
        use Action as A;
        use Event as E;
        use Phase as P;
        let next = match (self, event) {
            // The guest on the destination is a fact in every phase that still waits for it: only forward from here.
            (P::Prepared | P::Copying | P::GivingUp, E::DestinationRunning) => {
                (P::SwitchedOver, Some(A::Commit))
            }

            (P::Planned, E::DestinationReady) => (P::Prepared, Some(A::BeginCopy)),
            (P::Planned, E::ReplyLost) => (P::Planned, Some(A::PrepareDestination)),
            (P::Planned, E::DestinationRefused | E::CancelWanted | E::SourceFenced) => {
                (P::GivingUp, Some(A::ThrowAwayCopy))
            }
            (P::Planned, E::DestinationFenced) => (P::GivenUp, None),

            (P::Prepared, E::CopyBegun | E::FoundCopying) => (P::Copying, Some(A::WatchCopy)),
            (P::Prepared, E::CopyRefused | E::FoundNowhere) => (P::GivingUp, Some(A::ThrowAwayCopy)),
            // A new leader looked, and it had not begun: it begins.
            (P::Prepared, E::FoundOnSource) => (P::Prepared, Some(A::BeginCopy)),
            // It may have begun, so from here on it is treated as begun.
            (P::Prepared, E::ReplyLost | E::CopyFailed) => (P::Copying, Some(A::LookAtBoth)),
            (P::Prepared | P::Copying, E::CancelWanted) => (P::Copying, Some(A::CallOff)),

            (P::Copying, E::CopyFailed | E::ReplyLost) => (P::Copying, Some(A::LookAtBoth)),
            (P::Copying, E::FoundCopying) => (P::Copying, Some(A::WatchCopy)),
            (P::Copying, E::FoundOnSource | E::FoundNowhere) => (P::GivingUp, Some(A::ThrowAwayCopy)),
            // Whatever the source still does, a place that is gone receives nothing.
            (P::Prepared | P::Copying, E::SourceSilent) => (P::GivingUp, Some(A::ThrowAwayCopy)),
            // It may have gone over just before: what the other host has decides.
            (P::Prepared | P::Copying, E::SourceFenced | E::DestinationFenced) => {
                (P::Copying, Some(A::LookAtBoth))
            }

            (P::SwitchedOver, E::ReplyLost) => (P::SwitchedOver, Some(A::Commit)),
            (P::SwitchedOver, E::Committed) => (P::CleaningUp, Some(A::CleanSource)),

            (P::CleaningUp, E::ReplyLost) => (P::CleaningUp, Some(A::CleanSource)),
            // A silent source cleans up when it comes back: its records no longer name the guest.
            (P::CleaningUp, E::SourceCleaned | E::SourceFenced | E::SourceSilent) => (P::Done, None),

            (P::GivingUp, E::ReplyLost) => (P::GivingUp, Some(A::ThrowAwayCopy)),
            (P::GivingUp, E::CopyThrownAway | E::DestinationFenced | E::SourceRunsAlone) => {
                (P::Reviving, Some(A::ReviveSource))
            }

            (P::Reviving, E::ReplyLost) => (P::Reviving, Some(A::ReviveSource)),
            (P::Reviving, E::SourceGoesOn | E::SourceFenced | E::SourceSilent) => (P::GivenUp, None),
            _ => return None,
        };
        Some(next)
    }

    /// What a new leader does that finds a migration in this phase; `None` at the end.
    pub fn resume(self) -> Option<Action> {
        match self {
            Phase::Planned => Some(Action::PrepareDestination),
            // The source may have begun, and even ended, without anybody having heard.
            Phase::Prepared | Phase::Copying => Some(Action::LookAtBoth),
            Phase::SwitchedOver => Some(Action::Commit),
            Phase::CleaningUp => Some(Action::CleanSource),
            Phase::GivingUp => Some(Action::ThrowAwayCopy),
            Phase::Reviving => Some(Action::ReviveSource),
            Phase::Done | Phase::GivenUp => None,
        }
    }

    /// Whether nothing more follows.
    pub fn is_end(self) -> bool {
        matches!(self, Phase::Done | Phase::GivenUp)
    }

    /// Whether the guest is known to run on the destination, so that there is no way back.
    pub fn is_past_return(self) -> bool {
        matches!(self, Phase::SwitchedOver | Phase::CleaningUp | Phase::Done)
    }

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Planned => "planned",
            Phase::Prepared => "prepared",
            Phase::Copying => "copying",
            Phase::SwitchedOver => "switched_over",
            Phase::CleaningUp => "cleaning_up",
            Phase::Done => "done",
            Phase::GivingUp => "giving_up",
            Phase::Reviving => "reviving",
            Phase::GivenUp => "given_up",
        }
    }

    /// The phase by its name in the log.
    pub fn by_name(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// All phases.
    pub const ALL: [Phase; 9] = [
        Phase::Planned,
        Phase::Prepared,
        Phase::Copying,
        Phase::SwitchedOver,
        Phase::CleaningUp,
        Phase::Done,
        Phase::GivingUp,
        Phase::Reviving,
        Phase::GivenUp,
    ];
}

#[cfg(test)]
mod test;
