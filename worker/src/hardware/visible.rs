//! How an attempt is shown the one device it was given: the variables runtimes look at.
//!
//! Sources: the CUDA programming guide (CUDA_VISIBLE_DEVICES takes UUIDs), ROCm's "GPU isolation techniques"
//! (HIP_VISIBLE_DEVICES), the Level Zero specification (ZE_AFFINITY_MASK).

use shared::hardware::{Device, HardwareKind};

/// The place of the device in the worker's inventory.
const PLACE: &str = "EVENKEEL_DEVICE";
/// What the device is called there, where it has a name that tells it from its neighbours.
const ADDRESS: &str = "EVENKEEL_DEVICE_ADDRESS";

/// The variables for an attempt on the device at this place; none where there is no such device.
pub fn variables(devices: &[Device], place: u32) -> Vec<(&'static str, String)> {
    let Some(device) = devices.get(place as usize) else { return Vec::new() };
    // Runtimes count the devices of their own kind.
    let before = devices[..place as usize].iter().filter(|other| other.kind == device.kind).count();
    let mut variables = vec![(PLACE, place.to_string())];
    variables.extend(device.address.clone().map(|address| (ADDRESS, address)));
    match device.kind {
        HardwareKind::Cuda => {
            let uuid = device.address.clone().filter(|address| address.starts_with("GPU-"));
            variables.push(("CUDA_VISIBLE_DEVICES", uuid.unwrap_or_else(|| before.to_string())));
            // Without it the fastest comes first, in an order of the runtime's own.
            variables.push(("CUDA_DEVICE_ORDER", "PCI_BUS_ID".into()));
        }
        HardwareKind::Rocm => variables.push(("HIP_VISIBLE_DEVICES", before.to_string())),
        HardwareKind::Openvino => {
            // `GPU.1` is the second GPU of Level Zero, `GPU` the first.
            let gpu = device.address.as_deref().and_then(|address| address.strip_prefix("GPU"));
            let number = gpu.map(|rest| rest.trim_start_matches('.').parse::<u32>().unwrap_or(0));
            variables.extend(number.map(|number| ("ZE_AFFINITY_MASK", number.to_string())));
        }
        HardwareKind::Cpu | HardwareKind::Mps | HardwareKind::Qnn | HardwareKind::Webnn | HardwareKind::Webgpu => {}
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::hardware::ProbeLevel;

    fn device(kind: HardwareKind, address: Option<&str>) -> Device {
        Device { address: address.map(str::to_owned), ..Device::of_kind(kind, ProbeLevel::Enumerated) }
    }

    #[test]
    fn each_runtime_is_shown_its_device_in_its_own_words() {
        let devices = [
            device(HardwareKind::Cpu, None),
            device(HardwareKind::Cuda, Some("GPU-5a2c")),
            device(HardwareKind::Cuda, None),
            device(HardwareKind::Rocm, Some("0000:63:00.0")),
            device(HardwareKind::Rocm, Some("0000:c3:00.0")),
            device(HardwareKind::Openvino, Some("CPU")),
            device(HardwareKind::Openvino, Some("GPU.1")),
        ];
        let value =
            |place, name| variables(&devices, place).into_iter().find(|(found, _)| *found == name).map(|(_, value)| value);
        assert_eq!(value(1, "CUDA_VISIBLE_DEVICES").as_deref(), Some("GPU-5a2c"));
        assert_eq!(value(2, "CUDA_VISIBLE_DEVICES").as_deref(), Some("1"), "the second of its kind, where no UUID is known");
        assert_eq!(value(4, "HIP_VISIBLE_DEVICES").as_deref(), Some("1"));
        assert_eq!((value(5, "ZE_AFFINITY_MASK"), value(6, "ZE_AFFINITY_MASK").as_deref()), (None, Some("1")));
        assert_eq!((value(4, PLACE).as_deref(), value(4, ADDRESS).as_deref()), (Some("4"), Some("0000:c3:00.0")));
        assert!(variables(&devices, 7).is_empty(), "a device that is not there");
    }
}
