//! Scenarios in which the load is what matters: steady, growing, in bursts, and with machines that come late.

use super::chance::Chance;
use super::draft::{Draft, Kind};
use shared::hardware::HardwareKind::Cpu;
use std::fmt::Write;

/// Kinds of tasks for processors that take from `low_s` to `high_s`; every other one can be checkpointed.
pub fn cpu_kinds(chance: &mut Chance, count: usize, low_s: f64, high_s: f64) -> Vec<Kind> {
    let kind = |at: usize| {
        let seconds = low_s * libm::pow(high_s / low_s, chance.share());
        let state_mb = (at % 2 == 1).then(|| chance.between(20.0, 200.0).round());
        Kind { spread: 0.5, state_mb, ..Kind::new(format!("kind-{}", at + 1), &[(Cpu, seconds)]) }
    };
    (0..count).map(kind).collect()
}

/// Twelve machines much alike at moderate load; then some hundred tasks at once, while three machines become slow.
pub fn sudden_spike(chance: &mut Chance) -> Draft {
    let spike_s = chance.between(500.0, 700.0).round();
    let slow = chance.pick_some(3, 12);
    let mut workers = String::new();
    for machine in 0..12 {
        let speed = (chance.between(0.9, 1.1) * 100.0).round() / 100.0;
        let phase = format!("slow = [{{ from_s = {spike_s}, to_s = 1800, factor = 0.25 }}]\n");
        let phase = if slow.contains(&machine) { phase.as_str() } else { "" };
        let number = machine + 1;
        write!(
            workers,
            "\n[[worker]]\nid = \"w{number}\"\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\nspeed = {{ cpu = {speed} }}\n\
             power = {{ idle_w = 80, busy_w = 250 }}\n{phase}"
        )
        .expect("text takes any length");
    }
    let kinds = cpu_kinds(chance, 6, 8.0, 60.0);
    let mut draft = Draft::new(1800.0, workers, kinds);
    draft.stream(chance, 1800.0, 48.0, 0.5, |_| 0.5);
    let count = 300 + chance.pick(101);
    draft.burst(chance, spike_s, count);
    draft
}

/// Machines of three speeds, and a load that grows from a fifth to nine tenths of what they can do.
pub fn gradual_increase(chance: &mut Chance) -> Draft {
    let workers = [("old", 0.5, 150), ("common", 1.0, 220), ("new", 2.0, 300)].map(|(id, speed, watts)| {
        format!(
            "\n[[worker]]\nid = \"{id}\"\ncount = 4\nhardware = [\"cpu\"]\nslots = 2\nmemory_gb = 32\n\
             speed = {{ cpu = {speed} }}\npower = {{ idle_w = 70, busy_w = {watts} }}\n"
        )
    });
    let kinds = cpu_kinds(chance, 8, 8.0, 60.0);
    let mut draft = Draft::new(3600.0, workers.concat(), kinds);
    draft.stream(chance, 3600.0, 28.0, 0.9, |at_s| 0.2 + 0.7 * at_s / 3600.0);
    draft
}

/// Equal machines at a steady load of six tenths.
pub fn constant_load(chance: &mut Chance) -> Draft {
    let workers = "\n[[worker]]\nid = \"w\"\ncount = 10\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
         power = { idle_w = 80, busy_w = 250 }\n";
    let kinds = cpu_kinds(chance, 6, 8.0, 60.0);
    let mut draft = Draft::new(1800.0, workers.to_owned(), kinds);
    draft.stream(chance, 1800.0, 40.0, 0.6, |_| 0.6);
    draft
}

/// Eight machines with little to do, 400 tasks at once, and four more machines ten seconds later.
pub fn late_joiners(chance: &mut Chance) -> Draft {
    let burst_s = chance.between(50.0, 70.0).round();
    let joins_s = burst_s + 10.0;
    let workers = format!(
        "\n[[worker]]\nid = \"w\"\ncount = 8\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
         power = {{ idle_w = 80, busy_w = 250 }}\n\
         \n[[worker]]\nid = \"late\"\ncount = 4\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
         power = {{ idle_w = 80, busy_w = 250 }}\njoins_s = {joins_s}\n"
    );
    let kinds = cpu_kinds(chance, 6, 8.0, 60.0);
    let mut draft = Draft::new(600.0, workers, kinds);
    draft.stream(chance, 600.0, 48.0, 0.3, |_| 0.3);
    draft.burst(chance, burst_s, 400);
    draft
}
