//! The tables of the page. Each is left out where it would be empty.

use crate::figures::{FAILURES_MAX, Figures};
use crate::text::{UNKNOWN, count, duration, escape, or_unknown, percent, plural};
use std::fmt::Write;

/// More of a message than this is left to the log.
const MESSAGE_CHARACTERS_MAX: usize = 4000;

/// Beyond this many failures the messages are folded, so that the figures below stay within reach.
const OPEN_MESSAGES_MAX: usize = 10;

/// A column: its title, and whether it holds numbers.
type Column = (&'static str, bool);

/// What did not pass, with what it said.
pub fn failures(figures: &Figures) -> String {
    let columns = [("What", false), ("Verdict", false), ("Worker", false), ("Took", true)];
    let shown = &figures.failures[..figures.failures.len().min(FAILURES_MAX)];
    let rows = shown.iter().enumerate().map(|(at, row)| {
        let message = said(row.message.as_deref(), at < OPEN_MESSAGES_MAX);
        format!(
            "<td class=\"name\">{}{message}</td><td class=\"red\">{}</td><td>{}</td><td class=\"number\">{}</td>",
            escape(&row.name),
            escape(&row.outcome),
            escape(row.worker.as_deref().unwrap_or(UNKNOWN)),
            or_unknown(row.seconds, duration),
        )
    });
    let note = if figures.failures.len() > FAILURES_MAX {
        format!("The newest {FAILURES_MAX}; there are more in the database.")
    } else {
        "Tests that failed, and tasks that did not pass although no test of theirs failed.".to_owned()
    };
    table("What failed", &note, &columns, rows)
}

/// What changed its mind.
pub fn flaky(figures: &Figures) -> String {
    let columns = [("What", false), ("Failed", true), ("Passed", true)];
    let rows = figures.flaky.iter().map(|row| {
        let message = said(row.message.as_deref(), false);
        format!(
            "<td class=\"name\">{}{message}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>",
            escape(&row.name),
            count(row.red),
            count(row.green)
        )
    });
    table(
        "Flaky",
        "Failed at least once and passed at least once with the same code; what it said when it last failed.",
        &columns,
        rows,
    )
}

/// What took longest.
pub fn slowest(figures: &Figures) -> String {
    let columns = [("What", false), ("Times", true), ("Mean", true), ("Longest", true), ("Longest on", false)];
    let rows = figures.slowest.iter().map(|row| {
        format!(
            "<td class=\"name\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td>",
            escape(&row.name),
            count(row.times),
            duration(row.mean_s),
            duration(row.max_s),
            escape(row.slowest_on.as_deref().unwrap_or(UNKNOWN)),
        )
    });
    table("", "", &columns, rows)
}

/// What each worker did.
pub fn workers(figures: &Figures) -> String {
    let columns = [
        ("Worker", false),
        ("Slots", true),
        ("Utilization", true),
        ("Busy slot time", true),
        ("Attempts", true),
        ("Passed", true),
        ("Failed", true),
        ("Lost", true),
        ("Moved away", true),
        ("Waste", true),
    ];
    let rows = figures.workers.iter().map(|row| {
        let numbers = [
            or_unknown(row.slots, |slots| format!("{slots:.0}")),
            or_unknown(row.utilization, percent),
            duration(row.busy_slot_s),
            count(row.attempts),
            count(row.passed),
            count(row.failed),
            count(row.lost),
            count(row.moved_away),
            duration(row.waste_slot_s),
        ];
        format!("<td class=\"name\">{}</td>{}", escape(&row.worker), cells(&numbers))
    });
    table("", "", &columns, rows)
}

/// How evenly owners were served; one owner alone tells nothing.
pub fn owners(figures: &Figures) -> String {
    if figures.owners.len() < 2 {
        return String::new();
    }
    let columns = [("Owner", false), ("Tasks", true), ("Mean wait", true), ("Mean flow", true), ("Mean slowdown", true)];
    let rows = figures.owners.iter().map(|row| {
        let numbers = [
            count(row.tasks),
            or_unknown(row.mean_wait_s, duration),
            or_unknown(row.mean_flow_s, duration),
            or_unknown(row.mean_slowdown, |slowdown| format!("{slowdown:.2}")),
        ];
        let owner = if row.owner.is_empty() { "(no owner)" } else { &row.owner };
        format!("<td class=\"name\">{}</td>{}", escape(owner), cells(&numbers))
    });
    table("Who was served how", "Whose work waited and took how long, on average over their tasks.", &columns, rows)
}

/// The runs, where there is more than one.
pub fn runs(figures: &Figures) -> String {
    if figures.runs.len() < 2 {
        return String::new();
    }
    let columns = [
        ("Run", true),
        ("Begins after", true),
        ("Lasted", true),
        ("Tasks", true),
        ("Passed", true),
        ("Otherwise", true),
        ("Under way", true),
        ("Mean wait", true),
        ("Utilization", true),
    ];
    let from = figures.summary.from_s.unwrap_or(0.0);
    let rows = figures.runs.iter().map(|row| {
        cells(&[
            count(row.run),
            duration(row.from_s - from),
            or_unknown(row.makespan_s, duration),
            count(row.tasks),
            count(row.passed),
            count(row.not_passed),
            count(row.unfinished),
            or_unknown(row.mean_wait_s, duration),
            or_unknown(row.utilization, percent),
        ])
    });
    table("Runs", "A run is a stretch in which some task has no verdict; the newest first.", &columns, rows)
}

fn cells(numbers: &[String]) -> String {
    numbers.iter().map(|number| format!("<td class=\"number\">{number}</td>")).collect()
}

fn table(title: &str, note: &str, columns: &[Column], rows: impl Iterator<Item = String>) -> String {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section>\n");
    if !title.is_empty() {
        let _ = writeln!(html, "<h2>{title}</h2>\n<p class=\"caption\">{}</p>", escape(note));
    }
    html.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (column, is_number) in columns {
        let _ = write!(html, "<th{}>{column}</th>", if *is_number { " class=\"number\"" } else { "" });
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let _ = writeln!(html, "<tr>{row}</tr>");
    }
    html + "</tbody></table></div>\n</section>\n"
}

/// A message under the name it belongs to.
fn said(message: Option<&str>, is_open: bool) -> String {
    let Some(message) = message.filter(|message| !message.trim().is_empty()) else { return String::new() };
    let open = if is_open { " open" } else { "" };
    format!("<details{open}><summary>what it said</summary><pre>{}</pre></details>", escape(&cut(message)))
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => {
            let left = message[end..].chars().count() as u64;
            format!("{}\n… {} more in the log of the task", &message[..end], plural(left, "character"))
        }
        None => message.trim_end().to_owned(),
    }
}
