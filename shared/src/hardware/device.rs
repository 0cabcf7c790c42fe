//! One device of a machine, and what its processor is made of. What the system does not tell is absent.

use super::HardwareKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How sure we are that a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProbeLevel {
    /// Someone said so.
    Declared,
    /// The system lists it.
    Enumerated,
    /// Something ran on it.
    Executed,
}

/// One device of a machine. What the system does not tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its kind.
    pub kind: HardwareKind,
    /// How sure we are that it is there.
    pub probe: ProbeLevel,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What its maker calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its own memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// What tells it from its neighbours: a UUID, else its place on the PCI bus, else the name its runtime gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The version of its driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The runtime that would run work on it, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The instruction set its maker names, such as `gfx90a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// CUDA's compute capability, such as 8.6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_capability: Option<f64>,
    /// The number formats it computes in by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precisions: Vec<Precision>,
    /// How fast it is beside others of its kind, where its owner says so: twice the number takes half the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// The temperature at which it slows down, in degrees Celsius, where its driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle_c: Option<f64>,
}

/// A number format that hardware computes in by itself, rather than in steps of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Precision {
    /// 64-bit floating point.
    Fp64,
    /// 32-bit floating point.
    Fp32,
    /// 19 bits: the range of 32-bit floating point, 10 bits of fraction.
    Tf32,
    /// 16 bits: the range of 32-bit floating point, 7 bits of fraction.
    Bf16,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit floating point.
    Fp8,
    /// 4-bit floating point.
    Fp4,
    /// 8-bit integers, by dot products.
    Int8,
    /// 4-bit integers, by dot products.
    Int4,
}

/// What a processor is made of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Processor {
    /// Hardware threads that are online.
    pub threads: u32,
    /// Cores, each of one or more threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Packages on the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// Parts with memory of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa_nodes: Option<u32>,
    /// Processors' worth of time the control group allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_cores: Option<f64>,
    /// Memory the control group allows, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// Extensions of its instruction set that decide what runs fast, by the names the kernel gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

impl Device {
    /// A device of which nothing is known but its kind.
    pub fn of_kind(kind: HardwareKind, probe: ProbeLevel) -> Self {
        Self {
            kind,
            probe,
            vendor: None,
            name: None,
            address: None,
            memory_bytes: None,
            version: None,
            runtime: None,
            architecture: None,
            precisions: Vec::new(),
            compute_capability: None,
            speed: None,
            throttle_c: None,
        }
    }
}

impl fmt::Display for ProbeLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ProbeLevel::Declared => "declared",
            ProbeLevel::Enumerated => "enumerated",
            ProbeLevel::Executed => "executed",
        })
    }
}

impl Precision {
    /// The name used in facts and files.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp64 => "fp64",
            Precision::Fp32 => "fp32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
            Precision::Fp16 => "fp16",
            Precision::Fp8 => "fp8",
            Precision::Fp4 => "fp4",
            Precision::Int8 => "int8",
            Precision::Int4 => "int4",
        }
    }
}
