//! What a report reads: this program's views over the facts of one moment, the costly ones computed once.
//!
//! Views in a file are those of the program that wrote it last, and a reader may not change them. So each snapshot brings its
//! own, in the temporary schema of its connection, which hides the file's.

use crate::{Database, QueryError};
use std::fmt::Write;

/// Every view, in the order in which they build on each other.
pub(crate) const VIEWS: [&str; 5] = [
    include_str!("../views.sql"),
    include_str!("../series.sql"),
    include_str!("../machines.sql"),
    include_str!("../balancer.sql"),
    include_str!("../kpis.sql"),
];

/// Views that several others read. A snapshot holds their rows; of the rest only what is asked for is computed.
const KEPT: [&str; 15] = [
    "attempts",
    "tasks",
    "span",
    "attempt_accounts",
    "slowdowns",
    "presence",
    "workers",
    "summary",
    "tests",
    "results",
    "runs",
    "utilization_over_time",
    "samples_over_time",
    "energy",
    "migrations",
];

/// How a view begins.
const CREATE: &str = "CREATE OR REPLACE VIEW ";

/// Facts that say which machines are there: they count from before a stretch of time, too.
const OF_THE_FLEET: &str = "('worker_joined', 'worker_described', 'worker_left')";

impl Database {
    /// A connection that sees the facts as they are now, whatever is appended meanwhile; with `days`, only the tasks that were
    /// submitted in the last so many days before the newest fact, and what was measured since.
    pub fn snapshot(&self, days: Option<f64>) -> Result<Database, QueryError> {
        let snapshot = self.reader()?;
        let failed = |source| QueryError::new("computing the figures", source);
        let file: String = snapshot.connection.query_row("SELECT current_database()", [], |row| row.get(0)).map_err(failed)?;
        let facts = format!("\"{}\".main.facts", file.replace('"', "\"\""));
        let condition = match days {
            None => String::new(),
            Some(days) => {
                let since = format!("(SELECT max(t) FROM {facts}) - {} * 86400.0", days.max(0.0));
                format!(
                    "WHERE fact IN {OF_THE_FLEET} OR CASE WHEN task IS NULL THEN t >= {since} ELSE task >= \
                     (SELECT coalesce(min(task), 18446744073709551615) FROM {facts} WHERE fact = 'task_queued' AND t >= {since}) END"
                )
            }
        };
        let mut sql = format!("BEGIN; CREATE TEMP VIEW facts AS SELECT * FROM {facts} {condition};\n");
        for views in VIEWS {
            sql.push_str(&temporary(views));
        }
        snapshot.connection.execute_batch(&sql).map_err(failed)?;
        Ok(snapshot)
    }
}

/// The same views in the temporary schema, those that are kept as tables.
fn temporary(views: &str) -> String {
    let mut sql = String::new();
    for view in views.split(CREATE).skip(1) {
        let name = view.split_whitespace().next().expect("a view has a name");
        let what = if KEPT.contains(&name) { "TABLE" } else { "VIEW" };
        writeln!(sql, "CREATE TEMP {what} {view}").expect("text takes any length");
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_that_is_kept_exists() {
        let names: Vec<&str> =
            VIEWS.iter().flat_map(|views| views.split(CREATE).skip(1)).filter_map(|v| v.split_whitespace().next()).collect();
        for kept in KEPT {
            assert!(names.contains(&kept), "{kept}");
        }
        assert!(temporary("CREATE OR REPLACE VIEW span AS SELECT 1;").starts_with("CREATE TEMP TABLE span AS SELECT 1;"));
    }
}
