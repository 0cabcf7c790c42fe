//! The subcommands, one file each.

pub mod cancel;
pub mod completion;
pub mod config;
pub mod logs;
pub mod migrate;
pub mod replay;
pub mod report;
pub mod simulate;
pub mod status;
pub mod submit;
pub mod task;
pub mod tasks;
pub mod top;
pub mod watch;
pub mod why;
pub mod workers;

use shared::id::TaskId;

/// A task's number as it is typed.
pub fn task_id(text: &str) -> Result<TaskId, String> {
    match text.parse::<u64>() {
        Ok(number) if number > 0 => Ok(TaskId(number)),
        _ => Err("a task has a number from 1; `evenkeel tasks` lists them".to_owned()),
    }
}
