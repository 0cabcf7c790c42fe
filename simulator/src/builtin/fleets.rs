//! Scenarios in which unlike machines are what matters: who runs what decides everything.

use super::chance::Chance;
use super::draft::{Draft, Kind};
use super::loads::cpu_kinds;
use shared::hardware::HardwareKind::{Cpu, Cuda, Openvino, Rocm};

/// Three generations of GPUs, under the names of three kinds of hardware, as V100, P100 and K80 are to each other.
const GENERATIONS: &str = "
[[worker]]
id = \"new\"
count = 6
hardware = [\"cuda\"]
slots = 2
memory_gb = 64
gpu_memory_gb = 32
power = { idle_w = 60, busy_w = 300 }
cost_per_hour = 3.0

[[worker]]
id = \"middle\"
count = 6
hardware = [\"rocm\"]
slots = 2
memory_gb = 64
gpu_memory_gb = 32
power = { idle_w = 50, busy_w = 250 }
cost_per_hour = 1.6

[[worker]]
id = \"old\"
count = 8
hardware = [\"openvino\"]
slots = 2
memory_gb = 64
power = { idle_w = 45, busy_w = 150 }
cost_per_hour = 0.9
";

/// What the generations can do together, in slots of the newest: 12 slots, 12 that are 1.6 times slower, 16 that are 5 times.
const GENERATIONS_CAPACITY: f64 = 12.0 + 12.0 / 1.6 + 16.0 / 5.0;

/// Kinds of training whose times on the three generations are as 1 : 1.3 to 1.9 : 3 to 8.
fn trainings(chance: &mut Chance, count: usize, low_s: f64, high_s: f64, spread: f64) -> Vec<Kind> {
    let kind = |at: usize| {
        let seconds = low_s * libm::pow(high_s / low_s, chance.share());
        let (middle, old) = (chance.between(1.3, 1.9), chance.between(3.0, 8.0));
        let seconds = [(Cuda, seconds), (Rocm, seconds * middle), (Openvino, seconds * old)];
        let state_mb = Some(chance.between(100.0, 1000.0).round());
        Kind { spread, memory_gb: 8.0, gpu_memory_gb: 8.0, state_mb, ..Kind::new(format!("model-{}", at + 1), &seconds) }
    };
    (0..count).map(kind).collect()
}

/// 3,000 trainings at once on three generations of GPUs.
pub fn gpu_batch_3000(chance: &mut Chance) -> Draft {
    let kinds = trainings(chance, 26, 60.0, 1200.0, 0.2);
    let mut draft = Draft::new(60.0, GENERATIONS.to_owned(), kinds);
    draft.burst(chance, 0.0, 3000);
    draft
}

/// Trainings that come one by one, a few of them very long, at seven tenths of what three generations of GPUs can do.
pub fn completion(chance: &mut Chance) -> Draft {
    let kinds = trainings(chance, 12, 60.0, 600.0, 1.2);
    let mut draft = Draft::new(14_400.0, GENERATIONS.to_owned(), kinds);
    draft.stream(chance, 14_400.0, GENERATIONS_CAPACITY, 0.7, |_| 0.7);
    draft
}

/// Tasks for GPUs, for processors and for both, wide ones and large ones, on four kinds of machines.
pub fn mixed_workload(chance: &mut Chance) -> Draft {
    let workers = "
[[worker]]
id = \"cuda\"
count = 3
hardware = [\"cuda\", \"cpu\"]
slots = 8
memory_gb = 64
gpu_memory_gb = 24
speed = { cuda = 1.0, cpu = 1.2 }
power = { idle_w = 90, busy_w = 450 }

[[worker]]
id = \"rocm\"
count = 2
hardware = [\"rocm\", \"cpu\"]
slots = 8
memory_gb = 64
gpu_memory_gb = 16
power = { idle_w = 80, busy_w = 400 }

[[worker]]
id = \"edge\"
count = 3
hardware = [\"openvino\", \"cpu\"]
slots = 4
memory_gb = 16
speed = { openvino = 1.0, cpu = 0.7 }
power = { idle_w = 15, busy_w = 60 }

[[worker]]
id = \"cpu\"
count = 4
hardware = [\"cpu\"]
slots = 8
memory_gb = 128
power = { idle_w = 70, busy_w = 220 }
";
    let mut scaled = |seconds: f64| seconds * chance.factor(0.2);
    let train = [(Cuda, scaled(60.0)), (Rocm, scaled(80.0)), (Cpu, scaled(900.0))];
    let infer = [(Cuda, scaled(8.0)), (Rocm, scaled(10.0)), (Openvino, scaled(14.0)), (Cpu, scaled(30.0))];
    let large = [(Cuda, scaled(80.0)), (Rocm, scaled(110.0))];
    let (prepare, build, test) = (scaled(25.0), scaled(90.0), scaled(15.0));
    let kinds = vec![
        Kind { gpu_memory_gb: 6.0, memory_gb: 4.0, state_mb: Some(500.0), ..Kind::new("train", &train) },
        Kind { gpu_memory_gb: 2.0, memory_gb: 2.0, ..Kind::new("infer", &infer) },
        Kind { gpu_memory_gb: 10.0, memory_gb: 8.0, state_mb: Some(2000.0), ..Kind::new("train-large", &large) },
        Kind { memory_gb: 3.0, spread: 0.6, ..Kind::new("prepare", &[(Cpu, prepare)]) },
        Kind { memory_gb: 6.0, cores: 4, ..Kind::new("build", &[(Cpu, build)]) },
        Kind { spread: 0.8, state_mb: Some(10.0), ..Kind::new("test", &[(Cpu, test), (Openvino, test * 1.5)]) },
    ];
    let mut draft = Draft::new(900.0, workers.to_owned(), kinds);
    draft.burst(chance, 0.0, 200);
    for _ in 0..600 {
        let (at_s, kind) = (chance.between(0.0, 900.0), chance.pick(6));
        draft.submit(chance, at_s, kind);
    }
    draft
}

/// Little to do, and machines that take very unlike power for it.
pub fn energy(chance: &mut Chance) -> Draft {
    let workers = "
[[worker]]
id = \"thirsty\"
count = 4
hardware = [\"cpu\"]
slots = 4
memory_gb = 64
speed = { cpu = 1.1 }
power = { idle_w = 40, busy_w = 450 }
cost_per_hour = 1.2

[[worker]]
id = \"frugal\"
count = 4
hardware = [\"cpu\"]
slots = 4
memory_gb = 64
speed = { cpu = 1.0 }
power = { idle_w = 25, busy_w = 120 }
cost_per_hour = 0.8

[[worker]]
id = \"old\"
count = 2
hardware = [\"cpu\"]
slots = 4
memory_gb = 32
speed = { cpu = 0.6 }
power = { idle_w = 40, busy_w = 350 }
cost_per_hour = 0.5
";
    let kinds = cpu_kinds(chance, 6, 10.0, 80.0);
    let mut draft = Draft::new(3600.0, workers.to_owned(), kinds);
    draft.stream(chance, 3600.0, 38.4, 0.25, |_| 0.25);
    draft
}

/// A batch whose history is as wrong as histories are, and a hundredfold too hopeful about one kind on the slow machines.
pub fn wrong_estimates(chance: &mut Chance) -> Draft {
    let workers = "
[[worker]]
id = \"gpu\"
count = 4
hardware = [\"cuda\"]
slots = 4
memory_gb = 64
gpu_memory_gb = 64
power = { idle_w = 80, busy_w = 400 }

[[worker]]
id = \"cpu\"
count = 6
hardware = [\"cpu\"]
slots = 4
memory_gb = 64
power = { idle_w = 70, busy_w = 220 }
";
    let kind = |at: usize| {
        let seconds = 10.0 * libm::pow(12.0, chance.share());
        let slower = chance.between(2.0, 8.0);
        Kind { gpu_memory_gb: 4.0, ..Kind::new(format!("kind-{}", at + 1), &[(Cuda, seconds), (Cpu, seconds * slower)]) }
    };
    let mut kinds: Vec<Kind> = (0..10).map(kind).collect();
    kinds[0].seconds = vec![(Cuda, 20.0), (Cpu, 400.0)];
    let mut draft = Draft::new(60.0, workers.to_owned(), kinds);
    draft.mistakes.insert((0, Cpu), 0.01);
    draft.burst(chance, 0.0, 600);
    draft
}
