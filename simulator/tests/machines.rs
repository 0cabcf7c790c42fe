//! What machines do to the tasks they run.

mod common;

use common::{about, play};

const ONE: &str = "[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 1\nrestart_s = 20\n";

#[test]
fn a_task_takes_its_time_divided_by_the_declared_speed() {
    let played = play(&format!("{ONE}speed = {{ cpu = 4.0 }}\n"), "t,5,,,,,,,100,\n");
    assert!(about(played.when("attempt_started", "t"), 5.0));
    assert!(about(played.when("attempt_stopped", "t") - played.when("attempt_started", "t"), 25.0));
    assert_eq!(played.stops("t"), [("finished".to_owned(), 1.0)]);
    assert!(about(played.run.summary.mean_flow_s, 25.0) && about(played.run.summary.lower_bound_s, 25.0));
    assert!(played.run.summary.utilization > 0.99, "{}", played.run.summary.utilization);
}

#[test]
fn a_slow_phase_lets_the_work_of_its_duration_take_longer() {
    let played = play(&format!("{ONE}slow = [{{ from_s = 20, to_s = 60, factor = 0.5 }}]\n"), "t,0,,,,,,,100,\n");
    assert!(about(played.when("task_finished", "t"), 120.0));
    let speeds: Vec<f64> = played.of("speed_changed", "a").map(|line| line["speed"].as_f64().expect("a speed")).collect();
    assert_eq!(speeds, [0.5, 1.0]);
}

#[test]
fn of_two_slow_phases_at_a_time_the_slower_one_counts() {
    let slow = "slow = [{ from_s = 0, to_s = 40, factor = 0.5 }, { from_s = 10, to_s = 20, factor = 0.0 }]\n";
    let played = play(&format!("{ONE}{slow}"), "t,0,,,,,,,100,\n");
    assert!(about(played.when("task_finished", "t"), 125.0), "{}", played.when("task_finished", "t"));
}

#[test]
fn a_crash_costs_the_progress_and_the_machine_is_not_used_while_it_is_down() {
    let played = play(&format!("{ONE}crashes_s = [40]\n"), "t,0,,,,,,,100,\n");
    let stops = played.stops("t");
    assert_eq!([stops[0].0.as_str(), stops[1].0.as_str()], ["lost", "finished"]);
    assert!((stops[0].1 - 0.4).abs() < 1e-3, "{stops:?}");
    let starts: Vec<f64> = played.of("attempt_started", "t").map(|line| line["t"].as_f64().expect("a time")).collect();
    assert!(about(starts[1], 60.0) && starts[1] >= 60.0, "{starts:?}");
    let summary = &played.run.summary;
    assert!(about(summary.makespan_s, 160.0) && about(summary.wasted_s, 40.0), "{summary:?}");
    assert!(
        summary.settle_s > 0.0 && summary.settle_s < 0.05,
        "only messages stood between the return and the work: {summary:?}"
    );
    assert_eq!((summary.lost_attempts, summary.lost), (1, 0));
}

#[test]
fn lost_work_that_waits_while_a_slot_is_free_is_unrest() {
    let other = "[[worker]]\nid = \"b\"\nhardware = [\"cpu\"]\nslots = 1\njoins_s = 1\n";
    let played = play(&format!("{ONE}crashes_s = [40]\n{other}"), "t,0,,,,,,,100,\n");
    assert!(about(played.run.summary.settle_s, 20.0), "until its return nobody knows: {:?}", played.run.summary);
}

#[test]
fn a_second_crash_while_it_is_down_keeps_it_down_for_longer() {
    let played = play(&format!("{ONE}crashes_s = [40, 55]\n"), "t,0,,,,,,,100,\n");
    assert!(about(played.when("task_finished", "t"), 175.0));
}

#[test]
fn heat_slows_a_machine_down_from_the_moment_at_which_it_is_too_hot() {
    let heat = "power = { idle_w = 0, busy_w = 400 }\n\
        thermal = { ambient_c = 20, c_per_w = 0.2, tau_s = 100, throttle_c = 60, throttle_speed = 0.5 }\n";
    let played = play(&format!("{ONE}{heat}"), "t,0,,,,,,,100,\nlater,400,,,,,,,10,\n");
    let hot_s = 100.0 * 2.0f64.ln();
    let changes: Vec<f64> = played.of("speed_changed", "a").map(|line| line["t"].as_f64().expect("a time")).collect();
    assert!(about(changes[0], hot_s), "{changes:?}");
    let done = played.when("task_finished", "t");
    assert!(about(done, hot_s + (100.0 - hot_s) / 0.5), "{done}");
    let celsius = 100.0 - 80.0 * (-done / 100.0).exp();
    assert!(about(changes[1], done + 100.0 * ((celsius - 20.0) / 38.0).ln()), "it recovers at 58 degrees: {changes:?}");
    assert!(about(played.when("task_finished", "later"), 410.0), "it is cool again");
}

#[test]
fn a_machine_that_leaves_ends_what_it_runs_and_begins_nothing_new() {
    let workers = format!("{ONE}leaves_s = 50\n[[worker]]\nid = \"b\"\nhardware = [\"cpu\"]\nslots = 1\njoins_s = 200\n");
    let played = play(&workers, "first,0,,,,,,,80,\nsecond,10,,,,,,,30,\n");
    assert!(about(played.when("task_finished", "first"), 80.0));
    assert!(played.when("machine_gone", "a") > 80.0);
    assert_eq!(played.of("attempt_started", "second").next().expect("it ran")["worker"], "b");
    assert!(about(played.when("attempt_started", "second"), 200.0));
}

#[test]
fn work_waits_for_a_machine_that_comes_late() {
    let played = play(&format!("{ONE}joins_s = 100\n"), "t,30,,,,,,,10,\n");
    assert!(played.when("attempt_started", "t") >= 100.0 && about(played.when("attempt_started", "t"), 100.0));
    assert!(about(played.run.summary.mean_wait_s, 70.0));
}

#[test]
fn tasks_share_the_memory_of_a_device_and_its_slots() {
    let gpu = "[[worker]]\nid = \"g\"\nhardware = [\"cuda\"]\nslots = 4\ngpu_memory_gb = 16\n";
    let played = play(gpu, "a,0,,10,,,,,,50\nb,0,,10,,,,,,50\nc,0,,6,,,,,,50\n");
    let mut starts: Vec<f64> = ["a", "b", "c"].map(|task| played.when("attempt_started", task)).to_vec();
    starts.sort_by(f64::total_cmp);
    assert!(about(starts[0], 0.0) && about(starts[1], 0.0) && about(starts[2], 50.0), "{starts:?}");
}

#[test]
fn a_task_of_several_cores_takes_as_many_slots() {
    let four = "[[worker]]\nid = \"a\"\nhardware = [\"cpu\"]\nslots = 4\n";
    let played = play(four, "wide,0,3,,,,,,50,\npair,0,2,,,,,,50,\none,0,1,,,,,,50,\n");
    assert!(about(played.when("attempt_started", "one"), 0.0));
    assert!(about(played.when("attempt_started", "pair"), 50.0));
}
