//! The tables of the page. Each is left out where it would be empty.

use crate::advice;
use crate::figures::{FAILURES_MAX, Figures};
use crate::text::{UNKNOWN, count, duration, energy, escape, or_unknown, percent, plural};
use std::fmt::Write;

/// More of a message than this is left to the log.
const MESSAGE_CHARACTERS_MAX: usize = 4000;

/// Beyond this many failures the messages are folded, so that the figures below stay within reach.
const OPEN_MESSAGES_MAX: usize = 10;

/// A column: its title, and whether it holds numbers.
type Column = (&'static str, bool);

/// What to do about what was found, with its evidence.
pub fn advice(figures: &Figures) -> String {
    let items = advice::of(figures)
        .into_iter()
        .map(|advice| format!("<li>{}<br><code>{}</code></li>\n", with_code(&advice.sentence), escape(&advice.query)));
    let items: String = items.collect();
    if items.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>Recommendations</h2>\n<ul class=\"advice\">\n{items}</ul>\n</section>\n")
}

/// Text in which what stands between backquotes is a command.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| {
        let part = escape(part);
        if at % 2 == 1 { format!("<code>{part}</code>") } else { part }
    });
    parts.collect()
}

/// The published key figures.
pub fn kpis(figures: &Figures) -> String {
    let kpis = &figures.kpis;
    let number = |figure: Option<f64>| or_unknown(figure, |figure| format!("{figure:.4}"));
    let rows = [
        (
            "Throughput",
            or_unknown(kpis.throughput_per_s, |rate| format!("{rate:.2} tasks/s")),
            "tasks that passed or failed, per second of the makespan",
        ),
        ("Average latency", or_unknown(kpis.average_latency_s, duration), "mean flow: submit to verdict"),
        (
            "Load balance efficiency",
            number(kpis.load_balance_efficiency),
            "1 / (1 + variance) of the number of tasks per worker; on unlike machines equal numbers are not the aim",
        ),
        ("Ideal tasks per worker", or_unknown(kpis.ideal_tasks_per_worker, |tasks| format!("{tasks:.1}")), "tasks / workers"),
        (
            "Load distribution variance",
            number(kpis.load_distribution_variance),
            "variance of the workers' utilization, 0 to 0.25",
        ),
        ("Task migration rate", number(kpis.task_migration_rate), "moves that arrived, per task that started"),
        ("Queue latency", or_unknown(kpis.mean_queue_latency_s, duration), "mean wait: submit to the first start of a process"),
        ("Queue latency, p95", or_unknown(kpis.p95_queue_latency_s, duration), "95 of 100 tasks waited at most so long"),
        (
            "Utilization efficiency",
            or_unknown(kpis.utilization_efficiency, percent),
            "slot-seconds whose result counted / slot-seconds that were there",
        ),
        ("Fairness index", number(kpis.fairness_index), "Jain's index over owners: 1 is even"),
        (
            "Energy per passed task",
            or_unknown(kpis.joules_per_passed_task, energy),
            "of the whole fleet; only where every worker tells or declares what it draws",
        ),
    ];
    let columns = [("Figure", false), ("Value", true), ("Definition", false)];
    let rows = rows.into_iter().map(|(name, value, definition)| {
        format!("<td class=\"name\">{name}</td><td class=\"number\">{}</td><td>{}</td>", escape(&value), escape(definition))
    });
    table("Key figures", "Each is defined once, in the view kpis of the database.", &columns, rows)
}

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
        ("Hardware", false),
    ];
    let rows = figures.workers.iter().map(|row| {
        let machine = figures.machines.iter().find(|machine| machine.worker == row.worker);
        let hardware = machine.map_or(UNKNOWN, |machine| &machine.hardware);
        let simulated = if machine.is_some_and(|machine| machine.is_simulated) { " (simulated)" } else { "" };
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
        let (name, hardware) = (escape(&row.worker), escape(hardware));
        format!("<td class=\"name\">{name}</td>{}<td>{hardware}{simulated}</td>", cells(&numbers))
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
