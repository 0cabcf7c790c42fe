//! The balancer's published configuration (F77 to F90): flags of `coordinator`, keys of its TOML file, `GET /api/config`.

use serde::{Deserialize, Deserializer, Serialize};

/// Every option of the published table, with its default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BalancerConfig {
    /// Seconds between two looks at the fleet.
    #[serde(rename = "check_interval", deserialize_with = "duration_s")]
    pub check_interval_s: f64,
    /// A worker above this share is overloaded, 0 to 1.
    pub utilization_threshold_high: f64,
    /// A worker below this share is underloaded, 0 to 1.
    pub utilization_threshold_low: f64,
    /// Seconds of measurements that count.
    #[serde(rename = "performance_window", deserialize_with = "duration_s")]
    pub performance_window_s: f64,
    /// Move running tasks.
    pub enable_task_migration: bool,
    /// Migrations in flight at a time.
    pub max_simultaneous_migrations: u32,
    /// Let the thresholds follow the load.
    pub enable_dynamic_thresholds: bool,
    /// Act on predicted imbalance.
    pub enable_predictive_balancing: bool,
    /// Weigh what a move costs against what it gains.
    pub enable_cost_benefit_analysis: bool,
    /// Treat kinds of hardware differently.
    pub enable_hardware_specific_strategies: bool,
    /// Foresee how warm a machine gets, and that it slows down then; count joules.
    pub enable_resource_efficiency: bool,
    /// How many seconds of a task's time saving a kilojoule is worth; 0 where only time counts.
    pub energy_weight: f64,
    /// How fast the thresholds follow.
    pub threshold_adjustment_rate: f64,
    /// How far ahead to predict, in seconds.
    #[serde(rename = "prediction_window", deserialize_with = "duration_s")]
    pub prediction_window_s: f64,
}

impl Default for BalancerConfig {
    fn default() -> Self {
        Self {
            check_interval_s: 30.0,
            utilization_threshold_high: 0.85,
            utilization_threshold_low: 0.2,
            performance_window_s: 300.0,
            enable_task_migration: true,
            max_simultaneous_migrations: 2,
            enable_dynamic_thresholds: true,
            enable_predictive_balancing: true,
            enable_cost_benefit_analysis: true,
            enable_hardware_specific_strategies: true,
            enable_resource_efficiency: true,
            energy_weight: 0.0,
            threshold_adjustment_rate: 0.05,
            prediction_window_s: 180.0,
        }
    }
}

/// Seconds, from a number of seconds or from text such as `30s`, `5min`, `1.5h`, `250ms`.
///
/// # Errors
/// What the text should have been.
pub fn parse_duration_s(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.trim() {
        "" | "s" | "sec" => 1.0,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{text}` has no known unit of time; write 30s, 5min or 250ms")),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number * unit),
        _ => Err(format!("`{text}` is not a duration; write 30s, 5min or 250ms")),
    }
}

fn duration_s<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(u64),
        Seconds(f64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Whole(seconds) => Ok(seconds as f64),
        Written::Seconds(seconds) => Ok(seconds),
        Written::Text(text) => parse_duration_s(&text).map_err(serde::de::Error::custom),
    }
}

impl BalancerConfig {
    /// What is wrong with these values; nothing when they make sense together.
    pub fn problem(&self) -> Option<String> {
        let share = 0.0..=1.0;
        let positive = [
            ("check_interval", self.check_interval_s),
            ("performance_window", self.performance_window_s),
            ("prediction_window", self.prediction_window_s),
        ];
        if let Some((name, value)) = positive.into_iter().find(|(_, value)| !(0.01..=1e7).contains(value)) {
            return Some(format!("{name} = {value}: it must be from 0.01 to 10000000 seconds"));
        }
        if !share.contains(&self.utilization_threshold_high) || !share.contains(&self.utilization_threshold_low) {
            return Some("utilization_threshold_high and utilization_threshold_low must be from 0 to 1".into());
        }
        if self.utilization_threshold_low >= self.utilization_threshold_high {
            return Some("utilization_threshold_low must be below utilization_threshold_high".into());
        }
        if !(0.0..=1e6).contains(&self.energy_weight) {
            return Some("energy_weight must be from 0 to 1000000 seconds for a kilojoule".into());
        }
        if !share.contains(&self.threshold_adjustment_rate) {
            return Some("threshold_adjustment_rate must be from 0 to 1".into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_units() {
        for (text, seconds) in [("30", 30.0), ("30s", 30.0), ("5 min", 300.0), ("1.5h", 5400.0), ("250ms", 0.25)] {
            assert_eq!(parse_duration_s(text), Ok(seconds), "{text}");
        }
        for wrong in ["", "soon", "5 fortnights", "-1s", "nan"] {
            assert!(parse_duration_s(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_published_names_and_defaults_are_kept() {
        let json = serde_json::to_value(BalancerConfig::default()).expect("serialisable");
        for (name, value) in [("check_interval", 30.0), ("performance_window", 300.0), ("prediction_window", 180.0)] {
            assert_eq!(json[name], value, "{name}");
        }
        let read: BalancerConfig = serde_json::from_str(r#"{"check_interval": "1min"}"#).expect("valid");
        assert_eq!(read.check_interval_s, 60.0);
        assert!(BalancerConfig { utilization_threshold_low: 0.9, ..read }.problem().is_some());
    }
}
