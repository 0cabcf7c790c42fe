//! The page: what happened in a sentence, the figures, what failed, and how each number is defined.

mod table;

use crate::ReportError;
use crate::chart::Chart;
use crate::figures::Figures;
use crate::metric::Metric;
use crate::render;
use crate::text::{count, duration, escape, or_unknown, percent, plural};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use benchmark_db::Summary;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The report as HTML with everything inside.
pub fn html(figures: &Figures, charts: &[Chart]) -> Result<String, ReportError> {
    let mut page = head(&headline(figures).0, false);
    page += &top(figures);
    if figures.summary.tasks > 0 {
        page += &table::advice(figures);
        page += &table::failures(figures);
        page += &table::flaky(figures);
        for chart in charts {
            page += &section(chart)?;
            match chart.metric {
                Metric::SystemLoad => page += &table::workers(figures),
                Metric::Slowest => page += &table::slowest(figures),
                _ => {}
            }
        }
        page += &table::owners(figures);
        page += &table::runs(figures);
        page += &table::kpis(figures);
    }
    page += &footer(figures);
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(page)
}

/// One figure as a page. An interactive one shows values as soon as it is pointed at.
pub fn one(figures: &Figures, chart: &Chart, interactive: bool) -> Result<String, ReportError> {
    let mut page = head(chart.metric.title(), interactive);
    page += &simulated(figures);
    page += &section(chart)?;
    let _ = writeln!(page, "<p class=\"caption\">Its rows: <code>{}</code></p>", escape(chart.metric.query()));
    page += &format!("<footer>\n{}</footer>\n</main>\n", origin(figures));
    if interactive {
        page += &format!("<script>{SCRIPT}</script>\n");
    }
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

/// The one script of interactive pages.
const SCRIPT: &str = include_str!("page/point.js");

/// Everything before the first words.
fn head(title: &str, interactive: bool) -> String {
    // Whatever a name or message holds, nothing is fetched, and nothing runs but the one script that is known by its digest.
    let script =
        if interactive { format!("; script-src 'sha256-{}'", STANDARD.encode(Sha256::digest(SCRIPT))) } else { String::new() };
    let title = escape(title);
    let style = include_str!("page/style.css");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'{script}\">\n\
         <title>{title} · Evenkeel</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
    )
}

fn simulated(figures: &Figures) -> String {
    figures.simulated().map(|words| format!("<p class=\"simulated\">{}</p>\n", escape(&words))).unwrap_or_default()
}

/// The verdict in a sentence, and whether all is well; nothing is said of that before it is known.
fn headline(figures: &Figures) -> (String, Option<bool>) {
    let summary = &figures.summary;
    let done = summary.tasks - summary.unfinished;
    let wrong = done - summary.passed - summary.cancelled;
    if summary.tasks == 0 {
        return ("Nothing has run yet".into(), None);
    }
    let sentence = match (wrong, summary.unfinished) {
        (0, 0) if summary.cancelled == summary.tasks => return (format!("{} cancelled", plural(summary.tasks, "task")), None),
        (0, 0) if summary.tasks == 1 => "The task passed".into(),
        (0, 0) => format!("All {} passed", plural(summary.passed, "task")),
        (0, waiting) => return (format!("{} of {} still under way", count(waiting), plural(summary.tasks, "task")), None),
        (wrong, 0) => format!("{} of {} did not pass", count(wrong), plural(summary.tasks, "task")),
        (wrong, waiting) => {
            format!("{} of {} did not pass, {} still under way", count(wrong), plural(summary.tasks, "task"), count(waiting))
        }
    };
    (sentence, Some(wrong == 0))
}

fn top(figures: &Figures) -> String {
    let (sentence, is_well) = headline(figures);
    let class = match is_well {
        Some(true) => " class=\"verdict-good\"",
        Some(false) => " class=\"verdict-bad\"",
        None => "",
    };
    let summary = &figures.summary;
    let mut top = format!("<header>\n<h1{class}>{}</h1>\n", escape(&sentence));
    if summary.tasks == 0 {
        top.push_str(
            "<p class=\"when\">The database is there, but no task was submitted to it. Run a suite, then write this page again.</p>\n",
        );
        return top + "</header>\n";
    }
    let began = figures.began.as_ref().map(|began| format!("Began {}, ", escape(began))).unwrap_or_default();
    let lasted = summary.makespan_s.map(|makespan| format!("lasted {}, ", duration(makespan))).unwrap_or_default();
    let line = format!("{began}{lasted}on {}.", plural(summary.workers, "worker"));
    let mut characters = line.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let days =
        figures.days.map(|days| format!(" Of the tasks submitted in the last {} only.", days_in_words(days))).unwrap_or_default();
    let _ = writeln!(top, "<p class=\"when\">{first}{}{days}</p>", characters.as_str());
    top + &simulated(figures) + &cards(figures) + "</header>\n"
}

fn days_in_words(days: f64) -> String {
    if days == 1.0 { "day".into() } else { format!("{days} days") }
}

fn cards(figures: &Figures) -> String {
    let summary = &figures.summary;
    let of = |share: u64, what: &str| (share > 0).then(|| format!("{} {what}", count(share)));
    let verdicts = [
        of(summary.failed, "failed"),
        of(summary.error, "broken by machines"),
        of(summary.cancelled, "cancelled"),
        of(summary.expired, "expired"),
        of(summary.quarantined, "quarantined"),
        of(summary.unfinished, "under way"),
    ];
    let verdicts: Vec<_> = verdicts.into_iter().flatten().collect();
    let verdicts = if verdicts.is_empty() { "none otherwise".to_owned() } else { verdicts.join(", ") };
    let mut cards = vec![("Tasks passed", format!("{} of {}", count(summary.passed), count(summary.tasks)), verdicts)];
    let tests: u64 = figures.test_outcomes.iter().map(|(_, tests)| tests).sum();
    if tests > 0 {
        let named = |outcome: &str| figures.test_outcomes.iter().find(|(name, _)| name == outcome).map_or(0, |(_, tests)| *tests);
        let others = ["failed", "error", "skipped", "xfailed", "xpassed"].iter().filter_map(|name| of(named(name), name));
        let others = others.collect::<Vec<_>>().join(", ");
        let others = if others.is_empty() { "none otherwise".into() } else { others };
        cards.push(("Tests passed", format!("{} of {}", count(named("passed")), count(tests)), others));
    }
    cards.extend(time_cards(summary));
    let flaky = figures.flaky.len() as u64;
    cards.push(("Retries", count(summary.retries), format!("{} in all", plural(summary.attempts, "attempt"))));
    cards.push(("Flaky", count(flaky), "failed and passed with the same code".into()));
    cards.push(("Migrations", count(summary.migrations), "tasks moved while they ran".into()));
    cards.push(("Waste", duration(summary.waste_s), "slot time of attempts that did not count".into()));
    let mut html = String::from("<dl class=\"cards\">\n");
    for (what, figure, note) in cards {
        let (figure, note) = (escape(&figure), escape(&note));
        let _ = writeln!(html, "<div class=\"card\"><dt>{what}</dt><dd>{figure}<span class=\"note\">{note}</span></dd></div>");
    }
    html + "</dl>\n"
}

fn time_cards(summary: &Summary) -> [(&'static str, String, String); 5] {
    let p95 = |figure: Option<f64>| format!("p50; p95 {}", or_unknown(figure, duration));
    [
        ("Makespan", or_unknown(summary.makespan_s, duration), "first submit to last verdict".into()),
        ("Utilization", or_unknown(summary.utilization, percent), format!("goodput {}", or_unknown(summary.goodput, percent))),
        ("Wait", or_unknown(summary.p50_wait_s, duration), p95(summary.p95_wait_s)),
        ("Flow", or_unknown(summary.p50_flow_s, duration), p95(summary.p95_flow_s)),
        (
            "Slowdown",
            or_unknown(summary.mean_slowdown, |slowdown| format!("{slowdown:.2}")),
            format!("mean; p99 {}", or_unknown(summary.p99_slowdown, |slowdown| format!("{slowdown:.2}"))),
        ),
    ]
}

fn section(chart: &Chart) -> Result<String, ReportError> {
    let svg = render::svg(&chart.drawing).map_err(|detail| ReportError::Draw { figure: chart.metric.name().into(), detail })?;
    // The size comes from the style sheet; `viewBox` keeps the proportions.
    let (width, height) = (chart.drawing.width.ceil(), chart.drawing.height.ceil());
    let svg = svg.replacen(&format!("width=\"{width}\" height=\"{height}\" "), "role=\"img\" ", 1);
    let id = chart.metric.name();
    let (title, caption) = (escape(chart.metric.title()), escape(&chart.caption));
    Ok(format!(
        "<section id=\"{id}\">\n<h2>{title}</h2>\n<p class=\"caption\">{caption}</p>\n<figure>{svg}</figure>\n</section>\n"
    ))
}

fn footer(figures: &Figures) -> String {
    let definitions = [
        ("Makespan", "last verdict less first submit."),
        ("Wait", "first start of a process less submit."),
        ("Flow", "verdict less submit, for tasks that passed or failed."),
        (
            "Slowdown",
            "flow divided by the shortest service time of any passed task of the same kind here, which counts as at least 1 s.",
        ),
        ("Utilization", "busy slot-seconds divided by present slot-seconds, over the makespan."),
        ("Goodput", "the same with only those slot-seconds whose result counted; the difference is waste."),
        ("Flaky", "failed at least once and passed at least once within one task, so with the same code."),
    ];
    let spread = or_unknown(figures.summary.load_stddev, percent);
    let imbalance = or_unknown(figures.summary.imbalance, percent);
    let fairness = or_unknown(figures.summary.fairness, |fairness| format!("{fairness:.3}"));
    let mut footer = String::from("<footer>\n");
    footer += &origin(figures);
    if figures.summary.tasks > 0 {
        let _ = writeln!(
            footer,
            "<p>Spread of load over workers {spread} (time average of the standard deviation of busy share); imbalance {imbalance} \
             (largest utilization of a worker less the smallest); fairness over owners {fairness} (Jain's index, 1 is even).</p>"
        );
        footer.push_str("<dl>\n");
        for (word, meaning) in definitions {
            let _ = writeln!(footer, "<dt>{word}</dt><dd>{}</dd>", escape(meaning));
        }
        footer.push_str("</dl>\n");
    }
    footer + "</footer>\n"
}

/// Where the figures are from.
fn origin(figures: &Figures) -> String {
    let cluster = figures.cluster.as_ref().map(|cluster| format!(" of cluster {}", escape(cluster))).unwrap_or_default();
    format!(
        "<p>Drawn by Evenkeel {} from {} in {}{cluster}. Every number comes from what was recorded while it happened; a dash \
         means that it cannot be known.</p>\n",
        env!("CARGO_PKG_VERSION"),
        plural(figures.facts, "fact"),
        escape(&figures.file),
    )
}
