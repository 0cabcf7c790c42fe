//! What holds of attempts that are told to save their state.

use super::*;
use shared::protocol::CheckpointRef;

/// Shorter than a session may be silent.
const LIMIT: Duration = Duration::from_secs(10);

fn state() -> CheckpointRef {
    CheckpointRef { manifest: Digest([7; 32]), bytes: 9 }
}

fn checkpoint(attempt: Attempt) -> FromCoordinator {
    FromCoordinator::Checkpoint { attempt, deadline_ms: LIMIT.as_millis() as u64 }
}

fn resumed(attempt: Attempt) -> Effect {
    Effect::Send(FromWorker::Resumed { attempt })
}

fn stored(attempt: Attempt) -> Event {
    Event::Stored { attempt, state: Ok(state()) }
}

/// One attempt that runs and can save its state.
fn running() -> (Bench, Attempt) {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    let limits = Timeouts { run_s: Some(20.0), ..Timeouts::default() };
    let spec = TaskSpec { checkpointable: true, timeouts: limits, ..TaskSpec::new("t", Work::Command(vec!["x".into()])) };
    let FromCoordinator::Start(first) = command(one) else { unreachable!("it is an order to start") };
    bench.hear(FromCoordinator::Start(Start { spec: Arc::new(spec), ..first }));
    bench.step(Event::Started { attempt: one });
    (bench, one)
}

fn standing() -> (Bench, Attempt) {
    let (mut bench, one) = running();
    let until = bench.now + LIMIT;
    assert_eq!(bench.hear(checkpoint(one)), [Effect::Save { attempt: one, until }]);
    assert_eq!(bench.step(Event::Stopped { attempt: one, is_saved: true }), [Effect::Store { attempt: one }]);
    let told = Effect::Send(FromWorker::Quiesced { attempt: one, checkpoint: state() });
    assert_eq!(bench.step(stored(one)), std::slice::from_ref(&told));
    assert_eq!(bench.hear(checkpoint(one)), [told], "asked again, it says so again");
    (bench, one)
}

#[test]
fn an_attempt_that_stands_still_ends_as_saved() {
    let (mut bench, one) = standing();
    let effects = bench.hear(FromCoordinator::Cancel { attempt: one, grace_ms: 0 });
    assert_eq!(effects, [end(one, Duration::ZERO, Reason::Saved)]);
    assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Saved)]);
}

#[test]
fn an_attempt_that_is_cancelled_before_its_state_is_there_is_cancelled() {
    let (mut bench, one) = running();
    bench.hear(checkpoint(one));
    bench.step(Event::Stopped { attempt: one, is_saved: true });
    bench.hear(FromCoordinator::Cancel { attempt: one, grace_ms: 0 });
    assert_eq!(bench.step(stored(one)), [], "what is being ended stands still no more");
    assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Cancelled)]);
}

#[test]
fn no_order_by_the_deadline_or_the_word_to_go_on_starts_it_again() {
    let (mut bench, one) = standing();
    bench.now = bench.now + LIMIT;
    let effects = bench.step(Event::Woke);
    assert!(effects.contains(&Effect::Resume { attempt: one }) && effects.contains(&resumed(one)), "{effects:?}");
    let (mut bench, one) = standing();
    let effects = bench.hear(FromCoordinator::Resume { attempt: one });
    assert_eq!(effects, [Effect::Resume { attempt: one }, resumed(one)]);
    assert_eq!(inventory(&bench.reconnect()).attempts[0].state, HeldState::Running);
}

#[test]
fn what_does_not_save_by_the_deadline_goes_on() {
    let (mut bench, one) = running();
    bench.hear(checkpoint(one));
    bench.step(Event::Disconnected);
    bench.now = bench.now + LIMIT;
    assert!(bench.step(Event::Woke).contains(&Effect::Resume { attempt: one }));
    assert_eq!(bench.step(Event::Stopped { attempt: one, is_saved: true }), [], "the runner was told that it goes on");
}

#[test]
fn a_result_that_races_the_order_counts() {
    let (mut bench, one) = running();
    bench.hear(checkpoint(one));
    assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Passed)]);
}

#[test]
fn what_was_ended_by_the_order_without_saving_begins_again() {
    let (mut bench, one) = running();
    bench.hear(checkpoint(one));
    let effects = bench.step(Event::Stopped { attempt: one, is_saved: false });
    assert_eq!(effects[1..], [Effect::Resume { attempt: one }, resumed(one)]);
}

#[test]
fn a_state_that_cannot_be_sent_leaves_the_attempt_here() {
    let (mut bench, one) = running();
    bench.hear(checkpoint(one));
    bench.step(Event::Stopped { attempt: one, is_saved: true });
    let effects = bench.step(Event::Stored { attempt: one, state: Err("the store is full".into()) });
    assert_eq!(effects[1..], [Effect::Resume { attempt: one }, resumed(one)]);
}

#[test]
fn what_cannot_save_says_so_at_once() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    assert_eq!(bench.hear(checkpoint(one)), [resumed(one)]);
}

#[test]
fn standing_still_costs_nothing_of_the_time_an_attempt_has() {
    let (mut bench, one) = running();
    bench.now = bench.now + Duration::from_secs(12);
    bench.hear(checkpoint(one));
    bench.step(Event::Stopped { attempt: one, is_saved: true });
    bench.step(stored(one));
    bench.now = bench.now + Duration::from_secs(8);
    bench.hear(FromCoordinator::Resume { attempt: one });
    let again = bench.now;
    while !bench.wake().iter().any(|effect| matches!(effect, Effect::End { .. })) {}
    assert_eq!(bench.now.since(again), Duration::from_secs(8), "12 of its 20 s were used before");
}

#[test]
fn a_new_session_is_told_what_stands_still_and_a_new_life_sends_its_state_again() {
    let (mut bench, one) = standing();
    let effects = bench.reconnect();
    assert_eq!(inventory(&effects).attempts[0].state, HeldState::Quiesced);
    assert!(sent(&effects).contains(&&FromWorker::Quiesced { attempt: one, checkpoint: state() }));
    let found = Found::Running { since: Time::ZERO, heard: Time::ZERO, save_until: Some(bench.now + LIMIT) };
    let held = Held { attempt: one, limits: Timeouts::default(), can_save: true, found, tests: Vec::new(), log_bytes: 0 };
    let mut bench = Bench::new(vec![held]);
    assert!(bench.step(Event::Stopped { attempt: one, is_saved: true }).contains(&Effect::Store { attempt: one }));
    bench.is_dialled = true;
    bench.connect();
    assert!(matches!(bench.step(stored(one))[..], [Effect::Send(FromWorker::Quiesced { .. })]));
}
