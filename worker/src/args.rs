//! The flags of the worker, and what follows from them.

use crate::hardware::Declared;
use clap::Args as ClapArgs;
use shared::hardware::HardwareKind;
use std::path::PathBuf;

/// Where workers connect.
const SOCKET_PATH: &str = "/api/worker";

/// Runs tasks for a coordinator until it is told to stop.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "Example:\n  evenkeel worker --coordinator ws://10.0.0.5:8080 --slots 8 --label rack=a3\n  evenkeel worker --detect\n  evenkeel worker --hardware cuda:memory=24GB,count=2"
)]
pub struct Args {
    /// The coordinator: ws://HOST:PORT or http://HOST:PORT.
    #[arg(long, value_name = "URL", env = "EVENKEEL_COORDINATOR", default_value = "ws://127.0.0.1:8080", value_parser = endpoint)]
    pub coordinator: Endpoint,
    /// What people call this worker; unique in its cluster [default: the host name].
    #[arg(long)]
    pub name: Option<String>,
    /// Tasks of one core each that it runs at a time [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub slots: Option<u32>,
    /// A label that requirements can ask for; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Devices this machine has, such as `cuda` or `cuda:memory=24GB,count=2`; may be repeated. What the machine lists by itself
    /// counts instead; what it does not list is believed, and shown as declared. Kinds: cpu, cuda, rocm, mps, openvino, qnn,
    /// webnn, webgpu; keys: memory, count, name, compute_capability, speed, throttle_c.
    #[arg(long = "hardware", value_name = "KIND[:KEY=VALUE,…]")]
    pub hardware: Vec<Declared>,
    /// Say what hardware is found, and why the rest is not, and end.
    #[arg(long)]
    pub detect: bool,
    /// With --detect: as JSON.
    #[arg(long, requires = "detect")]
    pub json: bool,
    /// Ask for one kind of hardware in this process, and end: how the daemon keeps what could crash at a distance.
    #[arg(long, value_name = "KIND", value_parser = kind, hide = true)]
    pub probe: Option<HardwareKind>,
    /// Where it keeps its identity, results that were not acknowledged and the files of tasks
    /// [default: evenkeel-worker/NAME in the current folder].
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// A file that holds the coordinator's token [default: the variable EVENKEEL_TOKEN, else ~/.config/evenkeel/token].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Give tasks the environment of this daemon, without EVENKEEL_TOKEN, instead of PATH, HOME, LANG, TMPDIR and USER
    /// only.
    #[arg(long)]
    pub inherit_env: bool,
    /// How messages are written on the wire.
    #[arg(long, value_enum, default_value_t = Encoding::Msgpack)]
    pub encoding: Encoding,
    /// Leave when the standard input is closed: the process that started this one is gone.
    #[arg(long)]
    pub exit_with_parent: bool,
    /// Be the runner whose folder this is. The daemon starts it.
    #[arg(long, value_name = "DIR", hide = true)]
    pub runner: Option<PathBuf>,
}

/// How messages are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// Text frames that people can read.
    Json,
    /// Binary frames, smaller and faster.
    Msgpack,
}

/// A coordinator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port.
    pub authority: String,
}

impl Endpoint {
    /// Where the session is opened.
    pub fn socket_url(&self) -> String {
        format!("ws://{}{SOCKET_PATH}", self.authority)
    }

    /// Where its HTTP interface begins.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let example = "write ws://HOST:PORT, such as ws://127.0.0.1:8080";
    if text.starts_with("wss://") || text.starts_with("https://") {
        return Err(format!("this build speaks no TLS: {example} and put a tunnel in between"));
    }
    let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let authority = rest.trim_end_matches('/').trim_end_matches(SOCKET_PATH);
    let port = authority.rsplit_once(':').map(|(host, port)| (!host.is_empty(), port.parse::<u16>()));
    match port {
        Some((true, Ok(_))) if !authority.contains(['/', '@', '?', '#', ' ']) => Ok(Endpoint { authority: authority.into() }),
        _ => Err(example.into()),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) => {
            Ok((key.into(), value.into()))
        }
        _ => Err("write KEY=VALUE, such as rack=a3; a key is letters, digits, _, - and .".into()),
    }
}

fn kind(text: &str) -> Result<HardwareKind, String> {
    let names: Vec<&str> = HardwareKind::ALL.iter().map(|kind| kind.name()).collect();
    HardwareKind::from_name(text).ok_or_else(|| format!("one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_named_by_either_scheme_with_or_without_the_path() {
        for text in ["ws://host:1", "http://host:1/", "ws://host:1/api/worker", "host:1"] {
            assert_eq!(endpoint(text).map(|endpoint| endpoint.socket_url()), Ok("ws://host:1/api/worker".into()), "{text}");
        }
        for text in ["ws://host", "wss://host:1", "ws://:1", "ws://host:70000", "ftp://host:1", "ws://host:1/other"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_and_kinds_are_checked() {
        assert_eq!(label("rack=a=b"), Ok(("rack".into(), "a=b".into())));
        assert!(label("rack").is_err() && label("=x").is_err() && label("a b=c").is_err());
        assert!(kind("cuda").is_ok() && kind("gpu").is_err_and(|why| why.contains("cuda")));
    }
}
