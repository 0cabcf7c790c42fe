//! The tables beside a scenario: the tasks with their true times, and what was observed before the run.

use crate::SimError;
use csv::StringRecord;
use shared::hardware::HardwareKind;
use shared::task::Priority;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const TASK_COLUMNS: [&str; 11] = [
    "id",
    "submit_s",
    "kind",
    "owner",
    "priority",
    "deadline_s",
    "cores",
    "memory_gb",
    "gpu_memory_gb",
    "state_mb",
    "checkpointable",
];
const HISTORY_COLUMNS: [&str; 3] = ["kind", "hardware", "seconds"];

/// One row of the table of tasks.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name.
    pub id: Arc<str>,
    /// When it is submitted, in seconds.
    pub submit_s: f64,
    /// Tasks of one kind are expected to take about as long as each other.
    pub kind: Arc<str>,
    /// Who asks for it.
    pub owner: Option<Arc<str>>,
    /// How urgent it is.
    pub priority: Priority,
    /// Within how many seconds after its submission it is wanted.
    pub deadline_s: Option<f64>,
    /// Slots it occupies.
    pub cores: f64,
    /// Memory it keeps to itself, in gigabytes.
    pub memory_gb: f64,
    /// Memory it keeps to itself on a device that has its own, in gigabytes.
    pub gpu_memory_gb: f64,
    /// The size of its state, in megabytes.
    pub state_mb: f64,
    /// Whether it can save its state.
    pub checkpointable: bool,
    /// The true seconds at speed 1, by kind of hardware. Only the machine model and the figures of a run read them.
    service_s: [Option<f64>; 8],
}

/// One row of the history.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The kind of task.
    pub kind: Arc<str>,
    /// Where it ran.
    pub hardware: HardwareKind,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Task {
    /// The true seconds it takes on `hardware` at speed 1; nothing where it cannot run there.
    pub fn service_s(&self, hardware: HardwareKind) -> Option<f64> {
        self.service_s[hardware as usize]
    }

    /// The kinds of hardware it can run on.
    pub fn hardware(&self) -> impl Iterator<Item = HardwareKind> {
        HardwareKind::ALL.into_iter().filter(|kind| self.service_s(*kind).is_some())
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, SimError> {
    std::fs::read_to_string(path).map_err(|source| SimError::Read { path: path.into(), source })
}

/// Understands the text of the table of tasks.
pub(crate) fn tasks(path: &Path, text: &str) -> Result<Vec<Task>, SimError> {
    let services = HardwareKind::ALL.map(|kind| format!("{}_s", kind.name()));
    let known: Vec<&str> = TASK_COLUMNS.into_iter().chain(services.iter().map(String::as_str)).collect();
    let rows = rows(path, text, &known, &["id"])?;
    let mut names = BTreeSet::new();
    let mut tasks = Vec::with_capacity(rows.len());
    for row in &rows {
        let task = row.task(&services)?;
        if !names.insert(task.id.clone()) {
            return Err(row.wrong(format!("a task before it is called `{}` too", task.id)));
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        return Err(SimError::scenario(path, "it has no tasks".into()));
    }
    Ok(tasks)
}

/// Understands the text of the history.
pub(crate) fn history(path: &Path, text: &str) -> Result<Vec<Observation>, SimError> {
    let observation = |row: Row<'_>| {
        let hardware = row.text("hardware").unwrap_or_default();
        let hardware = HardwareKind::from_name(hardware)
            .ok_or_else(|| row.wrong(format!("`{hardware}` is no kind of hardware: there are {}", kinds())))?;
        let kind = row.text("kind").ok_or_else(|| row.wrong("it has no kind".into()))?;
        let seconds = row.number("seconds")?.ok_or_else(|| row.wrong("it has no seconds".into()))?;
        Ok(Observation { kind: kind.into(), hardware, seconds })
    };
    rows(path, text, &HISTORY_COLUMNS, &HISTORY_COLUMNS)?.into_iter().map(observation).collect()
}

fn kinds() -> String {
    HardwareKind::ALL.map(HardwareKind::name).join(", ")
}

struct Row<'a> {
    path: &'a Path,
    columns: Arc<[String]>,
    record: StringRecord,
}

/// All rows of a table, its columns checked.
fn rows<'a>(path: &'a Path, text: &str, known: &[&str], needed: &[&str]) -> Result<Vec<Row<'a>>, SimError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let bad = |error: csv::Error| SimError::scenario(path, error.to_string());
    let columns: Arc<[String]> = reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    for column in columns.iter() {
        if !known.contains(&column.as_str()) {
            let problem = format!("there is no column `{column}`: the columns are {}", known.join(", "));
            return Err(SimError::Row { path: path.into(), line: 1, problem });
        }
        if !seen.insert(column.as_str()) {
            return Err(SimError::Row { path: path.into(), line: 1, problem: format!("the column `{column}` stands twice") });
        }
    }
    if let Some(missing) = needed.iter().find(|column| !seen.contains(*column)) {
        return Err(SimError::Row { path: path.into(), line: 1, problem: format!("the column `{missing}` is missing") });
    }
    let records = reader.records().map(|record| Ok(Row { path, columns: columns.clone(), record: record.map_err(bad)? }));
    records.collect()
}

impl Row<'_> {
    fn wrong(&self, problem: String) -> SimError {
        let line = self.record.position().map_or(0, csv::Position::line);
        SimError::Row { path: self.path.into(), line, problem }
    }

    /// What stands in a column; nothing when it is empty or the table has no such column.
    fn text(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.record.get(at).filter(|text| !text.is_empty())
    }

    fn number(&self, column: &str) -> Result<Option<f64>, SimError> {
        let Some(text) = self.text(column) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if (0.0..=1e12).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(format!("{column} is `{text}`, which is not a number of at least 0"))),
        }
    }

    fn task(&self, services: &[String; 8]) -> Result<Task, SimError> {
        let id: Arc<str> = self.text("id").ok_or_else(|| self.wrong("it has no id".into()))?.into();
        let mut service_s = [None; 8];
        for (seconds, column) in service_s.iter_mut().zip(services) {
            *seconds = self.number(column)?;
            if *seconds == Some(0.0) {
                return Err(self.wrong(format!("{column} is 0: leave it empty where the task cannot run")));
            }
        }
        let checkpointable = match self.text("checkpointable").map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "false" | "no") => false,
            Some("1" | "true" | "yes") => true,
            Some(other) => return Err(self.wrong(format!("checkpointable is `{other}`: write true or false"))),
        };
        let number = |column: &str, default: f64| self.number(column).map(|number| number.unwrap_or(default));
        Ok(Task {
            submit_s: number("submit_s", 0.0)?,
            kind: self.text("kind").map_or_else(|| id.clone(), Into::into),
            owner: self.text("owner").map(Into::into),
            priority: self.priority()?,
            deadline_s: self.number("deadline_s")?,
            cores: number("cores", 1.0)?,
            memory_gb: number("memory_gb", 0.0)?,
            gpu_memory_gb: number("gpu_memory_gb", 0.0)?,
            state_mb: number("state_mb", 0.0)?,
            checkpointable,
            service_s,
            id,
        })
    }

    fn priority(&self) -> Result<Priority, SimError> {
        let Some(level) = self.number("priority")? else { return Ok(Priority::default()) };
        let whole = (level.fract() == 0.0 && level <= 10.0).then_some(level as u8);
        whole.and_then(Priority::new).ok_or_else(|| self.wrong(format!("priority is {level}: it must be from 1 to 10")))
    }
}
