//! A headless Chromium, driven over its DevTools protocol.

pub mod fakes;

use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything on the page may take to come about before the test fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// One tab of a browser of its own; both end with the test.
pub struct Tab {
    _browser: Browser,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// What the page complained of.
    pub complaints: Vec<String>,
}

struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Tab {
    /// A tab of that size that shows `url`; Chromium keeps its files in `folder`.
    pub async fn open(folder: &Path, url: &str, width: u32, height: u32) -> Self {
        let profile = folder.join("chromium");
        let mut command = Command::new("chromium");
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let browser = Browser(child.expect("chromium is installed: apt-get install chromium"));
        let port = port_of(&profile).await;
        let targets: Value =
            reqwest::get(format!("http://127.0.0.1:{port}/json")).await.expect("it answers").json().await.expect("JSON");
        let is_page = |target: &&Value| target["type"] == "page";
        let target = targets.as_array().and_then(|all| all.iter().find(is_page)).expect("a browser begins with a tab");
        let address = target["webSocketDebuggerUrl"].as_str().expect("a tab has an address");
        let (socket, _) = tokio_tungstenite::connect_async(address).await.expect("it accepts sockets");
        let mut tab = Self { _browser: browser, socket, asked: 0, complaints: Vec::new() };
        for domain in ["Page", "Runtime", "Log"] {
            tab.ask(&format!("{domain}.enable"), json!({})).await;
        }
        tab.size(width, height).await;
        tab.ask("Page.navigate", json!({ "url": url })).await;
        tab
    }

    /// Makes the window another size.
    pub async fn size(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Shows the page as those see it who like it `dark` or `light`.
    pub async fn prefer(&mut self, scheme: &str) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", feature).await;
    }

    /// What a JavaScript expression comes to; a promise is waited for.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", asked).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, what: &str, expression: &str) {
        let deadline = Instant::now() + LIMIT;
        // What it asks for may not be there yet, nor the page it is looked for on.
        let look = format!("(async () => {{ try {{ return Boolean(await ({expression})); }} catch {{ return false; }} }})()");
        while self.eval(&look).await != Value::Bool(true) {
            let shown = if Instant::now() < deadline { Value::Null } else { self.eval("document.body.innerText").await };
            assert!(
                Instant::now() < deadline,
                "{what}: it did not come about; complaints: {:?}; shown: {shown}",
                self.complaints
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks what a selector finds.
    pub async fn click(&mut self, selector: &str) {
        self.until(selector, &format!("document.querySelector({})", json!(selector))).await;
        self.eval(&format!("document.querySelector({}).click()", json!(selector))).await;
    }

    /// A picture of the window, where `EVENKEEL_SCREENSHOTS` names a folder for them.
    pub async fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("EVENKEEL_SCREENSHOTS") else { return };
        let answer = self.ask("Page.captureScreenshot", json!({"format": "png"})).await;
        let png = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).expect("writable");
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let request = json!({"id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(request)).await.expect("the browser listens");
        loop {
            let frame = tokio::time::timeout(LIMIT, self.socket.next()).await.expect("an answer in time");
            let Message::Text(text) = frame.expect("the browser runs").expect("a frame") else { continue };
            let said: Value = serde_json::from_str(&text).expect("JSON");
            if said["id"] == id {
                assert!(said.get("error").is_none(), "{method}: {}", said["error"]);
                return said["result"].clone();
            }
            self.complaints.extend(complaint(&said));
        }
    }
}

/// What an event of the browser complains of, where it does.
fn complaint(said: &Value) -> Option<String> {
    let params = &said["params"];
    match said["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if matches!(params["type"].as_str(), Some("error" | "warning" | "assert")) => {
            Some(params["args"].to_string())
        }
        "Log.entryAdded" if matches!(params["entry"]["level"].as_str(), Some("error" | "warning")) => {
            Some(params["entry"].to_string())
        }
        _ => None,
    }
}

async fn port_of(profile: &Path) -> u16 {
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
        if let Some(port) = told.lines().next().and_then(|line| line.parse().ok()) {
            return port;
        }
        assert!(Instant::now() < deadline, "chromium does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
