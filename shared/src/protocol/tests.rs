//! What the wire's encodings promise.

use super::*;
use crate::id::{Attempt, TaskId};

#[test]
fn unknown_fields_are_ignored_and_unknown_messages_are_errors() {
    let message: FromWorker =
        serde_json::from_str(r#"{"started":{"attempt":{"task":1,"number":2},"later":true}}"#).expect("tolerant");
    assert_eq!(message, FromWorker::Started { attempt: Attempt { task: TaskId(1), number: AttemptNumber(2) } });
    assert!(serde_json::from_str::<FromWorker>(r#"{"fly":{}}"#).is_err());
}

#[test]
fn both_encodings_carry_the_same_message() {
    let message = Envelope {
        seq: 3,
        ack: 2,
        messages: vec![FromWorker::Log {
            attempt: Attempt { task: TaskId(7), number: AttemptNumber::new(Epoch(2), 1) },
            offset: 10,
            bytes: Bytes(vec![0xff, 0, 1]),
        }],
    };
    let json = serde_json::to_vec(&message).expect("serialisable");
    assert_eq!(serde_json::from_slice::<Envelope<FromWorker>>(&json).expect("what was written"), message);
    let packed = rmp_serde::to_vec_named(&message).expect("serialisable");
    assert_eq!(rmp_serde::from_slice::<Envelope<FromWorker>>(&packed).expect("what was written"), message);
}

#[test]
fn the_digest_does_not_depend_on_order() {
    let attempt = |task, number| Attempt { task: TaskId(task), number: AttemptNumber(number) };
    assert_eq!(digest_of([attempt(1, 2), attempt(3, 4)]), digest_of([attempt(3, 4), attempt(1, 2)]));
    assert_ne!(digest_of([attempt(1, 2)]), digest_of([attempt(2, 1)]));
}
