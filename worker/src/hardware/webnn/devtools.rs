//! A headless browser and a conversation with it: numbered questions in JSON over a WebSocket on the loopback interface.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// More flags for the browser, separated by white space.
const FLAGS: &str = "EVENKEEL_BROWSER_FLAGS";
/// How often the browser is looked at while it starts.
pub const POLL: Duration = Duration::from_millis(20);
/// Messages of other concern before an answer; a browser that talks and never answers is left.
const ASIDE_MAX: usize = 1000;

/// A browser, and the folder it lives in. Dropping it ends both.
pub struct Browser {
    child: Child,
    home: TempDir,
}

impl Browser {
    /// Starts `program` without a window, on a page of our own: a file, which counts as a secure place.
    pub fn start(program: &Path) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|error| format!("making a folder for it: {error}"))?;
        let page = home.path().join("page.html");
        std::fs::write(&page, "<!doctype html><title>probe</title>").map_err(|error| format!("writing a page: {error}"))?;
        let mut command = Command::new(program);
        command.arg(format!("--user-data-dir={}", home.path().display())).args([
            "--headless",
            "--remote-debugging-port=0",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-breakpad",
            "--disable-dev-shm-usage",
            "--enable-features=WebMachineLearningNeuralNetwork",
        ]);
        if std::fs::metadata(home.path()).is_ok_and(|home| home.uid() == 0) {
            // The browser's sandbox refuses to work for root; it shows one page, and that is ours.
            command.arg("--no-sandbox");
        }
        command.args(std::env::var(FLAGS).unwrap_or_default().split_whitespace());
        command.arg(format!("file://{}", page.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("starting it: {error}"))?;
        Ok(Self { child, home })
    }

    /// Opens the conversation as soon as the browser has written where it listens.
    pub async fn talk(&mut self) -> Result<Talk, String> {
        let file = self.home.path().join("DevToolsActivePort");
        let (port, path) = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let mut lines = text.lines();
            if let (Some(port), Some(path)) = (lines.next().and_then(|port| port.parse::<u16>().ok()), lines.next()) {
                break (port, path.to_owned());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended with {status} before it listened ({FLAGS} may give it flags it needs here)"));
            }
            sleep(POLL).await;
        };
        let said = |error: &dyn std::fmt::Display| format!("connecting to its port {port}: {error}");
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| said(&error))?;
        let (socket, _) = client_async(format!("ws://127.0.0.1:{port}{path}"), stream).await.map_err(|error| said(&error))?;
        Ok(Talk { socket, asked: 0 })
    }
}

impl Drop for Browser {
    /// Its own children leave when it does; any that stays goes with the group of the process this runs in.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A conversation with a browser.
pub struct Talk {
    socket: WebSocketStream<TcpStream>,
    asked: u64,
}

impl Talk {
    /// What the browser calls itself, with its version.
    pub async fn version(&mut self) -> Result<String, String> {
        let told = self.ask("Browser.getVersion", None, json!({})).await?;
        Ok(told["product"].as_str().unwrap_or("a browser without a name").to_owned())
    }

    /// The text that `expression` comes to on our page.
    pub async fn evaluate(&mut self, expression: &str) -> Result<String, String> {
        let target = loop {
            let told = self.ask("Target.getTargets", None, json!({})).await?;
            let all = told["targetInfos"].as_array().cloned().unwrap_or_default();
            let ours = |target: &Value| target["url"].as_str().is_some_and(|url| url.starts_with("file:"));
            if let Some(page) = all.iter().find(|target| target["type"] == "page" && ours(target)) {
                break page["targetId"].clone();
            }
            sleep(POLL).await;
        };
        let attached = self.ask("Target.attachToTarget", None, json!({ "targetId": target, "flatten": true })).await?;
        let session = attached["sessionId"].as_str().map(str::to_owned);
        let question = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let told = self.ask("Runtime.evaluate", session.as_deref(), question).await?;
        match told["result"]["value"].as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("the page answered no text but {told}")),
        }
    }

    async fn ask(&mut self, method: &str, session: Option<&str>, parameters: Value) -> Result<Value, String> {
        self.asked += 1;
        let mut question = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(session) = session {
            question["sessionId"] = session.into();
        }
        let sent = self.socket.send(Message::text(question.to_string())).await;
        sent.map_err(|error| format!("asking {method}: {error}"))?;
        for _ in 0..ASIDE_MAX {
            let Some(Ok(message)) = self.socket.next().await else { return Err(format!("it hung up when asked {method}")) };
            let Ok(Ok(answer)) = message.to_text().map(serde_json::from_str::<Value>) else { continue };
            if answer["id"] == self.asked {
                return match answer.get("error") {
                    Some(error) => Err(format!("it refused {method}: {error}")),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
        Err(format!("it talked of other things when asked {method}"))
    }
}
