//! The connection to one runner.

use super::{RunnerId, Said};
use crate::process::reap;
use crate::runner::SOCKET;
use crate::runner::wire::{Frames, FromRunner, Hello, Kept, PROTOCOL, ToRunner, put};
use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a runner may take to say what it holds.
const ATTACH_MAX: Duration = Duration::from_secs(10);
/// Batches that wait for a runner. One that takes no more is ended: its tasks are in no one's hands.
const BATCHES_MAX: usize = 1024;
/// How long a killed runner may take to be gone.
const KILL_MAX: Duration = Duration::from_secs(5);

/// A runner and the way to it.
#[derive(Debug)]
pub struct Link {
    folder: PathBuf,
    pid: Option<Pid>,
    is_our_child: bool,
    socket: Option<UnixStream>,
    frames: Frames,
    unsent: Vec<u8>,
    batches: Option<mpsc::Sender<Vec<u8>>>,
    tasks: Option<JoinHandle<()>>,
}

impl Link {
    fn new(folder: &Path, pid: Option<Pid>, is_our_child: bool, socket: UnixStream) -> Self {
        let (folder, socket) = (folder.to_owned(), Some(socket));
        let mut link =
            Self { folder, pid, is_our_child, socket, frames: Frames::default(), unsent: Vec::new(), batches: None, tasks: None };
        link.say(&ToRunner::Hello(Hello::ours()));
        link
    }

    /// Starts a runner of this build in `folder`.
    pub fn start(folder: &Path, slots: usize) -> anyhow::Result<Self> {
        let doing = || format!("starting a runner in {}", folder.display());
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().with_context(doing)?;
        ours.set_nonblocking(true).with_context(doing)?;
        let mut command = Command::new(this_program().with_context(doing)?);
        // `evenkeel worker` is this program too.
        command.args(std::env::args_os().nth(1).filter(|word| word == "worker"));
        command.arg("--runner").arg(folder).arg("--slots").arg(slots.to_string());
        let log = File::create(folder.join("log")).with_context(doing)?;
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(log);
        let child = reap::spawn_leader(&mut command).with_context(doing)?;
        let socket = UnixStream::from_std(ours).with_context(doing)?;
        Ok(Self::new(folder, Some(Pid::from_raw(child.id().cast_signed())), true, socket))
    }

    /// Connects to the runner that lives in `folder`, and asks what it holds; nothing when none lives there, or one that is
    /// of no use and was ended.
    pub async fn attach(folder: &Path) -> Option<(Self, Hello, Vec<Kept>)> {
        let socket = connect(folder).await.ok()?;
        let pid = socket.peer_cred().ok().and_then(|peer| peer.pid()).map(Pid::from_raw);
        let mut link = Self::new(folder, pid, false, socket);
        let why = match timeout(ATTACH_MAX, link.ask()).await {
            Ok(Ok((hello, kept))) => return Some((link, hello, kept)),
            Ok(Err(why)) => why,
            Err(_) => format!("it did not say what it holds within {} s", ATTACH_MAX.as_secs()),
        };
        tracing::warn!("the runner in {} is ended, and its tasks with it: {why}", folder.display());
        link.end().await;
        None
    }

    /// What the runner says it holds; else why it is of no use.
    async fn ask(&mut self) -> Result<(Hello, Vec<Kept>), String> {
        let socket = self.socket.as_mut().ok_or("it is spoken to already")?;
        socket.write_all(&std::mem::take(&mut self.unsent)).await.map_err(|error| error.to_string())?;
        let (mut kept, mut greeting) = (Vec::new(), None);
        loop {
            let mut said = Vec::new();
            match self.frames.read(socket, &mut said).await {
                Ok(true) => {}
                Ok(false) => return Err("it went away".into()),
                Err(error) => return Err(error.to_string()),
            }
            for message in said {
                match message {
                    FromRunner::Hello(hello) if hello.protocol != PROTOCOL => {
                        return Err(format!("it speaks protocol {}, this build {PROTOCOL}", hello.protocol));
                    }
                    FromRunner::Hello(hello) => greeting = Some(hello),
                    FromRunner::Holds(one) => kept.push(*one),
                    FromRunner::HoldsNoMore => return greeting.map(|hello| (hello, kept)).ok_or_else(|| "it has no name".into()),
                    // It happened before we asked: what it holds says it too.
                    _ => {}
                }
            }
        }
    }

    /// Passes on what it says from now on.
    pub fn listen(mut self, id: RunnerId, said: mpsc::Sender<(RunnerId, Said)>) -> Self {
        let Some(socket) = self.socket.take() else { return self };
        let (batches, waiting) = mpsc::channel(BATCHES_MAX);
        let frames = std::mem::take(&mut self.frames);
        self.batches = Some(batches);
        self.tasks = Some(tokio::spawn(talk(socket, frames, waiting, id, said)));
        self
    }

    /// Says something with the next [`Link::flush`].
    pub fn say(&mut self, message: &ToRunner) {
        put(message, &mut self.unsent);
    }

    /// Sends what was said.
    pub fn flush(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.unsent);
        if let Some(batches) = &self.batches
            && matches!(batches.try_send(batch), Err(mpsc::error::TrySendError::Full(_)))
        {
            tracing::error!(folder = %self.folder.display(), "a runner takes nothing any more and is ended");
            self.kill();
        }
    }

    fn kill(&self) {
        if let Some(pid) = self.pid {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// Ends the runner, whatever it does. Answers with its folder.
    pub async fn end(self) -> PathBuf {
        self.kill();
        self.wait(KILL_MAX).await
    }

    /// Waits until the runner is gone, and for longer than `within` only if it must be killed. Answers with its folder.
    pub async fn wait(mut self, within: Duration) -> PathBuf {
        if let Some(mut tasks) = self.tasks.take()
            && timeout(within, &mut tasks).await.is_err()
        {
            tracing::error!(folder = %self.folder.display(), "a runner does not end and is killed");
            self.kill();
            let _ = timeout(KILL_MAX, tasks).await;
        }
        if let (Some(pid), true) = (self.pid, self.is_our_child) {
            let _ = tokio::task::spawn_blocking(move || reap::collect(pid, 0.0)).await;
        }
        self.folder
    }
}

/// Hears and speaks until the runner is gone.
async fn talk(
    mut socket: UnixStream,
    mut frames: Frames,
    mut batches: mpsc::Receiver<Vec<u8>>,
    id: RunnerId,
    said: mpsc::Sender<(RunnerId, Said)>,
) {
    let why = loop {
        let mut messages = Vec::new();
        let unsent = tokio::select! {
            heard = frames.read(&socket, &mut messages) => match heard {
                Ok(true) => None,
                Ok(false) => break "it is gone".to_owned(),
                Err(error) => break error.to_string(),
            },
            Some(batch) = batches.recv() => Some(batch),
        };
        if let Some(batch) = unsent
            && let Err(error) = socket.write_all(&batch).await
        {
            break error.to_string();
        }
        if !messages.is_empty() && said.send((id, Said::Messages(messages))).await.is_err() {
            return;
        }
    };
    let _ = said.send((id, Said::Gone(why))).await;
}

/// The program that runs, also when its file was replaced meanwhile.
fn this_program() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

async fn connect(folder: &Path) -> std::io::Result<UnixStream> {
    // The path of a socket may have 108 bytes, and that of a work directory more.
    if cfg!(target_os = "linux") {
        use std::os::fd::AsRawFd;
        let open = File::open(folder)?;
        return UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd())).await;
    }
    UnixStream::connect(folder.join(SOCKET)).await
}
