//! Questions asked in another process, with a limit: what hangs or crashes there takes nothing down here.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long an answer may take. A browser that starts for the first time on a slow disk takes several seconds.
pub const LIMIT: Duration = Duration::from_secs(20);
/// Nobody answers at greater length.
const BYTES_MAX: u64 = 1 << 20;
/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// What `command` prints on its standard output; else why there is no answer. Its whole process group is gone afterwards.
pub fn output(command: &mut Command, limit: Duration) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn();
    let mut child = spawned.map_err(|error| format!("starting {program}: {error}"))?;
    let mut stdout = child.stdout.take().expect("it was asked for");
    let (to_us, printed) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.by_ref().take(BYTES_MAX).read_to_end(&mut bytes);
        let _ = to_us.send(read.map(|_| String::from_utf8_lossy(&bytes).into_owned()));
    });
    let status = wait(&mut child, Instant::now() + limit);
    // Also when it has ended: what it started may live on, and hold its output open.
    end(&mut child);
    let status = status.ok_or_else(|| format!("{program} gave no answer within {} s", limit.as_secs()))?;
    if !status.success() {
        return Err(format!("{program} ended with {status}"));
    }
    match printed.recv_timeout(Duration::from_secs(2)) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("reading what {program} printed: {error}")),
        Err(_) => Err(format!("{program} left something behind that holds its output")),
    }
}

fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

/// Ends a child and everything in its group.
fn end(child: &mut Child) {
    let group = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_answer_is_what_was_printed() {
        assert_eq!(output(&mut shell("echo one; echo two"), LIMIT), Ok("one\ntwo\n".into()));
    }

    #[test]
    fn what_crashes_hangs_or_is_not_there_is_a_reason_and_no_more() {
        let crashed = output(&mut shell("kill -SEGV $$"), LIMIT).expect_err("it crashed");
        assert!(crashed.contains("signal"), "{crashed}");
        let began = Instant::now();
        // The grandchild holds the output open; it goes with its group.
        let hung = output(&mut shell("sleep 1000 & sleep 1000"), Duration::from_millis(100)).expect_err("it hung");
        assert!(hung.contains("no answer") && began.elapsed() < LIMIT, "{hung}");
        let missing = output(&mut Command::new("/no/such/program"), LIMIT).expect_err("it is missing");
        assert!(missing.contains("/no/such/program"), "{missing}");
    }
}
