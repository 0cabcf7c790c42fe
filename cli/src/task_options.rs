//! Options that describe tasks, the same for `run` and `submit`.

use shared::api::{Requirements, TaskRequest};
use shared::requirement::Requirement;
use shared::task::{Priority, Timeouts};
use std::path::PathBuf;

/// How tasks are to be run.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Tasks")]
pub struct TaskOptions {
    /// Ship the files of this folder to the workers, by content; what .gitignore names stays here
    #[arg(long, value_name = "DIR")]
    pub sync: Option<PathBuf>,
    /// Set a variable; without =V it is taken from this environment
    #[arg(long = "env", value_name = "K[=V]", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// What a machine must have, such as 'memory>=16GB && (cuda || rocm)'
    #[arg(long, value_name = "EXPR", value_parser = requirement)]
    pub requires: Option<String>,
    /// 1 (can wait) to 10 (urgent) [default: 5]
    #[arg(long, value_name = "N", value_parser = priority)]
    pub priority: Option<Priority>,
    /// How often work that fails is tried again [default: 0]
    #[arg(long, visible_alias = "reruns", value_name = "N")]
    pub retries: Option<u8>,
    /// Seconds a task (of a suite: one chunk of its tests) may run
    #[arg(long, value_name = "S", value_parser = crate::run::positive_seconds)]
    pub timeout: Option<f64>,
    /// Seconds a task may go on without printing anything
    #[arg(long, value_name = "S", value_parser = crate::run::positive_seconds)]
    pub silence_timeout: Option<f64>,
    /// Who asks [default: the user's name]
    #[arg(long)]
    pub owner: Option<String>,
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
}

impl TaskOptions {
    /// Fills in what was said; what a task says of itself stays where nothing was. Requirements must all hold.
    pub fn apply(&self, task: &mut TaskRequest) {
        task.env.extend(self.env.iter().cloned());
        task.priority = self.priority.or(task.priority);
        task.retries = self.retries.or(task.retries);
        task.owner = self.owner.clone().or(task.owner.take()).or_else(user);
        if let Some(requires) = &self.requires {
            task.requirements = Some(match task.requirements.take() {
                None => Requirements::Expression(requires.clone()),
                Some(Requirements::Expression(own)) => Requirements::Expression(format!("({own}) && ({requires})")),
                Some(Requirements::ByName(own)) => {
                    let own: Vec<String> = own.iter().map(|(name, bound)| format!("{name}{bound}")).collect();
                    Requirements::Expression(format!("({}) && ({requires})", own.join(" && ")))
                }
            });
        }
        if self.timeout.is_some() || self.silence_timeout.is_some() {
            let said = task.timeouts.take().unwrap_or_default();
            task.timeouts = Some(Timeouts {
                run_s: self.timeout.or(said.run_s).or(task.timeout_s.take()),
                silence_s: self.silence_timeout.or(said.silence_s),
                ..said
            });
            task.timeout_s = None;
        }
    }
}

fn user() -> Option<String> {
    std::env::var("USER").ok().filter(|user| !user.is_empty())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => match std::env::var(text) {
            Ok(value) => (text, value),
            Err(_) => return Err(format!("{text} is not set here; write {text}=VALUE")),
        },
    };
    if name.is_empty() { Err("a variable needs a name: NAME=VALUE".to_owned()) } else { Ok((name.to_owned(), value)) }
}

fn requirement(text: &str) -> Result<String, String> {
    text.parse::<Requirement>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn priority(text: &str) -> Result<Priority, String> {
    let level = text.parse().ok().and_then(Priority::new);
    level.ok_or_else(|| "a priority is from 1 (can wait) to 10 (urgent)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_said_wins_and_requirements_add_up() {
        let options = TaskOptions {
            requires: Some("cores>=2".to_owned()),
            timeout: Some(5.0),
            env: vec![("A".to_owned(), "2".to_owned())],
            ..TaskOptions::default()
        };
        let mut task = TaskRequest {
            requirements: Some(Requirements::Expression("cuda || rocm".to_owned())),
            timeout_s: Some(60.0),
            retries: Some(3),
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            ..TaskRequest::default()
        };
        options.apply(&mut task);
        assert_eq!(task.requirements, Some(Requirements::Expression("(cuda || rocm) && (cores>=2)".to_owned())));
        assert_eq!((task.timeout_s, task.timeouts.and_then(|limits| limits.run_s)), (None, Some(5.0)));
        assert_eq!((task.retries, task.env["A"].as_str()), (Some(3), "2"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_refused() {
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(variable("EVENKEEL_NO_SUCH_VARIABLE").is_err() && variable("=x").is_err());
    }
}
