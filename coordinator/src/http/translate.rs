//! A caller's request for a task, checked and with its defaults filled in.

use coordinator_core::NewTask;
use shared::api::{RequestKind, Requirements, TaskRequest};
use shared::protocol::SPEC_BYTES_MAX;
use shared::requirement::Requirement;
use shared::task::{TaskSpec, Timeouts, Work, seconds};
use std::sync::Arc;

/// Names, groups, owners and keys are this long at the most, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// The task a request asks for.
///
/// # Errors
/// What is wrong with it, in a sentence that names the field.
pub fn task(request: TaskRequest) -> Result<NewTask, String> {
    let key = request.idempotency_key.as_deref().map(Arc::from);
    for (field, text) in [
        ("name", &request.name),
        ("group", &request.group),
        ("owner", &request.owner),
        ("idempotency_key", &request.idempotency_key),
    ] {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains('\0')) {
            return Err(format!("`{field}` must have 1 to {NAME_BYTES_MAX} bytes and no zero byte"));
        }
    }
    let requires = requirement(request.requirements)?;
    let timeouts = timeouts(request.timeouts, request.timeout_s)?;
    let work = match request.kind {
        RequestKind::Command if request.command.is_empty() => {
            return Err("`command` must name a program: [\"sh\", \"-c\", \"…\"]".into());
        }
        RequestKind::Command => Work::Command(request.command),
        RequestKind::Tests => Work::Tests(request.tests.ok_or("`tests` must hold the chunk to run")?),
        RequestKind::Noop => Work::Noop,
    };
    if let Work::Command(argv) = &work
        && (argv[0].is_empty() || argv.iter().any(|word| word.contains('\0')))
    {
        return Err("`command` holds an empty program or a zero byte".into());
    }
    if request.env.iter().any(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')) {
        return Err("`env` holds a name that is empty or has `=` in it, or a zero byte".into());
    }
    let name = request.name.unwrap_or_else(|| describe(&work));
    let spec = TaskSpec {
        kind: request.group.unwrap_or_else(|| kind_of(&name)),
        name,
        work,
        cwd: request.cwd,
        env: request.env,
        files: request.files,
        requires,
        priority: request.priority.unwrap_or_default(),
        timeouts,
        retries: request.retries.unwrap_or(0),
        hardware: request.hardware,
        gpu_memory_bytes: request.gpu_memory_bytes.unwrap_or(0),
        checkpointable: request.checkpointable,
        state_bytes: request.state_bytes.unwrap_or(0),
        owner: request.owner,
        estimate_s: request.estimate_s.filter(|s| s.is_finite() && *s >= 0.0),
        deadline_s: request.deadline_s.filter(|s| s.is_finite() && *s >= 0.0),
    };
    let bytes = serde_json::to_vec(&spec).map_err(|error| error.to_string())?.len();
    if bytes > SPEC_BYTES_MAX {
        return Err(format!("the task takes {bytes} bytes; {SPEC_BYTES_MAX} are allowed: ship large input as files"));
    }
    Ok(NewTask { spec: Arc::new(spec), key })
}

fn requirement(written: Option<Requirements>) -> Result<Requirement, String> {
    match written {
        None => Ok(Requirement::default()),
        Some(Requirements::Expression(text)) => text.parse().map_err(|error| format!("{error}")),
        Some(Requirements::ByName(conditions)) => {
            let parsed: Result<Vec<Requirement>, String> = conditions
                .into_iter()
                .map(|(name, condition)| format!("{name}{condition}").parse().map_err(|error| format!("{error}")))
                .collect();
            Ok(parsed?.iter().fold(Requirement::default(), |all, one| all.and(one)))
        }
    }
}

fn timeouts(all: Option<Timeouts>, run_s: Option<f64>) -> Result<Timeouts, String> {
    let mut timeouts = all.unwrap_or_default();
    timeouts.run_s = run_s.or(timeouts.run_s);
    let limits = [
        ("queue_s", timeouts.queue_s),
        ("setup_s", timeouts.setup_s),
        ("run_s", timeouts.run_s),
        ("silence_s", timeouts.silence_s),
    ];
    match limits.into_iter().find(|(_, limit)| limit.is_some() && seconds(*limit).is_none_or(|limit| limit.is_zero())) {
        Some((name, limit)) => Err(format!("timeout {name} = {}: it must be more than 0 seconds", limit.unwrap_or_default())),
        None => Ok(timeouts),
    }
}

fn describe(work: &Work) -> String {
    let words: String = match work {
        Work::Command(argv) => argv.join(" "),
        Work::Tests(chunk) => format!("{} tests of {}", chunk.tests.len(), chunk.framework.name()),
        Work::Noop => "noop".into(),
    };
    words.chars().take(80).collect()
}

/// The name without the number at its end: `render-17` and `render-18` are expected to take equally long.
fn kind_of(name: &str) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.', ' ', '#']);
    if stem.is_empty() { name.into() } else { stem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> Result<NewTask, String> {
        task(serde_json::from_str(json).expect("a request"))
    }

    #[test]
    fn a_request_gets_its_defaults() {
        let made = request(r#"{"type": "command", "command": ["sh", "-c", "true"]}"#).expect("valid").spec;
        assert_eq!((made.name.as_str(), made.priority.level(), made.retries), ("sh -c true", 5, 0));
        let named = request(r#"{"command": ["true"], "name": "render-17"}"#).expect("valid").spec;
        assert_eq!(named.kind, "render");
    }

    #[test]
    fn requirements_may_be_written_by_name() {
        let made = request(r#"{"command": ["true"], "requirements": {"cpu_cores": ">=8", "available_memory": ">=16GB"}}"#)
            .expect("valid");
        assert_eq!(made.spec.requires.demand().cores, 8);
        assert_eq!(made.spec.requires.demand().memory_bytes, 16_000_000_000);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (json, part) in [
            (r#"{"command": []}"#, "`command`"),
            (r#"{"command": ["true"], "requirements": "memory>=16XB"}"#, "no known unit"),
            (r#"{"command": ["true"], "requirements": "tpu"}"#, "nothing is known as `tpu`"),
            (r#"{"command": ["true"], "timeout_s": 0}"#, "run_s"),
            (r#"{"command": ["true"], "env": {"A=B": "1"}}"#, "`env`"),
            (r#"{"type": "tests"}"#, "`tests`"),
            (r#"{"command": ["true"], "name": ""}"#, "`name`"),
        ] {
            let error = request(json).expect_err(json);
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
