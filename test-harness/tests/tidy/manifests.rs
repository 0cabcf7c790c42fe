//! Which crate may depend on which: the table of ARCHITECTURE.md.

use crate::rules::Violation;

/// What a crate may name in its manifest.
enum Rule {
    /// These and nothing else, development dependencies apart.
    Only(&'static [&'static str]),
    /// Anything but these, in no section.
    Never(&'static [&'static str]),
}

const RULES: &[(&str, Rule)] = &[
    ("shared", Rule::Only(&["serde", "serde_json", "base64", "thiserror", "toml", "utoipa"])),
    ("coordinator/core", Rule::Only(&["shared", "libm", "linregress", "rand_pcg", "serde", "thiserror"])),
    ("worker/core", Rule::Only(&["shared", "rand_pcg", "serde", "thiserror"])),
    ("suite", Rule::Never(&["tokio", "duckdb", "reqwest", "axum", "coordinator", "coordinator-core", "worker", "worker-core"])),
    ("suite", Rule::Never(&["benchmark_db", "reports", "cli", "test-harness"])),
    (
        "benchmark_db",
        Rule::Never(&["tokio", "coordinator", "coordinator-core", "worker", "worker-core", "reports", "cli", "suite"]),
    ),
    ("reports", Rule::Never(&["tokio", "coordinator", "coordinator-core", "worker", "worker-core", "cli", "suite"])),
    ("coordinator", Rule::Never(&["worker", "worker-core", "cli", "test-harness"])),
    ("worker", Rule::Never(&["coordinator", "coordinator-core", "benchmark_db", "duckdb", "reports", "cli", "test-harness"])),
    ("simulator", Rule::Never(&["tokio", "duckdb", "benchmark_db", "reports", "coordinator", "worker", "cli"])),
    ("xtask", Rule::Only(&["anyhow", "serde_json", "sha2"])),
];

/// The folders that have a rule; each must exist, so that a renamed crate does not lose its rule.
pub fn ruled_folders() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(folder, _)| *folder)
}

/// Everything that is wrong with the manifest of the crate in `folder`.
pub fn check_manifest(folder: &str, text: &str) -> Vec<Violation> {
    let file = format!("{folder}/Cargo.toml");
    let mut found = Vec::new();
    for dependency in dependencies(text) {
        let mut report = |advice: String| found.push(Violation { file: file.clone(), line: dependency.line, advice });
        let name = dependency.name.as_str();
        for (_, rule) in RULES.iter().filter(|(ruled, _)| *ruled == folder) {
            match rule {
                Rule::Only(allowed) if !dependency.only_for_tests && !allowed.contains(&name) => {
                    report(format!("{folder} may not depend on `{name}`; it may on {}", allowed.join(", ")));
                }
                Rule::Never(refused) if refused.contains(&name) => {
                    report(format!("{folder} may not depend on `{name}`: see the table of crates in ARCHITECTURE.md"));
                }
                Rule::Only(_) | Rule::Never(_) => {}
            }
        }
        if !dependency.from_workspace {
            report(format!("`{name}` has a version of its own: put it into [workspace.dependencies], write `workspace = true`"));
        }
    }
    if !text.contains("[lints]\nworkspace = true") {
        found.push(Violation { file, line: 1, advice: "add `[lints]` with `workspace = true`".to_owned() });
    }
    found
}

struct Dependency {
    name: String,
    line: usize,
    only_for_tests: bool,
    from_workspace: bool,
}

/// The lines `name = …` and `name.workspace = true` of every dependency section, and sections of a single dependency.
fn dependencies(text: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section = Section::Other;
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if let Some(header) = line.strip_prefix('[') {
            section = Section::of(header.trim_end_matches(']'));
            if let Section::One { name, only_for_tests } = &section {
                let (name, only_for_tests) = (name.clone(), *only_for_tests);
                found.push(Dependency { name, line: index, only_for_tests, from_workspace: false });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let workspace = key.contains(".workspace") || key.trim() == "workspace" || value.contains("workspace = true");
        match (&section, found.last_mut()) {
            (Section::Many { only_for_tests }, _) => {
                let name = key.trim().split('.').next().unwrap_or_default().trim_matches('"').to_owned();
                found.push(Dependency { name, line: index, only_for_tests: *only_for_tests, from_workspace: workspace });
            }
            (Section::One { .. }, Some(last)) => last.from_workspace |= workspace,
            (Section::One { .. } | Section::Other, _) => {}
        }
    }
    found
}

enum Section {
    Many { only_for_tests: bool },
    One { name: String, only_for_tests: bool },
    Other,
}

impl Section {
    /// Understands `dependencies`, `target.'cfg(unix)'.dev-dependencies`, `dependencies.tokio`.
    fn of(header: &str) -> Section {
        for (word, only_for_tests) in [("dev-dependencies", true), ("build-dependencies", false), ("dependencies", false)] {
            if header == word || header.ends_with(&format!(".{word}")) {
                return Section::Many { only_for_tests };
            }
            let one = header.split_once(&format!("{word}."));
            if let Some((_, name)) = one.filter(|(before, _)| before.is_empty() || before.ends_with('.')) {
                return Section::One { name: name.to_owned(), only_for_tests };
            }
        }
        Section::Other
    }
}
