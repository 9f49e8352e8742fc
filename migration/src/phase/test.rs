//! The table against a small world in which hosts act, replies get lost and leaders change at any moment.

use proptest::prelude::*;

use super::*;

/// What is true on the two hosts, whatever the leader believes.
#[derive(Clone, Debug, PartialEq)]
struct World {
    source_runs: bool,
    source_paused: bool,
    destination_runs: bool,
    destination_holds: bool,
    copy: Copy,
    resides_on_destination: bool,
    source_fenced: bool,
    destination_fenced: bool,
    guest_ended: bool,
    source_was_silent: bool,
    destination_was_silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Copy {
    Never,
    UnderWay,
    Failed,
    Arrived,
}

/// What chance decides in one step.
#[derive(Clone, Copy, Debug)]
enum Chance {
    /// The action is carried out and the answer arrives.
    Answered,
    /// The action is carried out and the answer is lost.
    AnswerLost,
    /// The action never reaches the host.
    RequestLost,
    /// A new leader takes over, and reads the phase from the log.
    NewLeader,
    /// The copy arrives.
    CopyArrives,
    /// The copy fails by itself.
    CopyBreaks,
    /// The copy fails in its last step and leaves the source's guest paused.
    CopyBreaksLate,
    /// The copy arrives, and the source's guest is left there paused.
    CopyArrivesUnheard,
    /// The guest powers off.
    GuestEnds,
    /// The client calls it off.
    Cancel,
    /// The source dies and is fenced.
    SourceDies,
    /// The destination dies and is fenced.
    DestinationDies,
    /// The destination refuses what it is asked next.
    Refused,
    /// The source does not answer for so long that the leader goes on without it.
    SourceSilent,
    /// The same of the destination.
    DestinationSilent,
}

impl World {
    fn new() -> World {
        World {
            source_runs: true,
            source_paused: false,
            destination_runs: false,
            destination_holds: false,
            copy: Copy::Never,
            resides_on_destination: false,
            source_fenced: false,
            destination_fenced: false,
            guest_ended: false,
            source_was_silent: false,
            destination_was_silent: false,
        }
    }

    /// Things that happen by themselves.
    fn happens(&mut self, chance: Chance) {
        match chance {
            Chance::CopyArrives
                if self.copy == Copy::UnderWay && self.source_runs && self.destination_holds =>
            {
                self.copy = Copy::Arrived;
                self.source_runs = false;
                self.destination_runs = true;
            }
            Chance::CopyBreaks if self.copy == Copy::UnderWay => {
                self.copy = Copy::Failed;
            }
            Chance::CopyBreaksLate if self.copy == Copy::UnderWay && self.source_runs => {
                self.copy = Copy::Failed;
                self.source_runs = false;
                self.source_paused = true;
            }
            Chance::CopyArrivesUnheard
                if self.copy == Copy::UnderWay && self.source_runs && self.destination_holds =>
            {
                self.copy = Copy::Failed;
                self.source_runs = false;
                self.source_paused = true;
                self.destination_runs = true;
            }
            Chance::GuestEnds if !self.guest_ended => {
                self.guest_ended = true;
                self.source_runs = false;
                self.source_paused = false;
                self.destination_runs = false;
                if self.copy == Copy::UnderWay {
                    self.copy = Copy::Failed;
                }
            }
            Chance::SourceDies => {
                self.source_fenced = true;
                self.source_runs = false;
                self.source_paused = false;
                if self.copy == Copy::UnderWay {
                    self.copy = Copy::Failed;
                }
            }
            Chance::DestinationDies => {
                self.destination_fenced = true;
                self.destination_runs = false;
                self.destination_holds = false;
                if self.copy == Copy::UnderWay {
                    self.copy = Copy::Failed;
                }
            }
            _ => {}
        }
    }

    /// Carries an action out and says what the host answers.
    fn carry_out(&mut self, action: Action, refused: bool) -> Event {
        match action {
            Action::PrepareDestination if self.destination_fenced => Event::DestinationFenced,
            Action::PrepareDestination if refused => Event::DestinationRefused,
            Action::PrepareDestination => {
                self.destination_holds = true;
                Event::DestinationReady
            }
            Action::BeginCopy if self.source_fenced => Event::SourceFenced,
            Action::BeginCopy => match self.copy {
                Copy::UnderWay => Event::CopyBegun,
                _ if !self.source_runs => Event::CopyRefused,
                _ if self.destination_fenced => Event::CopyRefused,
                Copy::Never | Copy::Failed | Copy::Arrived => {
                    self.copy = Copy::UnderWay;
                    Event::CopyBegun
                }
            },
            Action::WatchCopy if self.source_fenced => Event::SourceFenced,
            Action::CallOff if self.source_fenced => Event::SourceFenced,
            Action::WatchCopy => match self.copy {
                Copy::UnderWay => Event::FoundCopying,
                Copy::Arrived => Event::DestinationRunning,
                Copy::Never | Copy::Failed => Event::CopyFailed,
            },
            Action::CallOff => match self.copy {
                Copy::Arrived => Event::DestinationRunning,
                Copy::Never | Copy::Failed | Copy::UnderWay => {
                    if self.copy == Copy::UnderWay {
                        self.copy = Copy::Failed;
                    }
                    Event::CopyFailed
                }
            },
            Action::LookAtBoth => {
                if self.destination_runs {
                    Event::DestinationRunning
                } else if self.copy == Copy::UnderWay {
                    Event::FoundCopying
                } else if self.source_runs || self.source_paused {
                    Event::FoundOnSource
                } else {
                    Event::FoundNowhere
                }
            }
            Action::Commit => {
                self.resides_on_destination = true;
                Event::Committed
            }
            Action::CleanSource if self.source_fenced => Event::SourceFenced,
            Action::CleanSource => {
                assert!(!self.source_runs, "cleaned away a guest that runs");
                self.source_paused = false;
                Event::SourceCleaned
            }
            Action::ThrowAwayCopy if self.destination_fenced => Event::DestinationFenced,
            Action::ThrowAwayCopy if self.destination_runs => Event::DestinationRunning,
            Action::ThrowAwayCopy => {
                // An attempt that a silent source still makes finds its tunnels cut.
                self.destination_holds = false;
                if self.copy == Copy::UnderWay {
                    self.copy = Copy::Failed;
                }
                Event::CopyThrownAway
            }
            Action::ReviveSource if self.source_fenced => Event::SourceFenced,
            Action::ReviveSource => {
                if self.source_paused {
                    self.source_runs = true;
                    self.source_paused = false;
                }
                Event::SourceGoesOn
            }
        }
    }
}

struct Leader {
    phase: Phase,
    action: Option<Action>,
}

impl Leader {
    fn hears(&mut self, event: Event) {
        if let Some((phase, action)) = self.phase.on(&event) {
            self.phase = phase;
            self.action = action;
        } else if self.action.is_none() {
            self.action = self.phase.resume();
        }
    }
}

fn step(world: &mut World, leader: &mut Leader, chance: Chance) {
    match chance {
        Chance::Answered | Chance::Refused => {
            if let Some(action) = leader.action {
                let answer = world.carry_out(action, matches!(chance, Chance::Refused));
                leader.hears(answer);
            }
        }
        Chance::AnswerLost => {
            if let Some(action) = leader.action {
                world.carry_out(action, false);
                leader.hears(Event::ReplyLost);
            }
        }
        Chance::RequestLost => {
            if leader.action.is_some() {
                leader.hears(Event::ReplyLost);
            }
        }
        Chance::SourceSilent => match leader.action {
            Some(Action::LookAtBoth) if world.destination_runs => leader.hears(Event::DestinationRunning),
            Some(Action::LookAtBoth | Action::ReviveSource | Action::CleanSource) => {
                world.source_was_silent = true;
                leader.hears(Event::SourceSilent);
            }
            _ => {}
        },
        Chance::DestinationSilent => {
            if leader.action == Some(Action::ThrowAwayCopy) && world.source_runs && !world.source_fenced {
                // The source is asked to call off what it may still do, before its word counts.
                if world.copy == Copy::UnderWay {
                    world.copy = Copy::Failed;
                }
                world.destination_was_silent = true;
                leader.hears(Event::SourceRunsAlone);
            }
        }
        Chance::NewLeader => leader.action = leader.phase.resume(),
        Chance::Cancel => leader.hears(Event::CancelWanted),
        other => world.happens(other),
    }
}

fn check(world: &World, leader: &Leader) {
    assert!(
        !(world.source_runs && world.destination_runs),
        "two of them: {world:?}"
    );
    match leader.phase {
        Phase::Done => {
            assert!(world.resides_on_destination, "done without saying so");
            assert!(!world.source_runs);
            assert!(
                !world.source_paused || world.source_was_silent,
                "remains on the source"
            );
        }
        Phase::GivenUp => {
            assert!(
                !world.source_paused || world.source_was_silent,
                "left paused: {world:?}"
            );
            assert!(
                !world.resides_on_destination && !world.destination_runs,
                "{world:?}"
            );
            assert!(
                !world.destination_holds || world.destination_was_silent,
                "{world:?}"
            );
            assert!(
                world.source_runs
                    || world.source_paused
                    || world.guest_ended
                    || world.source_fenced
                    || world.destination_fenced,
                "the guest was lost: {world:?}"
            );
        }
        _ => {}
    }
    if world.resides_on_destination {
        assert!(leader.phase.is_past_return(), "back after the point of no return");
    }
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        8 => Just(Chance::Answered),
        2 => Just(Chance::AnswerLost),
        2 => Just(Chance::RequestLost),
        2 => Just(Chance::NewLeader),
        3 => Just(Chance::CopyArrives),
        1 => Just(Chance::CopyBreaks),
        1 => Just(Chance::CopyBreaksLate),
        1 => Just(Chance::CopyArrivesUnheard),
        1 => Just(Chance::GuestEnds),
        1 => Just(Chance::Cancel),
        1 => Just(Chance::SourceDies),
        1 => Just(Chance::DestinationDies),
        1 => Just(Chance::Refused),
        1 => Just(Chance::SourceSilent),
        1 => Just(Chance::DestinationSilent),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop::sample::select(vec![
        Event::DestinationReady,
        Event::DestinationRefused,
        Event::CopyBegun,
        Event::CopyRefused,
        Event::CopyFailed,
        Event::DestinationRunning,
        Event::ReplyLost,
        Event::FoundCopying,
        Event::FoundOnSource,
        Event::FoundNowhere,
        Event::CancelWanted,
        Event::SourceFenced,
        Event::DestinationFenced,
        Event::Committed,
        Event::SourceCleaned,
        Event::CopyThrownAway,
        Event::SourceGoesOn,
        Event::SourceSilent,
        Event::SourceRunsAlone,
    ])
}

/// Later phases have higher ranks; an end is highest.
fn rank(phase: Phase) -> u8 {
    match phase {
        Phase::Planned => 0,
        Phase::Prepared => 1,
        Phase::Copying => 2,
        Phase::GivingUp => 3,
        Phase::Reviving | Phase::SwitchedOver => 4,
        Phase::CleaningUp => 5,
        Phase::Done | Phase::GivenUp => 6,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn there_is_never_more_than_one_owner_and_it_ends_once_faults_stop(chances in prop::collection::vec(chance(), 0..40)) {
        let mut world = World::new();
        let mut leader = Leader { phase: Phase::Planned, action: Phase::Planned.resume() };
        for chance in chances {
            step(&mut world, &mut leader, chance);
            check(&world, &leader);
            if leader.phase.is_end() { break; }
        }
        // No more faults: the copy arrives, all answers come.
        for _ in 0..20 {
            step(&mut world, &mut leader, Chance::Answered);
            check(&world, &leader);
            step(&mut world, &mut leader, Chance::CopyArrives);
            check(&world, &leader);
            if leader.phase.is_end() { break; }
        }
        prop_assert!(leader.phase.is_end(), "still {:?} in {world:?}", leader.phase);
    }

    #[test]
    fn no_sequence_of_events_goes_back(events in prop::collection::vec(event(), 0..60)) {
        let mut phase = Phase::Planned;
        for event in events {
            let Some((next, action)) = phase.on(&event) else { continue };
            prop_assert!(rank(next) >= rank(phase), "{phase:?} on {event:?} to {next:?}");
            prop_assert!(!phase.is_past_return() || next.is_past_return());
            prop_assert_eq!(action.is_none(), next.is_end(), "{:?} on {:?}", phase, event);
            phase = next;
        }
    }
}

#[test]
fn ends_are_ends() {
    for end in [Phase::Done, Phase::GivenUp] {
        assert_eq!(end.on(&Event::DestinationRunning), None);
        assert_eq!(end.on(&Event::ReplyLost), None);
        assert_eq!(end.resume(), None);
    }
}

#[test]
fn every_phase_has_its_own_name() {
    for phase in Phase::ALL {
        assert_eq!(Phase::by_name(phase.name()), Some(phase));
    }
}
