//! What holds of attempts, their output and their results.

use super::*;

#[test]
fn an_attempt_is_started_once_and_its_result_is_kept_until_acknowledged() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    assert_eq!(bench.hear(command(one)), [], "the same attempt twice is ignored");
    let effects = bench.step(ended(one, 0));
    assert!(matches!(effects[..], [Effect::Send(FromWorker::Finished { .. })]), "{effects:?}");
    assert_eq!(finished(&bench.hear(command(one))), [(one, Ended::Passed)], "a result that is still here is told again");
    assert_eq!(inventory(&bench.reconnect()).results.len(), 1);
    let effects = bench.hear(FromCoordinator::ResultAck { attempt: one, answer: ResultAnswer::Recorded });
    assert_eq!(effects, [Effect::Forget { attempt: one }, Effect::Discard { attempt: one }]);
    assert_eq!(inventory(&bench.reconnect()).results.len(), 0);
}

#[test]
fn a_noop_passes_at_once_and_touches_no_disk() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    let effects = bench.hear(start(one, Work::Noop, Timeouts::default()));
    assert!(matches!(effects[..], [Effect::Send(FromWorker::Started { .. }), Effect::Send(FromWorker::Finished { .. })]));
    assert_eq!(inventory(&bench.reconnect()).results.len(), 1, "it is told again after a reconnect");
    assert_eq!(bench.hear(FromCoordinator::ResultAck { attempt: one, answer: ResultAnswer::Duplicate }), []);
}

#[test]
fn no_more_output_is_under_way_than_there_is_credit_for_and_the_result_follows_it() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let total = LOG_UNACKED_BYTES_MAX + 100;
    let effects = bench.step(Event::OutputGrew { attempt: one, total });
    assert_eq!(effects, [Effect::SendLog { attempt: one, from: 0, bytes_max: LOG_UNACKED_BYTES_MAX }]);
    assert_eq!(bench.step(Event::LogSent { attempt: one, until: LOG_UNACKED_BYTES_MAX }), []);
    assert_eq!(finished(&bench.step(ended(one, total))), [], "output is still to be told");
    let effects = bench.hear(FromCoordinator::LogAck { attempt: one, offset: LOG_UNACKED_BYTES_MAX });
    assert_eq!(effects[0], Effect::SendLog { attempt: one, from: LOG_UNACKED_BYTES_MAX, bytes_max: 100 });
    assert_eq!(finished(&effects), [(one, Ended::Passed)]);
    let effects = bench.hear(FromCoordinator::ResultAck { attempt: one, answer: ResultAnswer::Recorded });
    assert_eq!(effects, [Effect::Forget { attempt: one }], "its output is kept until it is stored elsewhere");
    let effects = bench.hear(FromCoordinator::LogAck { attempt: one, offset: total });
    assert_eq!(effects, [Effect::Discard { attempt: one }]);
}

#[test]
fn a_result_does_not_wait_for_ever_for_its_output() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.step(ended(one, LOG_UNACKED_BYTES_MAX * 9));
    let before = bench.now;
    let mut told = Vec::new();
    while told.is_empty() {
        let effects = bench.wake();
        told = finished(&effects);
        if let Some((number, _)) = beat(&effects) {
            bench.hear(FromCoordinator::HeartbeatAck { number });
        }
    }
    assert_eq!((told, bench.now.since(before)), (vec![(one, Ended::Passed)], LOG_FIRST_MAX));
}

#[test]
fn a_gap_in_the_output_is_skipped_and_a_new_session_is_told_what_was_not_stored() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.step(Event::OutputGrew { attempt: one, total: 1000 });
    bench.step(Event::LogSent { attempt: one, until: 1000 });
    bench.hear(FromCoordinator::LogAck { attempt: one, offset: 400 });
    bench.reconnect();
    let effects = bench.hear(FromCoordinator::Reconcile { keep: vec![one], kill: Vec::new() });
    assert!(effects.contains(&Effect::SendLog { attempt: one, from: 400, bytes_max: 600 }));
}

#[test]
fn a_new_session_tells_output_only_when_the_coordinator_has_said_what_goes_on() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.step(Event::OutputGrew { attempt: one, total: 1000 });
    let is_output = |effect: &Effect| matches!(effect, Effect::SendLog { .. });
    assert!(!bench.reconnect().iter().any(is_output), "it would be fenced, and the attempt ended");
    assert!(!bench.step(Event::OutputGrew { attempt: one, total: 2000 }).iter().any(is_output));
    let effects = bench.hear(FromCoordinator::Reconcile { keep: vec![one], kill: Vec::new() });
    assert!(effects.contains(&Effect::SendLog { attempt: one, from: 0, bytes_max: 2000 }));
}

#[test]
fn each_limit_ends_its_attempt_and_is_named() {
    let limit = Some(10.0);
    let limits = [
        (Timeouts { setup_s: limit, ..Timeouts::default() }, false, Failure::TimeoutSetup),
        (Timeouts { run_s: limit, ..Timeouts::default() }, true, Failure::TimeoutRun),
        (Timeouts { silence_s: limit, ..Timeouts::default() }, true, Failure::TimeoutSilence),
    ];
    for (timeouts, starts, failure) in limits {
        let (mut bench, one) = (Bench::open(), attempt(1, 1));
        bench.hear(start(one, Work::Command(vec!["x".into()]), timeouts));
        if starts {
            bench.now = bench.now + Duration::from_secs(3);
            bench.step(Event::Started { attempt: one });
        }
        let began = bench.now;
        let ends = loop {
            let effects = bench.wake();
            if let Some((number, _)) = beat(&effects) {
                bench.hear(FromCoordinator::HeartbeatAck { number });
            }
            if effects.contains(&end(one, GRACE, Reason::TimedOut { failure, limit: Duration::from_secs(10) })) {
                break bench.now.since(began);
            }
        };
        assert_eq!(ends, Duration::from_secs(10), "{failure}");
        assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Failed(failure))]);
    }
}

#[test]
fn output_puts_silence_off() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.hear(start(one, Work::Command(vec!["x".into()]), Timeouts { silence_s: Some(4.0), ..Timeouts::default() }));
    bench.step(Event::Started { attempt: one });
    bench.now = bench.now + Duration::from_secs(3);
    bench.step(Event::OutputGrew { attempt: one, total: 1 });
    bench.now = bench.now + Duration::from_secs(3);
    let ends = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::End { .. }));
    assert!(!ends(&bench.step(Event::Woke)));
    bench.now = bench.now + Duration::from_secs(1);
    assert!(ends(&bench.step(Event::Woke)));
}

#[test]
fn a_newer_attempt_of_a_task_starts_only_when_the_older_is_gone() {
    let (mut bench, old, new) = (Bench::open(), attempt(1, 1), attempt(1, 2));
    bench.run(old);
    let effects = bench.hear(command(new));
    assert!(effects.contains(&end(old, Duration::ZERO, Reason::Disowned)));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Run(_))));
    let effects = bench.step(ended(old, 0));
    assert_eq!(finished(&effects), [], "the older is no longer ours");
    let [Effect::Forget { .. }, Effect::Discard { .. }, Effect::Run(start)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(start.attempt, new);
}

#[test]
fn a_cancelled_attempt_is_ended_with_its_grace_and_an_unknown_one_is_answered() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let effects = bench.hear(FromCoordinator::Cancel { attempt: one, grace_ms: 700 });
    assert_eq!(effects, [end(one, Duration::from_millis(700), Reason::Cancelled)]);
    assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Cancelled)]);
    let unknown = attempt(5, 1);
    assert_eq!(finished(&bench.hear(FromCoordinator::Cancel { attempt: unknown, grace_ms: 0 })), [(unknown, Ended::Cancelled)]);
}

#[test]
fn processes_that_cannot_be_killed_are_the_machines_fault() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.hear(FromCoordinator::Cancel { attempt: one, grace_ms: 0 });
    let outcome = Outcome::bare(Ended::Cancelled);
    let effects = bench.step(Event::Ended { attempt: one, outcome, log_bytes: 0, is_clean: false, by: None });
    assert_eq!(finished(&effects), [(one, Ended::Failed(Failure::Infra))]);
}

#[test]
fn what_is_fenced_or_not_kept_is_ended_and_says_nothing_more() {
    for message in [
        FromCoordinator::Fenced { attempt: attempt(1, 1), current: None },
        FromCoordinator::Reconcile { keep: Vec::new(), kill: vec![attempt(1, 1)] },
    ] {
        let (mut bench, one, name) = (Bench::open(), attempt(1, 1), name_of(&message));
        bench.run(one);
        assert!(bench.hear(message).contains(&end(one, Duration::ZERO, Reason::Disowned)), "{name}");
        assert_eq!(bench.step(ended(one, 9)), [Effect::Forget { attempt: one }, Effect::Discard { attempt: one }], "{name}");
    }
}

#[test]
fn tests_are_told_at_once_and_again_to_a_new_session() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let result = |index| TestResult { index, name: None, outcome: TestOutcome::Passed, seconds: 0.1, message: None };
    let told = |effects: &[Effect]| -> Vec<u32> {
        let results = sent(effects).into_iter().filter_map(|message| match message {
            FromWorker::Tests { results, .. } => Some(results.iter().map(|result| result.index)),
            _ => None,
        });
        results.flatten().collect()
    };
    assert_eq!(told(&bench.step(Event::Tests { attempt: one, results: (0..100).map(result).collect() })).len(), 100);
    bench.step(Event::Disconnected);
    assert_eq!(told(&bench.step(Event::Tests { attempt: one, results: vec![result(100)] })), [0; 0], "no one listens");
    bench.now = bench.now + Duration::from_secs(1);
    let effects = bench.connect();
    assert_eq!(told(&effects), (0..=100).collect::<Vec<u32>>());
    assert_eq!(inventory(&effects).attempts[0].state, HeldState::Running);
}

/// What an earlier life of the daemon left of an attempt.
fn held(attempt: Attempt, found: Found, log_bytes: u64) -> Held {
    Held {
        attempt,
        limits: Timeouts { run_s: Some(10.0), ..Timeouts::default() },
        can_save: true,
        found,
        tests: Vec::new(),
        log_bytes,
    }
}

#[test]
fn a_result_of_an_earlier_life_is_told_and_its_output_too() {
    let one = attempt(1, 1);
    let running = Found::Running { since: Time::ZERO, heard: Time::ZERO, save_until: None };
    let mut bench = Bench::new(vec![held(one, running, 50)]);
    assert_eq!(bench.step(ended(one, 50)), [Effect::Connect], "it is told to the first session");
    bench.is_dialled = true;
    let effects = bench.connect();
    assert_eq!(inventory(&effects).results.len(), 1);
    let reconciled = bench.hear(FromCoordinator::Reconcile { keep: Vec::new(), kill: Vec::new() });
    assert!(reconciled.contains(&Effect::SendLog { attempt: one, from: 0, bytes_max: 50 }));
    assert_eq!(beat(&effects).map(|(_, holds)| holds), Some(digest_of([one])));
}

#[test]
fn what_still_runs_is_held_as_before_with_the_time_it_has_used() {
    let (one, began) = (attempt(1, 1), Time(400_000));
    let mut bench = Bench::new(vec![held(one, Found::Running { since: began, heard: began, save_until: None }, 7)]);
    let effects = bench.connect();
    let told: Vec<_> = inventory(&effects).attempts.iter().map(|held| (held.attempt, held.state, held.log_bytes)).collect();
    assert_eq!(told, [(one, HeldState::Running, 7)]);
    bench.now = began + Duration::from_secs(10);
    let reason = Reason::TimedOut { failure: Failure::TimeoutRun, limit: Duration::from_secs(10) };
    assert!(bench.step(Event::Woke).contains(&end(one, GRACE, reason)));
}

#[test]
fn an_earlier_life_of_the_daemon_has_said_why_an_attempt_is_ended() {
    for (found, by) in [
        (Found::Ending(Reason::Cancelled), None),
        (Found::Running { since: Time::ZERO, heard: Time::ZERO, save_until: None }, Some(Reason::Cancelled)),
    ] {
        let one = attempt(1, 1);
        let mut bench = Bench::new(vec![held(one, found, 0)]);
        bench.connect();
        let outcome = Outcome::bare(Ended::Failed(Failure::Test));
        let effects = bench.step(Event::Ended { attempt: one, outcome, log_bytes: 0, is_clean: true, by });
        assert_eq!(finished(&effects), [(one, Ended::Cancelled)]);
    }
}

#[test]
fn what_the_runner_ended_with_the_lease_is_nobodys_result() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let (outcome, by) = (Outcome::bare(Ended::Passed), Some(Reason::LeaseEnded));
    let effects = bench.step(Event::Ended { attempt: one, outcome, log_bytes: 0, is_clean: true, by });
    assert_eq!(effects, [Effect::Forget { attempt: one }, Effect::Discard { attempt: one }], "nothing is told unasked");
    let told = inventory(&bench.hear(FromCoordinator::SendInventory));
    assert_eq!(told.attempts, [], "the coordinator learns that it is gone");
}

#[test]
fn more_attempts_than_the_slots_can_ever_need_are_declined() {
    let mut bench = Bench::open();
    (1..=8).for_each(|task| bench.run(attempt(task, 1)));
    assert_eq!(finished(&bench.hear(command(attempt(9, 1)))), [(attempt(9, 1), Ended::Failed(Failure::Refused))]);
}
