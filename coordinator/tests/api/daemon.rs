//! A coordinator process under test, in a folder of its own.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(30);

/// A coordinator that listens; it is killed when this is dropped.
pub struct Daemon {
    child: Child,
    pub url: String,
}

impl Daemon {
    pub fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_as(command(folder), folder, more)
    }

    /// One that can write no file beyond so many blocks of 512 bytes: to it the disk is full.
    pub fn start_limited(folder: &Path, blocks: u32) -> Self {
        let mut limited = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_coordinator")]).current_dir(folder);
        limited.env_remove("EVENKEEL_TOKEN").env("RUST_LOG", "warn").stdin(Stdio::null());
        Self::start_as(limited, folder, &[])
    }

    fn start_as(mut command: Command, folder: &Path, more: &[&str]) -> Self {
        let announce = folder.join("url");
        if announce.exists() {
            std::fs::remove_file(&announce).expect("an old address can be removed");
        }
        command.args(["--port", "0", "--announce"]).arg(&announce).args(more);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Ok(url) = std::fs::read_to_string(&announce) {
                return Self { child, url: url.trim().into() };
            }
            assert!(child.try_wait().expect("a child").is_none(), "the coordinator ended instead of listening");
            assert!(Instant::now() < deadline, "the coordinator does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there").success());
        assert!(self.child.wait().expect("it ends").success());
    }

    pub fn worker_url(&self) -> String {
        format!("{}/api/worker", self.url.replace("http://", "ws://"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
    command.current_dir(folder).env_remove("EVENKEEL_TOKEN").env("RUST_LOG", "warn").stdin(Stdio::null());
    command
}

/// What a start that fails says; it must fail with exit code 2.
pub fn refused(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = command(folder).args(arguments).output().expect("the program starts");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(2), "{arguments:?}: {said}");
    said
}
