//! Sensors of one chip: temperatures, power, fans, clocks.
//!
//! Format: kernel documentation, hwmon/sysfs-interface.rst: thousandths of a degree, millionths of a watt or joule, hertz.

use super::tree::Tree;

/// The temperature in degrees Celsius at which the hottest part of the chip slows down; absent where the chip does not tell.
pub fn critical_c(tree: &Tree, chip: &str) -> Option<f64> {
    celsius(tree, &format!("{chip}/{}_crit", hottest(tree, chip)))
}

/// The temperature of the hottest part of the chip, in degrees Celsius.
pub fn temperature_c(tree: &Tree, chip: &str) -> Option<f64> {
    celsius(tree, &format!("{chip}/{}_input", hottest(tree, chip)))
}

/// What the chip draws, in watts: on average, else at this moment.
pub fn power_w(tree: &Tree, chip: &str) -> Option<f64> {
    let average = tree.number::<f64>(&format!("{chip}/power1_average"));
    average.or_else(|| tree.number(&format!("{chip}/power1_input"))).map(|microwatts| microwatts / 1e6)
}

/// Joules the chip has drawn since its counter began, in all.
pub fn energy_j(tree: &Tree, chip: &str) -> Option<f64> {
    tree.number::<f64>(&format!("{chip}/energy1_input")).map(|microjoules| microjoules / 1e6)
}

/// The fastest fan of the chip, in turns per minute.
pub fn fan_rpm(tree: &Tree, chip: &str) -> Option<u32> {
    let fans = tree.names(chip).into_iter().filter(|name| name.starts_with("fan") && name.ends_with("_input"));
    fans.filter_map(|name| tree.number(&format!("{chip}/{name}"))).max()
}

/// AMD calls the hottest spot `junction`, Intel the whole package `pkg`; other chips have one sensor.
fn hottest(tree: &Tree, chip: &str) -> String {
    let names = tree.names(chip).into_iter();
    let labelled = names.filter_map(|name| Some((name.strip_suffix("_label")?.to_owned(), name)));
    let mut hot = labelled.filter(|(_, file)| {
        let label = tree.text(&format!("{chip}/{file}")).unwrap_or_default();
        file.starts_with("temp") && matches!(label.as_str(), "junction" | "pkg")
    });
    hot.next().map_or_else(|| "temp1".into(), |(sensor, _)| sensor)
}

/// A temperature that hardware can have: a sensor that is not read yet tells 0 or less, a broken one thousands.
fn celsius(tree: &Tree, file: &str) -> Option<f64> {
    let celsius = tree.number::<f64>(file)? / 1e3;
    if (1.0..200.0).contains(&celsius) {
        return Some(celsius);
    }
    tree.warn(format!("/{file} tells {celsius} degrees, which nothing here can have"));
    None
}
