//! A browser's neural network API: a headless Chromium is asked over its DevTools protocol, and multiplies two matrices.
//!
//! Sources: the W3C's "Web Neural Network API" (`createContext`, `MLGraphBuilder`), and the DevTools protocol's domains Target
//! and Runtime.

mod devtools;

use super::Answer;
use super::child;
use super::tree::Tree;
use devtools::{Browser, POLL};
use serde::Deserialize;
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};
use std::path::{Path, PathBuf};

/// Names a browser that is not on the path.
const BROWSER: &str = "EVENKEEL_BROWSER";
/// What a browser is called.
const NAMES: [&str; 6] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "microsoft-edge"];

/// Asks every kind of context for the product of two matrices. The answer is text, since numbers of any kind arrive as such.
const QUESTION: &str = r"(async () => {
  const told = { here: location.href, secure: isSecureContext, has_api: 'ml' in navigator, contexts: [] };
  for (const kind of told.has_api ? ['cpu', 'gpu', 'npu'] : []) {
    const one = { kind };
    told.contexts.push(one);
    try {
      const context = await navigator.ml.createContext({ deviceType: kind });
      const builder = new MLGraphBuilder(context);
      const type = { dataType: 'float32', shape: [2, 2], dimensions: [2, 2] };
      const graph = await builder.build({ c: builder.matmul(builder.input('a', type), builder.input('b', type)) });
      const [a, b] = [await context.createTensor({ ...type, writable: true }), await context.createTensor({ ...type, writable: true })];
      const c = await context.createTensor({ ...type, readable: true });
      context.writeTensor(a, new Float32Array([1, 2, 3, 4]));
      context.writeTensor(b, new Float32Array([1, 1, 1, 1]));
      context.dispatch(graph, { a, b }, { c });
      one.product = Array.from(new Float32Array(await context.readTensor(c)));
    } catch (error) {
      one.error = String(error);
    }
  }
  return JSON.stringify(told);
})()";

/// What the page tells.
#[derive(Debug, Deserialize)]
struct Told {
    here: String,
    secure: bool,
    has_api: bool,
    contexts: Vec<Context>,
}

#[derive(Debug, Deserialize)]
struct Context {
    kind: String,
    product: Option<Vec<f64>>,
    error: Option<String>,
}

/// Why asking is in vain, where it is.
pub fn why_not() -> Option<String> {
    browser().is_none().then(|| format!("no browser: none of {} is on the path ({BROWSER} may name one)", NAMES.join(", ")))
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(BROWSER).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|program| program.is_file())
}

/// The contexts that computed. Runs in a process of its own.
pub async fn probe(tree: &Tree) -> Answer {
    let Some(program) = browser() else { return Answer::absent(why_not().expect("there is no browser"), tree) };
    match ask(&program).await {
        Ok((version, told)) => answer(&version, &told, tree),
        Err(why) => Answer::absent(format!("asking {}: {why}", program.display()), tree),
    }
}

async fn ask(program: &Path) -> Result<(String, Told), String> {
    let mut browser = Browser::start(program)?;
    let asked = async {
        let mut talk = browser.talk().await?;
        let version = talk.version().await?;
        loop {
            let text = talk.evaluate(QUESTION).await?;
            let told: Told = serde_json::from_str(&text).map_err(|error| format!("the page answered `{text}`: {error}"))?;
            // Before the page is loaded, an empty one stands in its place, which is secure in no browser.
            if told.here.starts_with("file:") {
                return Ok((version, told));
            }
            tokio::time::sleep(POLL).await;
        }
    };
    // The process this runs in has a limit of its own, a little longer, for when even this hangs.
    let limit = child::LIMIT.mul_f64(0.8);
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())))
}

fn answer(version: &str, told: &Told, tree: &Tree) -> Answer {
    if !told.has_api {
        let why = if told.secure { "has no navigator.ml" } else { "did not take the page as secure, so it hides navigator.ml" };
        return Answer::absent(format!("{version} {why}"), tree);
    }
    let mut devices = Vec::new();
    let mut reasons = Vec::new();
    for context in &told.contexts {
        match (&context.product, &context.error) {
            (Some(product), _) if *product == [3.0, 3.0, 7.0, 7.0] => devices.push(Device {
                name: Some(format!("context {}", context.kind)),
                address: Some(context.kind.clone()),
                runtime: Some(version.to_owned()),
                precisions: vec![Precision::Fp32],
                ..Device::of_kind(HardwareKind::Webnn, ProbeLevel::Executed)
            }),
            (Some(product), _) => reasons.push(format!("{}: a product of matrices came out as {product:?}", context.kind)),
            (None, error) => reasons.push(format!("{}: {}", context.kind, error.as_deref().unwrap_or("it said nothing"))),
        }
    }
    if devices.is_empty() {
        return Answer::absent(format!("{version} has the API and no context of it computes: {}", reasons.join("; ")), tree);
    }
    reasons.into_iter().for_each(|why| tree.warn(format!("{version}, {why}")));
    Answer { warnings: tree.warnings(), ..Answer::found(devices) }
}
