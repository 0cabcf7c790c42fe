//! The processor: what it is called, what it is made of, what it may use.
//!
//! Formats: kernel documentation, admin-guide/cputopology.rst and ABI/stable/sysfs-devices-system-cpu;
//! `/proc/cpuinfo` of x86 and of Arm, which names its parts by numbers only.

use super::Answer;
use super::cgroup::Limits;
use super::tree::{Tree, field_of};
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel, Processor};
use std::collections::BTreeSet;

/// The extensions that decide what runs fast; the kernel lists many that do not.
const FEATURES: [&str; 34] = [
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
    "aes",
    "vaes",
    "sha_ni",
    "asimd",
    "asimddp",
    "fphp",
    "asimdhp",
    "bf16",
    "i8mm",
    "sve",
    "sve2",
    "svebf16",
    "svei8mm",
    "sme",
    "sme2",
    "sha2",
    "crc32",
    "hypervisor",
];

/// Who made an Arm processor, by the number in `CPU implementer` (Arm Architecture Reference Manual, MIDR_EL1).
const ARM_MAKERS: [(&str, &str); 7] = [
    ("0x41", "Arm"),
    ("0x43", "Cavium"),
    ("0x46", "Fujitsu"),
    ("0x48", "HiSilicon"),
    ("0x4e", "NVIDIA"),
    ("0x51", "Qualcomm"),
    ("0xc0", "Ampere"),
];

/// The processor as a device. There always is one, however little it tells of itself.
pub fn probe(tree: &Tree) -> Answer {
    let text = tree.text("proc/cpuinfo").unwrap_or_default();
    let named = |name| field_of(&text, name).map(str::to_owned);
    let maker = named("CPU implementer").map(|number| {
        let known = ARM_MAKERS.iter().find(|(of, _)| *of == number);
        known.map_or(number.clone(), |(_, maker)| (*maker).to_owned())
    });
    let mut device = Device::of_kind(HardwareKind::Cpu, ProbeLevel::Executed);
    device.vendor = named("vendor_id").or(maker);
    device.name = named("model name").or_else(|| tree.text("sys/firmware/devicetree/base/model")).map(|name| {
        // Device trees end their strings with a zero.
        name.trim_end_matches('\0').trim().to_owned()
    });
    device.precisions = precisions(&features(&text));
    Answer::found(vec![device])
}

/// What the processor is made of; absent where the system tells nothing of it.
pub fn processor(tree: &Tree, limits: &Limits) -> Option<Processor> {
    let text = tree.text("proc/cpuinfo")?;
    let online = tree.text("sys/devices/system/cpu/online").map(|list| (listed(tree, &list), list));
    let listed_in_cpuinfo = text.lines().filter(|line| field_of(line, "processor").is_some()).count();
    let threads: BTreeSet<u32> = match online {
        Some((threads, _)) if !threads.is_empty() => threads,
        _ => (0..u32::try_from(listed_in_cpuinfo).unwrap_or(u32::MAX).max(1)).collect(),
    };
    let (mut cores, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for thread in &threads {
        let folder = format!("sys/devices/system/cpu/cpu{thread}/topology");
        // −1 where the firmware tells nothing, as on some boards with Arm processors.
        let socket: Option<i64> = tree.number(&format!("{folder}/physical_package_id"));
        let core: Option<i64> = tree.number(&format!("{folder}/core_id"));
        let die: Option<i64> = tree.number(&format!("{folder}/die_id"));
        if let (Some(socket), Some(core)) = (socket, core) {
            sockets.insert(socket);
            cores.insert((socket, die, core));
        }
    }
    let count = |set_len: usize| u32::try_from(set_len).ok().filter(|count| *count > 0);
    let is_node = |name: &String| name.strip_prefix("node").is_some_and(|number| number.parse::<u32>().is_ok());
    Some(Processor {
        threads: count(threads.len())?,
        cores: count(cores.len()),
        sockets: count(sockets.len()),
        numa_nodes: count(tree.names("sys/devices/system/node").iter().filter(|name| is_node(name)).count()),
        quota_cores: limits.cores,
        memory_limit_bytes: limits.memory_bytes,
        features: features(&text),
    })
}

/// The numbers in a list such as `0-3,8,10-11`.
fn listed(tree: &Tree, list: &str) -> BTreeSet<u32> {
    /// More processors than this no machine has; a longer range is a mistake.
    const PROCESSORS_MAX: u32 = 1 << 16;
    let mut numbers = BTreeSet::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            (Ok(first), Ok(last)) if first <= last && last < PROCESSORS_MAX => numbers.extend(first..=last),
            _ => tree.warn(format!("/sys/devices/system/cpu/online holds `{list}`, not a list of processors")),
        }
    }
    numbers
}

fn features(cpuinfo: &str) -> Vec<String> {
    let all = field_of(cpuinfo, "flags").or_else(|| field_of(cpuinfo, "Features")).unwrap_or_default();
    let has: BTreeSet<&str> = all.split_whitespace().collect();
    FEATURES.iter().filter(|feature| has.contains(*feature)).map(|feature| (*feature).to_owned()).collect()
}

/// Processors compute in 64 and 32 bits; shorter formats take extensions.
fn precisions(features: &[String]) -> Vec<Precision> {
    let has = |any: &[&str]| any.iter().any(|name| features.iter().any(|feature| feature == name));
    let mut found = vec![Precision::Fp64, Precision::Fp32];
    let extensions: [(Precision, &[&str]); 3] = [
        (Precision::Bf16, &["avx512_bf16", "amx_bf16", "bf16", "svebf16"]),
        (Precision::Fp16, &["avx512_fp16", "amx_fp16", "asimdhp"]),
        (Precision::Int8, &["avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"]),
    ];
    found.extend(extensions.iter().filter(|(_, any)| has(any)).map(|(precision, _)| *precision));
    found
}
