//! Scenarios in which something goes wrong with machines, or could with a policy.

use super::chance::Chance;
use super::draft::{Draft, Kind};
use super::loads::cpu_kinds;
use shared::hardware::HardwareKind::Cpu;
use std::fmt::Write;

/// Long tasks that can be checkpointed, on equal machines of which one becomes four times slower while they run.
pub fn slow_machine(chance: &mut Chance) -> Draft {
    let (unlucky, from_s) = (chance.pick(6), chance.between(700.0, 1100.0).round());
    let workers = (0..6).fold(String::new(), |mut text, machine| {
        let slow = format!("slow = [{{ from_s = {from_s}, to_s = 14400, factor = 0.25 }}]\n");
        let slow = if machine == unlucky { slow.as_str() } else { "" };
        let number = machine + 1;
        write!(
            text,
            "\n[[worker]]\nid = \"w{number}\"\nhardware = [\"cpu\"]\nslots = 2\nmemory_gb = 32\n\
             power = {{ idle_w = 60, busy_w = 180 }}\n{slow}"
        )
        .expect("text takes any length");
        text
    });
    let kind = |at: usize| {
        let seconds = chance.between(300.0, 900.0);
        Kind { state_mb: Some(200.0), ..Kind::new(format!("long-{}", at + 1), &[(Cpu, seconds)]) }
    };
    let kinds = (0..4).map(kind).collect();
    let mut draft = Draft::new(600.0, workers, kinds);
    draft.burst(chance, 0.0, 36);
    for _ in 0..12 {
        let (at_s, kind) = (chance.between(0.0, 600.0), chance.pick(4));
        draft.submit(chance, at_s, kind);
    }
    draft
}

/// Fast machines that become too hot when all their slots are busy, beside slower ones that stay cool.
pub fn heat(chance: &mut Chance) -> Draft {
    let tau_s = chance.between(90.0, 180.0).round();
    let workers = format!(
        "\n[[worker]]\nid = \"hot\"\ncount = 4\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
         power = {{ idle_w = 80, busy_w = 350 }}\n\
         thermal = {{ ambient_c = 25, c_per_w = 0.2, tau_s = {tau_s}, throttle_c = 80, throttle_speed = 0.5 }}\n\
         \n[[worker]]\nid = \"cool\"\ncount = 4\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\nspeed = {{ cpu = 0.8 }}\n\
         power = {{ idle_w = 60, busy_w = 200 }}\n\
         thermal = {{ ambient_c = 25, c_per_w = 0.15, tau_s = {tau_s}, throttle_c = 80, throttle_speed = 0.5 }}\n"
    );
    let kinds = cpu_kinds(chance, 6, 10.0, 80.0);
    let mut draft = Draft::new(3600.0, workers, kinds);
    draft.stream(chance, 3600.0, 28.8, 0.65, |_| 0.65);
    draft
}

/// Machines that die and come back, one that dies for good and one that leaves in good order.
pub fn crash(chance: &mut Chance) -> Draft {
    let mut workers = "\n[[worker]]\nid = \"w\"\ncount = 6\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
         power = { idle_w = 80, busy_w = 250 }\n"
        .to_owned();
    let trouble = |chance: &mut Chance, at: usize| match at {
        0 => format!("leaves_s = {}\n", chance.between(900.0, 1500.0).round()),
        1 => format!("crashes_s = [{}]\nrestart_s = 1000000\n", chance.between(600.0, 1800.0).round()),
        _ => {
            let (first_s, second_s) = (chance.between(300.0, 1000.0).round(), chance.between(1400.0, 2400.0).round());
            format!("crashes_s = [{first_s}, {second_s}]\nrestart_s = {}\n", chance.between(20.0, 120.0).round())
        }
    };
    for at in 0..4 {
        let (number, trouble) = (at + 1, trouble(chance, at));
        write!(
            workers,
            "\n[[worker]]\nid = \"frail-{number}\"\nhardware = [\"cpu\"]\nslots = 4\nmemory_gb = 64\n\
             power = {{ idle_w = 80, busy_w = 250 }}\n{trouble}"
        )
        .expect("text takes any length");
    }
    let kinds = cpu_kinds(chance, 6, 60.0, 300.0);
    let mut draft = Draft::new(3600.0, workers, kinds);
    draft.stream(chance, 3600.0, 40.0, 0.6, |_| 0.6);
    draft
}

/// Two machines of two slots and two tasks that cannot be checkpointed: whoever moves them for balance begins them again.
pub fn livelock(chance: &mut Chance) -> Draft {
    let workers = "\n[[worker]]\nid = \"w\"\ncount = 2\nhardware = [\"cpu\"]\nslots = 2\nmemory_gb = 16\n\
         power = { idle_w = 60, busy_w = 180 }\n";
    let kinds = vec![Kind { spread: 0.03, ..Kind::new("solid", &[(Cpu, 200.0)]) }];
    let mut draft = Draft::new(3600.0, workers.to_owned(), kinds);
    draft.burst(chance, 0.0, 2);
    draft
}
