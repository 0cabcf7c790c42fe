//! The rules of this repository as an ordinary test.
//!
//! `CONTRIBUTING.md` says what they are for. Each broken rule is printed as `file:line: what to do`. The scanner behind the
//! rules reads code with comments and literals blanked out, and is itself tested below on the snippets that fool scanners.

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/mask.rs"]
mod mask;
#[path = "tidy/rules.rs"]
mod rules;

use code::{Function, functions, test_regions};
use mask::mask;
use rules::{Violation, check_file};
use std::path::{Path, PathBuf};

#[test]
fn the_tree_keeps_its_rules() {
    let root = root();
    let mut violations: Vec<Violation> = Vec::new();
    let sources = files(&root, ".rs");
    assert!(sources.len() > 20, "only {} source files found under {}: the walk is broken", sources.len(), root.display());
    for (path, text) in &sources {
        violations.extend(check_file(path, text));
    }
    for (path, text) in files(&root, "Cargo.toml") {
        if let Some(folder) = path.strip_suffix("/Cargo.toml") {
            violations.extend(manifests::check_manifest(folder, &text));
        }
    }
    violations.sort();
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} broken rules:\n{}", list.len(), list.join("\n"));
}

#[test]
fn every_rule_about_a_crate_has_its_crate() {
    for folder in manifests::ruled_folders() {
        assert!(root().join(folder).join("Cargo.toml").exists(), "no crate in {folder}: correct the table in tidy/manifests.rs");
    }
}

#[test]
fn literals_and_comments_are_blanked_and_code_is_not() {
    let cases = [
        (r##"a("x.unwrap()")b"##, r##"a(            )b"##),
        (r###"r#"un"quoted"#;k"###, "              ;k"),
        (r###"br##"a"#b"##;k"###, "            ;k"),
        (r#""esc\"{";k"#, "        ;k"),
        ("'{';k", "   ;k"),
        (r"'\'';k", "    ;k"),
        (r"'\u{7b}';k", "        ;k"),
        ("b'{';k", "    ;k"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("'outer: loop {}", "'outer: loop {}"),
        ("a /* { /* } */ { */ b", "a                   b"),
        ("a // { \"\nb", "a       \nb"),
        ("r#type.f()", "r#type.f()"),
        ("bar\"{\"k", "bar   k"),
        ("c\"{\" ; for\"}\"", "     ; for   "),
    ];
    for (source, expected) in cases {
        assert_eq!(mask(source), expected, "from {source}");
    }
}

#[test]
fn functions_are_measured_by_their_own_braces() {
    let source = "trait T { fn none(&self) -> [u8; 2]; }\n\
                  fn a<const N: usize>() -> [u8; { N + 1 }] {\n    \"}\";\n    '}';\n    // }\n}\n\
                  type F = fn(u8) -> u8;\n\
                  impl X {\n    const fn b() { let g = || { fn c() {\n } }; }\n}\n";
    let expected = [("a", 2, 6), ("b", 9, 10), ("c", 9, 10)];
    let expected: Vec<Function> =
        expected.iter().map(|&(name, first, last)| Function { name: name.to_owned(), first, last }).collect();
    assert_eq!(functions(&mask(source)), expected);
}

#[test]
fn a_test_region_ends_with_its_item() {
    let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { \"}\"; }\n}\n#[cfg(test)]\nmod more;\nfn c() {}\n";
    assert_eq!(test_regions(&mask(source)), [(2, 5), (6, 7)]);
}

#[test]
fn each_rule_sees_what_breaks_it() {
    let long = format!("fn long() {{\n{}}}\n", "    step();\n".repeat(80));
    let cases: &[(&str, &str, &str)] = &[
        ("a/src/x.rs", "fn f() { g()\n  .unwrap (); }", "x.rs:3: `.unwrap()`"),
        ("a/src/x.rs", "fn f() { todo!(\"later\") }", "x.rs:2: `todo!(`"),
        ("a/src/x.rs", "fn f() { dbg!(1); }", "x.rs:2: `dbg!(`"),
        ("a/src/x.rs", "#[allow(dead_code)]\nfn f() {}", "x.rs:2: `#[allow(`"),
        ("a/src/x.rs", "fn f() { tokio::sync::mpsc::unbounded_channel(); }", "x.rs:2: `unbounded_channel(`"),
        ("a/src/x.rs", "fn f() { std::sync::mpsc::channel(); }", "x.rs:2: `mpsc::channel()`"),
        ("a/src/x.rs", "pub struct TaskManager;", "x.rs:2: `TaskManager`"),
        ("a/src/x.rs", "enum StringUtils {}", "x.rs:2: `StringUtils`"),
        ("a/src/x.rs", &long, "x.rs:2: `long` has 82 lines"),
        ("a/core/src/x.rs", "fn f() { std::time::Instant::now(); }", "x.rs:2: `Instant::now` in a core"),
        ("a/tests/x.rs", "fn f() { std::thread::sleep(d); }", "x.rs:2: a sleep in a test"),
        ("a/tests/x.rs", "fn f() { for _ in 0..9 { sleep(d); } }", "x.rs:2: a sleep in a test"),
        ("a/src/x_tests.rs", "fn f() { sleep(d).await; }", "x_tests.rs:2: a sleep in a test"),
        ("a/src/x.rs", "#[cfg(test)]\nmod t {\n  fn f() { sleep(d); }\n}", "x.rs:4: a sleep in a test"),
    ];
    for (path, code, expected) in cases {
        let found: Vec<String> = check_file(path, &format!("//! A file.\n{code}\n")).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        assert!(found[0].contains(expected), "{code}: {found:?}");
    }
    assert!(check_file("a/src/x.rs", "fn f() {}\n")[0].advice.contains("//!"));
    assert_eq!(check_file("a/src/x.rs", &format!("//! A file.\n{}", "// line\n".repeat(400))).len(), 1);
}

#[test]
fn what_only_looks_wrong_passes() {
    let fine = "//! A file: `.unwrap()` and todo!() in words.\n\
                fn f(channel: Sender) { let x = \"todo!()\"; x.unwrap_or_default(); mpsc::channel(64); }\n\
                struct Handlers;\nfn shell() { std::thread::sleep(d); }\n\
                #[cfg(test)]\nmod t {\n  fn f() { while !ready() { std::thread::sleep(d); } }\n  \
                fn g() { loop { if ready() { break }\n sleep(d).await; } }\n}\n";
    assert_eq!(check_file("a/src/x.rs", fine), []);
}

#[test]
fn a_manifest_with_a_forbidden_dependency_is_refused() {
    let lints = "[lints]\nworkspace = true\n";
    let cases = [
        ("coordinator/core", "[dependencies]\ntokio.workspace = true\n", "may not depend on `tokio`"),
        ("worker", "[dependencies]\nbenchmark_db = { workspace = true }\n", "may not depend on `benchmark_db`"),
        ("worker", "[target.'cfg(unix)'.dependencies]\nduckdb.workspace = true\n", "may not depend on `duckdb`"),
        ("worker", "[dev-dependencies.reports]\nworkspace = true\n", "may not depend on `reports`"),
        ("cli", "[dependencies]\nserde = \"1\"\n", "version of its own"),
    ];
    for (folder, dependencies, expected) in cases {
        let found = manifests::check_manifest(folder, &format!("{lints}{dependencies}"));
        assert_eq!(found.len(), 1, "{dependencies}: {found:?}");
        assert!(found[0].advice.contains(expected), "{found:?}");
    }
    let fine = format!("{lints}[dependencies]\nshared.workspace = true\n[dev-dependencies]\nproptest.workspace = true\n");
    assert_eq!(manifests::check_manifest("coordinator/core", &fine), []);
    assert_eq!(manifests::check_manifest("cli", "[dependencies]\n").len(), 1, "lints are missing");
}

fn root() -> PathBuf {
    // Not as it was when this was built: what is built in one clone may be run in another.
    let here = std::env::current_dir().expect("cargo runs tests in the folder of their crate");
    here.parent().expect("the crate lies in the workspace").to_owned()
}

/// Files whose name ends in `ending`, by their path relative to `root`. Hidden and built folders are not ours.
fn files(root: &Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display())) {
            let path = entry.expect("a folder entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
                let relative = path.strip_prefix(root).expect("the walk began at the root");
                found.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}
