//! What the client and the worker must agree on to talk to pytest: the plugin, and where its option goes.

use crate::error::DiscoverError;
use std::path::Path;

/// The plugin's source.
const PLUGIN: &str = include_str!("../plugin/evenkeel_pytest.py");

/// The plugin's module name.
const MODULE: &str = "evenkeel_pytest";

/// The variable naming the file a listing is written to.
pub const LIST_VARIABLE: &str = "EVENKEEL_PYTEST_LIST";
/// The variable naming the pipe results are written to.
pub const RESULTS_VARIABLE: &str = "EVENKEEL_PYTEST_RESULTS";
/// The variable holding what `PYTHONPATH` was before the plugin's folder was put in front.
pub const PATH_BEFORE_VARIABLE: &str = "EVENKEEL_PYTEST_PATH_BEFORE";

/// Programs that start the program named after them.
const RUNNERS: [&str; 12] = ["uv", "uvx", "poetry", "pdm", "pipenv", "rye", "hatch", "pixi", "conda", "env", "nice", "xvfb-run"];

/// Where in `argv` pytest is named; nothing when the command does not run pytest.
pub fn program_at(argv: &[String]) -> Option<usize> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let first = base(argv.first()?);
    let is_pytest = |word: &str| matches!(base(word).as_str(), "pytest" | "py.test" | "pytest-3");
    let at = argv.iter().position(|word| is_pytest(word))?;
    let as_module = at > 0 && argv[at - 1] == "-m";
    let by_python = as_module && (first.starts_with("python") || first.starts_with("pypy") || first == "coverage");
    let by_runner = RUNNERS.contains(&first.as_str());
    (at == 0 || by_python || by_runner).then_some(at)
}

/// `argv` with our plugin loaded; unchanged when it does not run pytest.
pub fn with_plugin(argv: &[String]) -> Vec<String> {
    let mut changed = argv.to_vec();
    if let Some(at) = program_at(argv) {
        changed.splice(at + 1..at + 1, ["-p".to_owned(), MODULE.to_owned()]);
    }
    changed
}

/// Writes the plugin into `folder`, which then belongs in front of `PYTHONPATH`.
pub fn write_plugin(folder: &Path) -> Result<(), DiscoverError> {
    let path = folder.join(format!("{MODULE}.py"));
    std::fs::write(&path, PLUGIN).map_err(DiscoverError::io(format!("write the pytest plugin to {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytest_is_recognised_however_it_is_started() {
        let at = |line: &str| program_at(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(at("pytest tests"), Some(0));
        assert_eq!(at("/venv/bin/pytest"), Some(0));
        assert_eq!(at("python3.11 -X dev -m pytest -k a"), Some(4));
        assert_eq!(at("uv run pytest"), Some(2));
        assert_eq!(at("cat pytest"), None);
        assert_eq!(at("python setup.py pytest"), None);
    }

    #[test]
    fn the_plugin_comes_before_the_users_arguments() {
        let argv: Vec<String> = "python -m pytest -- a".split(' ').map(str::to_owned).collect();
        assert_eq!(with_plugin(&argv).join(" "), "python -m pytest -p evenkeel_pytest -- a");
    }
}
