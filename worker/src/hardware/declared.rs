//! Hardware that its owner declares: `cuda`, `cuda:memory=24GB,count=2`.

use shared::hardware::{Device, HardwareKind, ProbeLevel};
use shared::requirement::bytes;
use std::str::FromStr;

/// More devices of a kind than this nobody has in one machine.
const COUNT_MAX: u32 = 64;

/// Devices of one kind that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Their kind.
    pub kind: HardwareKind,
    /// How many.
    count: u32,
    device: Device,
}

impl Declared {
    /// The devices, one by one.
    pub fn devices(&self) -> impl Iterator<Item = Device> + '_ {
        (0..self.count).map(|_| self.device.clone())
    }
}

impl FromStr for Declared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let names: Vec<&str> = HardwareKind::ALL.iter().map(|kind| kind.name()).collect();
        let kind = HardwareKind::from_name(name)
            .ok_or_else(|| format!("`{name}` is no kind of hardware: one of {}", names.join(", ")))?;
        let mut declared = Declared { kind, count: 1, device: Device::of_kind(kind, ProbeLevel::Declared) };
        for pair in rest.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}`: write KEY=VALUE, such as memory=24GB"))?;
            declared.set(key, value)?;
        }
        Ok(declared)
    }
}

impl Declared {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        let due = |what: &str| format!("{key}=`{value}`: {what} is due");
        match key {
            "memory" => self.device.memory_bytes = Some(bytes(value)?),
            "count" => {
                let count = value.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
                self.count = count.ok_or_else(|| due("a number from 1 to 64"))?;
            }
            "name" => self.device.name = Some(value.to_owned()),
            "compute_capability" => {
                self.device.compute_capability = Some(number().ok_or_else(|| due("a version such as 8.6"))?);
            }
            "speed" => self.device.speed = Some(number().ok_or_else(|| due("a number such as 1.5"))?),
            "throttle_c" => self.device.throttle_c = Some(number().ok_or_else(|| due("a temperature such as 84"))?),
            _ => return Err(format!("`{key}` is none of memory, count, name, compute_capability, speed, throttle_c")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_says_what_and_how_many_and_what_is_wrong_with_it() {
        let two: Declared = "cuda:memory=24GB,count=2,compute_capability=8.6".parse().expect("it is right");
        let devices: Vec<Device> = two.devices().collect();
        assert_eq!((devices.len(), devices[0].memory_bytes, devices[1].compute_capability), (2, Some(24_000_000_000), Some(8.6)));
        assert!(devices.iter().all(|device| device.probe == ProbeLevel::Declared));
        assert_eq!("qnn".parse::<Declared>().expect("it is right").devices().count(), 1);
        for (wrong, why) in [
            ("gpu", "one of cpu, cuda"),
            ("cuda:24GB", "KEY=VALUE"),
            ("cuda:memory=lots", "16GB"),
            ("cuda:memory=-1GB", "16GB"),
            ("cuda:count=0", "from 1 to 64"),
            ("cuda:colour=red", "none of memory"),
        ] {
            let said = wrong.parse::<Declared>().expect_err(wrong);
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}
