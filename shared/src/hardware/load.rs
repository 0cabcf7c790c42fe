//! How busy a machine and its devices are, as heartbeats tell. What the system does not tell is absent, never 0.

use serde::{Deserialize, Serialize};

/// How busy a worker is (F10). What the system does not tell is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Load {
    /// Share of its processors in use, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Share of its memory in use, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// Share of the disk under its work directory in use, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<f64>,
    /// The one-minute load average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_average: Option<f64>,
    /// The temperature of its hottest device, in degrees Celsius (F13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// What it draws, in watts (F13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    /// How fast it runs beside its own normal: 0.5 when its clocks are halved by heat or half its time is taken by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Share of each processor in use, in percent; empty where there are more than [`CORES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cores: Vec<u8>,
    /// Share of time in which something waited for a scarce good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Bytes read from disks per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bps: Option<u64>,
    /// Bytes written to disks per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_write_bps: Option<u64>,
    /// Bytes received per second, from other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_in_bps: Option<u64>,
    /// Bytes sent per second, to other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_out_bps: Option<u64>,
    /// The mean clock of its processors, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<u32>,
    /// The fastest fan, in turns per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_rpm: Option<u32>,
    /// What slows its processor down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    /// What its devices tell of themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceLoad>,
}

/// The processors whose use is told one by one; more would make every heartbeat long.
pub const CORES_MAX: usize = 256;

/// Share of the last ten seconds in which at least one process waited for each, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pressure {
    /// A processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// A disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io: Option<f64>,
}

/// Why hardware runs slower than it could, from nothing to the gravest reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Throttle {
    /// Nothing slows it down.
    Nothing,
    /// It idles, or its owner set its clocks.
    Setting,
    /// It is at its limit of power.
    Power,
    /// It is too hot.
    Heat,
}

/// How busy one device is. What it does not tell is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceLoad {
    /// Which: its place among [`crate::hardware::Inventory::devices`], from 0.
    pub device: u32,
    /// Share of time in which it computed, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// Its memory in use, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_used_bytes: Option<u64>,
    /// In degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature_c: Option<f64>,
    /// What it draws, in watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_w: Option<f64>,
    /// The clock of its computing units, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<u32>,
    /// Its fastest fan, in turns per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_rpm: Option<u32>,
    /// What slows it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
}
