//! `evenkeel config`: the configuration a coordinator works with.

use crate::client::Connection;
use crate::screen::{print, print_json, table};
use shared::api::ConfigView;
use std::process::ExitCode;

/// The options of `config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  evenkeel config --coordinator http://farm:8080 --json")]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the configuration.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config: ConfigView = args.connection.client()?.get("/api/config", "read the configuration").await?;
    if args.json {
        print_json(&config)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![
        vec!["listen".to_owned(), config.listen],
        vec!["db_path".to_owned(), config.db_path],
        vec!["policy".to_owned(), config.policy],
    ];
    if let serde_json::Value::Object(balancer) = serde_json::to_value(config.balancer)? {
        rows.extend(balancer.into_iter().map(|(option, value)| vec![option, value.to_string()]));
    }
    print(&table(&["option", "value"], &rows))?;
    Ok(ExitCode::SUCCESS)
}
