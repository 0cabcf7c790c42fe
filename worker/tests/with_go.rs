//! Suites of Go. They need `go` on the path: `cargo test -p worker --test with_go -- --ignored`.

#[expect(dead_code, reason = "each test file uses its own part")]
mod fleet;

use fleet::{list, run_suite, write};
use shared::outcome::TestOutcome;
use suite::{DiscoverError, Options};

const GOOD: &str = r#"package a
import ("fmt"; "testing"; "time")
func TestPasses(t *testing.T) { time.Sleep(20 * time.Millisecond) }
func TestFails(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Fatal("not the same") }) }
func TestSkips(t *testing.T) { t.Skip("not today") }
func BenchmarkNever(b *testing.B) { b.Fatal("never run") }
func ExamplePrints() {
	fmt.Println("hello")
	// Output: hello
}
"#;
const PANICS: &str = r#"package b
import "testing"
func TestBefore(t *testing.T) {}
func TestPanics(t *testing.T) { panic("all is lost") }
func TestAfter(t *testing.T) {}
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go: cargo test -p worker --test with_go -- --ignored"]
async fn results_are_those_of_go_and_a_panic_costs_one_test() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(
        dir.path(),
        &[("go.mod", "module demo\ngo 1.19\n"), ("a/a_test.go", GOOD), ("b/b_test.go", PANICS), ("c/c.go", "package c\n")],
    );
    let suite = list(&["go", "test", "./..."], dir.path());
    assert_eq!(suite.tests.len(), 7);
    let fleet = run_suite(&suite, dir.path(), 2).await;
    let outcome = |name: &str| fleet.one(name).outcome;
    for name in ["demo/a::TestPasses", "demo/a::ExamplePrints", "demo/b::TestBefore", "demo/b::TestAfter"] {
        assert_eq!(outcome(name), TestOutcome::Passed, "{name}: {}", fleet.output);
    }
    assert_eq!((outcome("demo/a::TestFails"), outcome("demo/b::TestPanics")), (TestOutcome::Failed, TestOutcome::Failed));
    assert_eq!(outcome("demo/a::TestSkips"), TestOutcome::Skipped);
    let message = |name: &str| fleet.one(name).message.clone().unwrap_or_default();
    assert!(message("demo/a::TestFails").contains("not the same") && message("demo/b::TestPanics").contains("all is lost"));
    assert!(message("demo/a::TestSkips").contains("not today"));
    assert!(fleet.one("demo/a::TestPasses").seconds >= 0.01);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go: cargo test -p worker --test with_go -- --ignored"]
async fn a_package_that_no_longer_builds_is_an_error_of_its_tests() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    write(dir.path(), &[("go.mod", "module demo\ngo 1.19\n"), ("a/a_test.go", GOOD)]);
    let suite = list(&["go", "test", "-run", "TestP", "./..."], dir.path());
    assert_eq!(suite.tests.len(), 1);
    write(dir.path(), &[("a/a_test.go", "package a\nfunc broken( {\n")]);
    let fleet = run_suite(&suite, dir.path(), 1).await;
    let result = fleet.one("demo/a::TestPasses");
    assert_eq!(result.outcome, TestOutcome::Error);
    assert!(result.message.as_deref().is_some_and(|text| text.contains("a_test.go:2")), "{result:?}");
    let argv = ["go", "test", "./..."].map(str::to_owned);
    let error = suite::discover(&argv, dir.path(), &Options::default()).expect_err("it does not build");
    assert!(matches!(error, DiscoverError::Listing { .. }) && error.to_string().contains("a_test.go:2"), "{error}");
}
