//! Names of things. Each is its own type, so that a task can never be taken for an attempt.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A task, numbered densely from 1 in the order of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// One life of the coordinator: raised by one, and made durable, before it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

/// One registration of a worker. The newest session of a worker is the only one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Session(pub u64);

/// The fence: strictly increasing per task, with the epoch in the high 32 bits, so that it keeps increasing even when
/// the tail of the log was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNumber(pub u64);

impl AttemptNumber {
    /// The `ordinal`-th attempt of a task (from 1), made in `epoch`.
    pub fn new(epoch: Epoch, ordinal: u32) -> Self {
        Self(u64::from(epoch.0) << 32 | u64::from(ordinal))
    }

    /// Which attempt of its task this is, from 1: what people read, and what a task finds in `EVENKEEL_ATTEMPT`.
    pub fn ordinal(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

/// One execution of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The task.
    pub task: TaskId,
    /// Its fence.
    pub number: AttemptNumber,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task, self.number.ordinal())
    }
}

/// Text that was meant to be `N` bytes in hexadecimal and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {digits} hexadecimal digits")]
pub struct NotHex {
    text: String,
    digits: usize,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                let wrong = || NotHex { text: text.chars().take(80).collect(), digits: 2 * $bytes };
                if text.len() != 2 * $bytes || !text.is_ascii() {
                    return Err(wrong());
                }
                let mut bytes = [0; $bytes];
                for (byte, at) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
                    *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// One data directory of a coordinator: a worker bound to one cluster refuses another.
    ClusterId,
    16
);
hex_id!(
    /// One worker's work directory. It survives restarts; the host name need not.
    WorkerId,
    16
);
hex_id!(
    /// One life of a worker daemon: tells "same daemon, new socket" from "daemon restarted".
    BootNonce,
    8
);
hex_id!(
    /// Content by its SHA-256.
    Digest,
    32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_epoch_fences_every_earlier_attempt() {
        let before = AttemptNumber::new(Epoch(1), u32::MAX);
        let after = AttemptNumber::new(Epoch(2), 1);
        assert!(after > before);
        assert_eq!(after.ordinal(), 1);
    }

    #[test]
    fn a_digest_reads_back_what_it_prints_and_refuses_the_rest() {
        let digest = Digest([0xab; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
