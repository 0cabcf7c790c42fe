//! What holds of sessions, heartbeats, the lease and leaving.

use super::*;

#[test]
fn an_old_epoch_and_another_cluster_are_never_obeyed() {
    for (cluster, epoch, is_fine) in [(3, 4, true), (3, 5, true), (3, 3, false), (8, 4, false)] {
        let mut bench = Bench::new(Vec::new());
        bench.dial();
        let effects = bench.challenge(cluster, epoch);
        assert_eq!(effects.iter().any(|effect| matches!(effect, Effect::Prove { .. })), is_fine);
        let stops =
            effects.iter().any(|effect| matches!(effect, Effect::Stop(Stop::OldEpoch { .. } | Stop::OtherCluster { .. })));
        assert_eq!(stops, !is_fine);
    }
}

#[test]
fn a_later_epoch_is_pinned_before_anything_it_orders() {
    let mut bench = Bench::new(Vec::new());
    bench.dial();
    bench.challenge(3, 7);
    bench.step(Event::Proven { mac: None });
    let welcome = Welcome { session: Session(1), lease_ms: 1, heartbeat_ms: 1, spread_ms: 1, features: Vec::new() };
    let effects = bench.hear(FromCoordinator::Welcome(welcome));
    assert_eq!(effects[0], Effect::Pin { cluster: ClusterId([3; 16]), epoch: Epoch(7) });
}

#[test]
fn a_refusal_that_can_pass_is_tried_again_and_another_stops_the_daemon() {
    for (code, stops) in [(Refusal::NameTaken, false), (Refusal::Full, false), (Refusal::Token, true)] {
        let mut bench = Bench::new(Vec::new());
        bench.dial();
        let effects = bench.hear(FromCoordinator::Refused { code, message: "no".into() });
        assert_eq!(effects.iter().any(|effect| matches!(effect, Effect::Stop(Stop::Refused { .. }))), stops);
        assert_eq!(bench.worker.next_wakeup().is_none(), stops);
    }
}

#[test]
fn a_frame_seen_before_is_dropped_and_a_gap_closes_the_session() {
    let mut bench = Bench::open();
    bench.hear(command(attempt(1, 1)));
    let again = Envelope { seq: bench.seq, ack: 0, messages: vec![command(attempt(2, 1))] };
    assert_eq!(bench.step(Event::Received(again)), []);
    let later = Envelope { seq: bench.seq + 2, ack: 0, messages: vec![command(attempt(3, 1))] };
    let effects = bench.step(Event::Received(later));
    assert!(effects.contains(&Effect::Close) && !effects.iter().any(|effect| matches!(effect, Effect::Run(_))));
    assert!(!bench.worker.link.is_open());
}

#[test]
fn the_lease_runs_from_when_the_acknowledged_heartbeat_was_sent() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let proven = bench.now;
    bench.now = proven + BEAT;
    let (number, _) = beat(&bench.step(Event::Woke)).expect("a heartbeat is due");
    bench.now = proven + BEAT + Duration::from_secs(4);
    let effects = bench.hear(FromCoordinator::HeartbeatAck { number });
    assert_eq!(effects, [Effect::Lease { until: proven + BEAT + LEASE }], "the runner ends them even if this daemon cannot");
    bench.step(Event::Disconnected);
    let ends = end(one, Duration::ZERO, Reason::LeaseEnded);
    bench.now = proven + BEAT + LEASE - Duration::from_micros(1);
    assert!(!bench.step(Event::Woke).contains(&ends));
    bench.now = proven + BEAT + LEASE;
    assert!(bench.step(Event::Woke).contains(&ends));
    assert_eq!(
        bench.step(ended(one, 5)),
        [Effect::Forget { attempt: one }, Effect::Discard { attempt: one }],
        "nobody waits for it"
    );
}

#[test]
fn a_machine_that_slept_through_its_lease_ends_its_attempts_before_it_listens() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.now = bench.now + LEASE * 2;
    let effects = bench.hear(command(attempt(2, 1)));
    assert!(effects.contains(&end(one, Duration::ZERO, Reason::LeaseEnded)));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Run(_))), "a session so long silent is not believed");
}

#[test]
fn heartbeats_say_what_is_held_and_silence_closes_the_session() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let (_, holds) = beat(&bench.wake()).expect("a heartbeat is due");
    assert_eq!(holds, digest_of([one]));
    let mut effects = bench.wake();
    while bench.worker.link.is_open() {
        effects = bench.wake();
    }
    assert!(effects.contains(&Effect::Close), "no answer to any heartbeat");
    assert!(bench.worker.next_wakeup().is_some_and(|time| time <= bench.now + backoff::WAIT_FIRST));
}

#[test]
fn a_worker_that_leaves_ends_its_attempts_tells_their_results_and_stops() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    let effects = bench.step(Event::ShutDown);
    assert_eq!(effects, [Effect::Send(FromWorker::Leaving), end(one, GRACE, Reason::ShutDown)]);
    assert_eq!(finished(&bench.hear(command(attempt(2, 1)))), [(attempt(2, 1), Ended::Failed(Failure::Refused))]);
    assert_eq!(finished(&bench.step(ended(one, 0))), [(one, Ended::Failed(Failure::Infra))]);
    for task in [1, 2] {
        assert!(bench.worker.leaving != Some(Leaving::Gone));
        bench.hear(FromCoordinator::ResultAck { attempt: attempt(task, 1), answer: ResultAnswer::Recorded });
    }
    assert_eq!((bench.worker.leaving, bench.worker.next_wakeup()), (Some(Leaving::Gone), None));
}

#[test]
fn a_worker_that_is_not_answered_leaves_within_the_flush_time() {
    let (mut bench, one) = (Bench::open(), attempt(1, 1));
    bench.run(one);
    bench.step(Event::ShutDown);
    bench.step(ended(one, 0));
    let before = bench.now;
    while !bench.wake().contains(&Effect::Stop(Stop::Left)) {}
    assert!(bench.now.since(before) <= FLUSH_MAX);
}
