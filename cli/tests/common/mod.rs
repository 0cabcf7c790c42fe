//! The built command, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A folder with a suite in it.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder whose SUITE.toml says `suite`.
    pub fn with(suite: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let place = Self { folder };
        place.write("SUITE.toml", suite);
        place
    }

    /// The path of something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("the folder is ours");
    }

    /// Reads a file; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The command with these words, to be run here.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("EVENKEEL_COORDINATOR").env_remove("EVENKEEL_TOKEN").env("CI", "1");
        command
    }

    /// Runs it to its end.
    pub fn evenkeel(&self, words: &[&str]) -> Ended {
        Running::of(self.command(words)).end()
    }

    /// Starts it.
    pub fn start(&self, words: &[&str]) -> Running {
        Running::of(self.command(words))
    }

    /// The process id in a file of the data folder, once it is another than `not`.
    pub fn pid(&self, name: &str, not: Option<u32>) -> u32 {
        let path = format!(".evenkeel/run/{name}.pid");
        eventually(&path, || self.read(&path).trim().parse().ok().filter(|pid| Some(*pid) != not))
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    /// Fails the test unless it ended with this status.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless it said so on standard error.
    #[track_caller]
    pub fn expect_words(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "`{words}` is not in:\n{}", self.stderr);
        self
    }
}

/// A command that runs; ended with the test.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Starts a command.
    pub fn of(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
        Self { child: Some(child) }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it was not ended").id()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let child = self.child.take().expect("it was not ended");
        let pid = child.id();
        let (done, is_done) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            if is_done.recv_timeout(DEADLINE).is_err() {
                signal(pid, "KILL");
            }
        });
        let output = child.wait_with_output().expect("it is our child");
        let _ = done.send(());
        output.into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The runners that hold tasks for workers below this folder.
pub fn runners(folder: &Path) -> Vec<u32> {
    let below = format!("--runner\0{}/", folder.canonicalize().expect("it is there").display());
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    let words = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| words(pid).contains(&below)).collect()
}

/// Sends a signal to one process that this test started.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.is_ok(), "there is a kill command");
}

/// What `look` finds, as soon as it finds something.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The tests of a JUnit file: name, and whether it is a plain pass.
pub fn junit(path: &Path) -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(path).expect("the run wrote it");
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut cases, mut open) = (Vec::new(), None::<(String, bool)>);
    loop {
        use quick_xml::events::Event;
        match reader.read_event().expect("it is XML") {
            Event::Eof => return cases,
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "testcase" => {
                let name = tag.try_get_attribute("name").expect("well formed").expect("a test has a name");
                open = Some((name.value.into_owned(), true));
            }
            Event::Start(tag) | Event::Empty(tag) if matches!(tag.name().as_ref(), "failure" | "error" | "skipped") => {
                if let Some(case) = &mut open {
                    case.1 = false;
                }
            }
            Event::End(tag) if tag.name().as_ref() == "testcase" => cases.extend(open.take()),
            _ => {}
        }
    }
}
