//! Recorded device trees are read as what they are, and broken ones never as something else, nor with a panic.
//!
//! The trees in `tests/trees/` hold the files that Linux documents: Documentation/gpu/amdgpu (driver-misc.rst, thermal.rst),
//! drivers/gpu/drm/amd/amdkfd/kfd_topology.c, the README of NVIDIA's driver (chapter on /proc), ABI/testing/
//! sysfs-driver-intel-i915-hwmon and sysfs-driver-intel-xe-hwmon, admin-guide/cputopology.rst, admin-guide/cgroup-v2.rst.

use shared::hardware::{Device, Precision, ProbeLevel};
use std::path::{Path, PathBuf};
use worker::hardware::tree::Tree;
use worker::hardware::{Answer, cards, cgroup, cpu, cuda, mps, rocm};

fn recorded(name: &str) -> PathBuf {
    Path::new("tests/trees").join(name)
}

fn tree(name: &str) -> Tree {
    Tree::at(recorded(name))
}

fn named(answer: &Answer) -> Vec<&str> {
    answer.devices.iter().filter_map(|device| device.name.as_deref()).collect()
}

fn why(answer: &Answer) -> &str {
    answer.absent.as_deref().expect("a reason")
}

#[test]
fn two_instinct_cards_are_told_apart_and_in_full() {
    let answer = rocm::probe(&tree("amd_mi210"));
    assert_eq!(answer.warnings, Vec::<String>::new());
    let device = |at: usize, slot: &str| {
        assert_eq!(
            answer.devices[at],
            Device {
                vendor: Some("AMD".into()),
                name: Some("AMD INSTINCT MI210".into()),
                address: Some(slot.into()),
                memory_bytes: Some(68_702_699_520),
                version: Some("6.7.0".into()),
                runtime: Some("ROCm 6.1.2-119".into()),
                architecture: Some("gfx90a".into()),
                throttle_c: Some(105.0),
                precisions: vec![Precision::Fp64, Precision::Fp32, Precision::Bf16, Precision::Fp16, Precision::Int8],
                ..Device::of_kind(shared::hardware::HardwareKind::Rocm, ProbeLevel::Enumerated)
            }
        );
    };
    assert_eq!(answer.devices.len(), 2);
    device(0, "0000:63:00.0");
    device(1, "0000:c3:00.0");
}

#[test]
fn a_consumer_card_gets_its_name_from_the_management_program_and_the_one_beside_it_is_left_out() {
    let answer = rocm::probe(&tree("amd_rx7900"));
    assert_eq!(named(&answer), ["Radeon RX 7900 XTX"]);
    let device = &answer.devices[0];
    assert_eq!((device.architecture.as_deref(), device.throttle_c), (Some("gfx1100"), Some(110.0)));
    assert_eq!((device.memory_bytes, &device.runtime, &device.version), (Some(25_753_026_560), &None, &None));
}

#[test]
fn a_card_in_another_pci_domain_is_found_and_computes_in_8_bits() {
    let answer = rocm::probe(&tree("amd_mi300x"));
    assert_eq!(named(&answer), ["AMD Instinct MI300X"]);
    assert_eq!(answer.devices[0].address.as_deref(), Some("0001:05:00.0"));
    assert!(answer.devices[0].precisions.contains(&Precision::Fp8));
    assert_eq!(answer.devices[0].architecture.as_deref(), Some("gfx942"));
}

#[test]
fn a_card_without_the_compute_driver_is_no_rocm_device() {
    let answer = rocm::probe(&tree("amd_pictures_only"));
    assert!(answer.devices.is_empty() && why(&answer).contains("pictures only"), "{answer:?}");
    let answer = rocm::probe(&tree("nvidia_no_driver"));
    assert!(why(&answer).contains("none of the graphics cards"), "{answer:?}");
}

#[test]
fn nvidias_own_files_tell_models_and_addresses_and_no_more() {
    let answer = cuda::probe_files(&tree("nvidia_a100"), "no library");
    assert_eq!(named(&answer), ["NVIDIA A100-SXM4-80GB"; 2]);
    let device = &answer.devices[1];
    assert_eq!(device.address.as_deref(), Some("GPU-5a2c1f3e-8a17-4f3d-9c55-0b6f2d1c7e01"));
    assert_eq!((device.version.as_deref(), device.memory_bytes), (Some("535.104.05"), None));
    assert!(answer.warnings[0].contains("no library"), "{:?}", answer.warnings);

    let answer = cuda::probe_files(&tree("nvidia_open_module"), "no library");
    assert_eq!(answer.devices[0].version.as_deref(), Some("560.35.03"));
    let answer = cuda::probe_files(&tree("nvidia_asleep"), "no library");
    assert_eq!(answer.devices[0].address.as_deref(), Some("0000:01:00.0"), "its UUID is not known while it sleeps");
}

#[test]
fn a_card_of_nvidia_without_its_driver_is_a_reason_and_no_device() {
    let answer = cuda::probe_files(&tree("nvidia_no_driver"), "no library");
    assert!(answer.devices.is_empty());
    assert!(why(&answer).contains("NVIDIA 0x1eb8 at 0000:00:04.0, driver nouveau"), "{answer:?}");
}

#[test]
fn intels_cards_are_listed_with_driver_and_place() {
    let described = |name| cards(&tree(name)).iter().map(worker::hardware::Card::described).collect::<Vec<_>>();
    assert_eq!(described("intel_uhd630"), ["Intel 0x3e92 at 0000:00:02.0, driver i915"]);
    assert_eq!(described("intel_arc_a770"), ["Intel 0x56a0 at 0000:03:00.0, driver i915"]);
    assert_eq!(described("intel_b580_xe"), ["Intel 0xe20b at 0000:04:00.0, driver xe"]);
}

#[test]
fn a_processor_is_counted_in_threads_cores_sockets_and_nodes_and_limited_by_its_group() {
    let tree = tree("cpu_xeon_v2");
    let limits = cgroup::limits(&tree);
    assert_eq!(
        (limits.cores, limits.memory_bytes, limits.memory_used_bytes),
        (Some(2.5), Some(8_589_934_592), Some(2_500_000_000))
    );
    let processor = cpu::processor(&tree, &limits).expect("it is there");
    assert_eq!((processor.threads, processor.cores, processor.sockets, processor.numa_nodes), (8, Some(4), Some(2), Some(2)));
    assert!(processor.features.iter().any(|feature| feature == "amx_bf16"));
    let device = &cpu::probe(&tree).devices[0];
    assert_eq!(device.vendor.as_deref(), Some("GenuineIntel"));
    let all = [Precision::Fp64, Precision::Fp32, Precision::Bf16, Precision::Fp16, Precision::Int8];
    assert_eq!(device.precisions, all);
}

#[test]
fn a_container_under_version_1_is_limited_although_its_path_is_not_mounted() {
    let limits = cgroup::limits(&tree("cpu_docker_v1"));
    assert_eq!(
        (limits.cores, limits.memory_bytes, limits.memory_used_bytes),
        (Some(1.5), Some(2_147_483_648), Some(1_400_000_000))
    );
}

#[test]
fn a_board_that_tells_little_is_told_with_little() {
    let tree = tree("cpu_arm_board");
    let device = &cpu::probe(&tree).devices[0];
    assert_eq!((device.vendor.as_deref(), device.name.as_deref()), (Some("Arm"), Some("Raspberry Pi 5 Model B Rev 1.0")));
    assert_eq!(device.precisions, [Precision::Fp64, Precision::Fp32, Precision::Fp16, Precision::Int8]);
    let processor = cpu::processor(&tree, &cgroup::limits(&tree)).expect("it is there");
    assert_eq!((processor.threads, processor.cores, processor.sockets, processor.numa_nodes), (4, None, None, None));
}

#[test]
fn macs_are_told_by_their_own_list() {
    let tree = Tree::at("/nowhere");
    let m2 = r#"{"SPDisplaysDataType":[{"_name":"Apple M2 Pro","spdisplays_mtlgpufamilysupport":"spdisplays_metal3",
        "spdisplays_vendor":"sppci_vendor_Apple","sppci_cores":"19","sppci_model":"Apple M2 Pro"}]}"#;
    let answer = mps::parse(m2, &tree);
    assert_eq!((named(&answer), answer.devices[0].runtime.as_deref()), (vec!["Apple M2 Pro"], Some("Metal 3")));
    assert_eq!((answer.devices[0].memory_bytes, answer.devices[0].vendor.as_deref()), (None, Some("Apple")));
    let old = r#"{"SPDisplaysDataType":[{"sppci_model":"NVIDIA GeForce 320M","spdisplays_vendor":"NVIDIA"}]}"#;
    assert!(why(&mps::parse(old, &tree)).contains("none of the GPUs"));
    assert!(why(&mps::parse("{", &tree)).contains("no JSON") && why(&mps::parse("{}", &tree)).contains("no GPU"));
}

/// Everything that is read from a tree.
fn read_all(root: &Path) -> (Vec<Answer>, Vec<String>) {
    let tree = Tree::at(root);
    let limits = cgroup::limits(&tree);
    let _ = cpu::processor(&tree, &limits);
    let _ = cards(&tree);
    let answers = vec![cpu::probe(&tree), rocm::probe(&tree), cuda::probe_files(&tree, "no library")];
    (answers, tree.warnings())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = to.join(file.strip_prefix(from).expect("it is below"));
        std::fs::create_dir_all(place.parent().expect("it has one")).expect("it is ours");
        std::fs::copy(&file, place).expect("it is ours");
    }
}

#[test]
fn a_broken_file_makes_a_figure_absent_and_never_a_panic_or_another_figure() {
    let breaks: [&[u8]; 7] =
        [b"", b"\n", b"garbage\n", &[0xff, 0xfe, 0x00, 0x80], b"-1\n", b"99999999999999999999999999\n", b"0x\n: = \n0::\n"];
    let trees = std::fs::read_dir(recorded("")).expect("they are there").map(|entry| entry.expect("it can be read").path());
    let (mut broken, mut warned) = (0, 0);
    for from in trees {
        let whole: Vec<Device> = read_all(&from).0.into_iter().flat_map(|answer| answer.devices).collect();
        let dir = tempfile::tempdir().expect("a temporary folder");
        copy(&from, dir.path());
        for file in files_below(dir.path()) {
            let good = std::fs::read(&file).expect("it is ours");
            for bad in breaks {
                std::fs::write(&file, bad).expect("it is ours");
                let (answers, warnings) = read_all(dir.path());
                broken += 1;
                warned += usize::from(!warnings.is_empty());
                let figures = |devices: &mut dyn Iterator<Item = &Device>| {
                    devices.filter_map(|device| device.memory_bytes).collect::<std::collections::BTreeSet<u64>>()
                };
                let (now, before) = (figures(&mut answers.iter().flat_map(|answer| &answer.devices)), figures(&mut whole.iter()));
                assert!(now.is_subset(&before), "{} as {bad:?} invents memory: {now:?}", file.display());
            }
            std::fs::write(&file, good).expect("it is ours");
        }
    }
    assert!(broken > 1000 && warned > broken / 5, "{warned} of {broken} broken files brought a warning");
}
