//! Graphics cards as the kernel's direct rendering manager lists them, whatever their maker.
//!
//! Formats: kernel documentation, gpu/drm-uapi.rst (`/sys/class/drm/cardN`) and ABI/testing/sysfs-bus-pci (`vendor`, `device`,
//! `uevent`).

use super::tree::Tree;

/// Makers by their PCI numbers.
const MAKERS: [(u64, &str); 4] = [(0x1002, "AMD"), (0x10de, "NVIDIA"), (0x8086, "Intel"), (0x5143, "Qualcomm")];

/// AMD's number on the PCI bus.
pub const AMD: u64 = 0x1002;
/// Intel's.
pub const INTEL: u64 = 0x8086;

/// One card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its folder, `sys/class/drm/card0`.
    pub folder: String,
    /// Its maker's number on the PCI bus.
    pub maker: u64,
    /// Its model's number, given by the maker.
    pub model: Option<u64>,
    /// Its place on the PCI bus, `0000:c1:00.0`.
    pub slot: Option<String>,
    /// The kernel's driver, `amdgpu`, `i915`, `xe`.
    pub driver: Option<String>,
}

/// All cards, in their order. Those without a PCI maker, such as a display controller on a chip, are left out.
pub fn cards(tree: &Tree) -> Vec<Card> {
    let names = tree.names("sys/class/drm").into_iter();
    // `card0-HDMI-A-1` is a connector of card 0.
    let cards = names.filter(|name| name.strip_prefix("card").is_some_and(|number| number.parse::<u32>().is_ok()));
    let known = |name: String| {
        let folder = format!("sys/class/drm/{name}");
        let maker = tree.hexadecimal(&format!("{folder}/device/vendor"))?;
        let event = format!("{folder}/device/uevent");
        Some(Card {
            maker,
            model: tree.hexadecimal(&format!("{folder}/device/device")),
            slot: tree.field(&event, "PCI_SLOT_NAME"),
            driver: tree.field(&event, "DRIVER"),
            folder,
        })
    };
    cards.filter_map(known).collect()
}

impl Card {
    /// Its maker's name, else its number.
    pub fn maker_name(&self) -> String {
        let known = MAKERS.iter().find(|(number, _)| *number == self.maker);
        known.map_or_else(|| format!("PCI maker 0x{:04x}", self.maker), |(_, name)| (*name).to_owned())
    }

    /// The folder of its sensors, where it has one.
    pub fn sensors(&self, tree: &Tree) -> Option<String> {
        let folder = format!("{}/device/hwmon", self.folder);
        tree.names(&folder).into_iter().find(|name| name.starts_with("hwmon")).map(|name| format!("{folder}/{name}"))
    }

    /// What people call it: maker, model number, place.
    pub fn described(&self) -> String {
        let model = self.model.map_or_else(String::new, |model| format!(" 0x{model:04x}"));
        let slot = self.slot.as_ref().map_or_else(String::new, |slot| format!(" at {slot}"));
        let driver = self.driver.as_ref().map_or_else(|| ", no driver".into(), |driver| format!(", driver {driver}"));
        format!("{}{model}{slot}{driver}", self.maker_name())
    }
}
