//! What sets the default policy apart, seen from outside.

use crate::common::{Bench, machine, spec};
use coordinator_core::{Config, policy};
use shared::config::BalancerConfig;
use shared::hardware::{Inventory, Power};
use shared::task::TaskSpec;
use shared::time::Time;
use std::time::Duration;

fn drawing(speed: f64, idle_w: f64, busy_w: f64) -> Inventory {
    let mut machine = machine(4);
    machine.devices[0].speed = Some(speed);
    Inventory { power: Some(Power { idle_w, busy_w }), ..machine }
}

/// Where a task of a stream goes: to a worker that is a tenth faster and draws four times as much (1), or to the other (2).
fn place(balancer: BalancerConfig) -> u64 {
    let config = Config { balancer, ..Config::default() };
    let mut bench = Bench::configured(config, policy::by_name("adaptive").expect("known"), &[], Time::ZERO);
    bench.join("thirsty", 1, drawing(1.1, 40.0, 450.0), &[], vec![]);
    bench.join("frugal", 2, drawing(1.0, 25.0, 120.0), &[], vec![]);
    let minute = TaskSpec { estimate_s: Some(60.0), ..spec("a") };
    // Tasks that come one after the other are a stream.
    bench.submit(vec![minute.clone()]);
    bench.wait(Duration::from_secs(10));
    bench.starts();
    bench.submit(vec![minute]);
    bench.wait(Duration::from_millis(100));
    bench.starts().remove(0).0
}

#[test]
fn a_kilojoule_counts_as_much_as_its_weight_says() {
    let of_weight = |energy_weight| BalancerConfig { energy_weight, ..BalancerConfig::default() };
    assert_eq!(place(of_weight(0.0)), 1, "only time counts");
    // Five seconds more, and 4.7 kilojoules less.
    assert_eq!(place(of_weight(1.0)), 1);
    assert_eq!(place(of_weight(2.0)), 2);
    let off = BalancerConfig { enable_resource_efficiency: false, ..of_weight(2.0) };
    assert_eq!(place(off), 1, "where resources do not count, joules do not");
}
