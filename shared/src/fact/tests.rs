//! What facts look like on disk.

use super::*;
use crate::id::Epoch;

#[test]
fn a_fact_is_one_flat_object_with_its_time_in_seconds() {
    let fact = Fact {
        at: Time(1_500_000),
        what: What::AttemptStarted {
            task: TaskId(7),
            attempt: AttemptNumber::new(Epoch(1), 1),
            worker: "gpu-1".into(),
            hardware: HardwareKind::Cuda,
            progress: 0.0,
        },
    };
    let text = serde_json::to_string(&fact).expect("serialisable");
    assert_eq!(
        text,
        r#"{"t":1.5,"fact":"attempt_started","task":7,"attempt":4294967297,"worker":"gpu-1","hardware":"cuda","progress":0.0}"#
    );
    assert_eq!(serde_json::from_str::<Fact>(&text).expect("what was written"), fact);
}
