//! The scenario that is run by real daemons too: `run_test_adaptive_load_balancer` sets what it measures there beside what the
//! simulator says of the same machines and tasks.

use super::chance::Chance;
use super::draft::{Draft, Kind};
use shared::hardware::HardwareKind::{Cpu, Cuda, Openvino};

/// Four unlike machines, one of which comes late and one of which is slow for a while; a burst, then a stream.
pub fn real_twin(chance: &mut Chance) -> Draft {
    let workers = "
[[worker]]
id = \"gpu\"
hardware = [\"cuda\", \"cpu\"]
slots = 2

[[worker]]
id = \"wide\"
hardware = [\"cpu\"]
slots = 3

[[worker]]
id = \"old\"
hardware = [\"cpu\"]
slots = 2
speed = { cpu = 0.5 }
slow = [{ from_s = 50, to_s = 100, factor = 0.4 }]

[[worker]]
id = \"late\"
hardware = [\"openvino\", \"cpu\"]
slots = 2
joins_s = 30
";
    let kinds = vec![
        Kind { state_mb: Some(1.0), ..Kind::new("train", &[(Cuda, 6.0), (Cpu, 24.0)]) },
        Kind { state_mb: Some(1.0), ..Kind::new("render", &[(Cuda, 4.0), (Openvino, 9.0), (Cpu, 12.0)]) },
        Kind::new("infer", &[(Cuda, 1.5), (Openvino, 2.5), (Cpu, 6.0)]),
        Kind::new("build", &[(Cpu, 8.0)]),
        Kind::new("test", &[(Cpu, 2.0)]),
    ];
    let mut draft = Draft::new(120.0, workers.to_owned(), kinds);
    draft.burst(chance, 0.0, 40);
    draft.stream(chance, 120.0, 8.0, 0.7, |_| 0.7);
    draft
}
