//! What a run is told beside its scenario: the policy, the seed and settings.

use crate::SimError;
use coordinator_core::Config;
use coordinator_core::policy::NAMES;
use shared::config::{BalancerConfig, parse_duration_s};
use std::time::Duration;

/// How often a simulated worker gives a sign of life, unless it is set: seldom, so that long runs are cheap.
const HEARTBEAT_S: f64 = 30.0;

/// Settings of the run itself; all others are options of the balancer.
const OF_RUN: [&str; 2] = ["heartbeat", "estimates"];

/// See the module.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policy that chooses tasks and machines.
    pub policy: String,
    /// Where the randomness begins; absent means where the scenario says.
    pub seed: Option<u64>,
    /// Settings, applied in order.
    pub settings: Vec<Setting>,
    /// Whether every fact of the coordinator is kept, to be written as its log.
    pub log: bool,
}

/// One `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What is set: `heartbeat`, `estimates`, or an option of the balancer.
    pub key: String,
    /// To what.
    pub value: String,
}

/// What the coordinator is told of how long tasks take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Estimates {
    /// The history of the scenario.
    History,
    /// The true time of every task on every kind of hardware: what a policy does when nothing is uncertain.
    Perfect,
}

/// The settings of a run, understood.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub config: Config,
    pub estimates: Estimates,
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { policy: NAMES[0].into(), seed: None, settings: Vec::new(), log: false }
    }
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form key=value"))?;
        Ok(Self { key: key.trim().into(), value: value.trim().into() })
    }
}

impl Estimates {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Estimates::History => "history",
            Estimates::Perfect => "perfect",
        }
    }
}

impl Options {
    pub(crate) fn settings(&self) -> Result<Settings, SimError> {
        let mut heartbeat_s = HEARTBEAT_S;
        let mut estimates = Estimates::History;
        for Setting { key, value } in &self.settings {
            match (key.as_str(), value.as_str()) {
                ("heartbeat", _) => heartbeat_s = heartbeat(value)?,
                ("estimates", "history") => estimates = Estimates::History,
                ("estimates", "perfect") => estimates = Estimates::Perfect,
                ("estimates", _) => {
                    return Err(SimError::Option(format!("estimates is `{value}`: it can be history or perfect")));
                }
                _ => {}
            }
        }
        Ok(Settings { config: config(heartbeat_s, self.balancer(BalancerConfig::default())?), estimates, log: self.log })
    }

    /// A table with those of the settings that are options of the balancer.
    pub(crate) fn balancer(&self, before: BalancerConfig) -> Result<BalancerConfig, SimError> {
        let mut balancer = serde_json::to_value(before).expect("a configuration can be written");
        for Setting { key, value } in self.settings.iter().filter(|setting| !OF_RUN.contains(&setting.key.as_str())) {
            set(&mut balancer, key, value)?;
        }
        let balancer: BalancerConfig =
            serde_json::from_value(balancer).map_err(|error| SimError::Option(format!("--set: {error}")))?;
        if let Some(problem) = balancer.problem() {
            return Err(SimError::Option(format!("--set: {problem}")));
        }
        Ok(balancer)
    }
}

fn heartbeat(text: &str) -> Result<f64, SimError> {
    let seconds = parse_duration_s(text).map_err(|problem| SimError::Option(format!("heartbeat: {problem}")))?;
    if (0.1..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(SimError::Option(format!("heartbeat is {seconds} s: it must be from 0.1 to 3600 seconds")))
    }
}

fn set(balancer: &mut serde_json::Value, key: &str, value: &str) -> Result<(), SimError> {
    let known = balancer.as_object_mut().expect("a configuration is an object");
    if !known.contains_key(key) {
        let keys: Vec<&str> = OF_RUN.into_iter().chain(known.keys().map(String::as_str)).collect();
        return Err(SimError::Option(format!("--set {key}: there is no such key; there are {}", keys.join(", "))));
    }
    // What is no number and no truth value is text, such as `5min`.
    let read = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    known.insert(key.to_owned(), read);
    Ok(())
}

/// The terms of production, longer only where a rarer heartbeat asks for it: no message of a simulated network is lost.
fn config(heartbeat_s: f64, balancer: BalancerConfig) -> Config {
    let terms = Config::default();
    let heartbeat = Duration::from_secs_f64(heartbeat_s);
    Config {
        heartbeat,
        suspect: terms.suspect.max(heartbeat.mul_f64(1.25)),
        lease: terms.lease.max(heartbeat.mul_f64(1.5)),
        balancer,
        ..terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[&str]) -> Result<Settings, SimError> {
        let settings = settings.iter().map(|text| text.parse().expect("key=value")).collect();
        Options { settings, ..Options::default() }.settings()
    }

    #[test]
    fn settings_reach_the_balancer_by_their_published_names() {
        let settings = with(&["check_interval=1min", "enable_task_migration=false", "heartbeat=5"]).expect("all are known");
        assert_eq!(settings.config.balancer.check_interval_s, 60.0);
        assert!(!settings.config.balancer.enable_task_migration);
        assert_eq!(settings.config.heartbeat, Duration::from_secs(5));
        assert_eq!(settings.config.lease, Config::default().lease);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused_with_those_that_do() {
        let error = with(&["chek_interval=5"]).expect_err("a typing error").to_string();
        assert!(error.contains("check_interval") && error.contains("heartbeat"), "{error}");
        assert!(with(&["estimates=guessed"]).is_err());
        assert!(with(&["utilization_threshold_high=2"]).is_err());
    }
}
