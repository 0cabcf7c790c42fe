//! What a machine has: the eight kinds of hardware, their published profiles, and a worker's inventory.

mod device;
mod load;

pub use device::{Device, Precision, ProbeLevel, Processor};
pub use load::{CORES_MAX, DeviceLoad, Load, Pressure, Throttle};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The eight kinds of hardware a task can ask for (F2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum HardwareKind {
    /// Any processor.
    #[default]
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// AMD, through ROCm.
    Rocm,
    /// Apple, through Metal Performance Shaders.
    Mps,
    /// Intel, through OpenVINO.
    Openvino,
    /// Qualcomm, through QNN.
    Qnn,
    /// A browser's neural network API.
    Webnn,
    /// A browser's or a native GPU API.
    Webgpu,
}

/// What is believed of a kind of hardware before anything was measured on it (F3), relative to a processor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardwareProfile {
    /// Relative speed.
    pub performance_weight: f64,
    /// 0 to 1, higher does more per joule.
    pub energy_efficiency: f64,
    /// 0 to 1, higher stays cooler.
    pub thermal_efficiency: f64,
}

impl HardwareKind {
    /// All kinds.
    pub const ALL: [HardwareKind; 8] = [
        HardwareKind::Cpu,
        HardwareKind::Cuda,
        HardwareKind::Rocm,
        HardwareKind::Mps,
        HardwareKind::Openvino,
        HardwareKind::Qnn,
        HardwareKind::Webnn,
        HardwareKind::Webgpu,
    ];

    /// The name used in requirements, facts and files.
    pub fn name(self) -> &'static str {
        match self {
            HardwareKind::Cpu => "cpu",
            HardwareKind::Cuda => "cuda",
            HardwareKind::Rocm => "rocm",
            HardwareKind::Mps => "mps",
            HardwareKind::Openvino => "openvino",
            HardwareKind::Qnn => "qnn",
            HardwareKind::Webnn => "webnn",
            HardwareKind::Webgpu => "webgpu",
        }
    }

    /// The kind called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it has memory of its own, which tasks share out among themselves.
    pub fn has_own_memory(self) -> bool {
        matches!(self, HardwareKind::Cuda | HardwareKind::Rocm | HardwareKind::Mps)
    }

    /// The published profile of this kind (F3).
    pub fn profile(self) -> HardwareProfile {
        let (performance_weight, energy_efficiency, thermal_efficiency) = match self {
            HardwareKind::Cpu => (1.0, 0.7, 0.8),
            HardwareKind::Cuda => (3.0, 0.5, 0.4),
            HardwareKind::Rocm => (2.8, 0.5, 0.4),
            HardwareKind::Mps => (2.5, 0.6, 0.6),
            HardwareKind::Openvino => (1.8, 0.8, 0.7),
            HardwareKind::Qnn => (1.4, 0.9, 0.9),
            HardwareKind::Webnn => (1.0, 0.7, 0.8),
            HardwareKind::Webgpu => (1.2, 0.6, 0.7),
        };
        HardwareProfile { performance_weight, energy_efficiency, thermal_efficiency }
    }
}

impl fmt::Display for HardwareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a machine draws, as its owner declares it; linear in the share of its slots that is busy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Power {
    /// Watts when nothing runs.
    pub idle_w: f64,
    /// Watts when every slot is busy.
    pub busy_w: f64,
}

/// What a worker offers (F1, F22).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inventory {
    /// How many tasks of one core each it runs at a time.
    pub slots: u32,
    /// Processors it may use.
    pub cores: u32,
    /// Memory it may use, in bytes.
    pub memory_bytes: u64,
    /// What its processor is made of, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<Box<Processor>>,
    /// Its devices, its processor among them.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Operating system, as Rust names it: `linux`, `macos`, `windows`.
    #[serde(default)]
    pub os: String,
    /// Processor architecture, as Rust names it: `x86_64`, `aarch64`.
    #[serde(default)]
    pub arch: String,
    /// Its host name.
    #[serde(default)]
    pub host: String,
    /// What its owner says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What it draws, where its owner says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<Power>,
    /// What an hour of it costs, where its owner says so (F21).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_hour: Option<f64>,
}

impl Inventory {
    /// The devices of one kind.
    pub fn of_kind(&self, kind: HardwareKind) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(move |device| device.kind == kind)
    }

    /// The memory of its largest device other than the processor, in bytes; absent where none tells.
    pub fn gpu_memory_bytes(&self) -> Option<u64> {
        self.devices.iter().filter(|device| device.kind != HardwareKind::Cpu).filter_map(|device| device.memory_bytes).max()
    }
}
