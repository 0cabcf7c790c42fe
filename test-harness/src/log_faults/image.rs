//! What a power cut may leave of one step of a recorded run.
//!
//! A disk writes sectors of 512 bytes as a whole and in any order, until it is told to wait. SQLite tells it to after the
//! beginning of a journal that begins anew, after each commit, and before and after it moves the journal into the log; the
//! mark is never waited for. So an image is: all of what was waited for, and any part of what was not.

use super::below;
use super::recording::{Files, Step};
use rand_pcg::Pcg64;

/// What a disk writes as a whole, in bytes.
const SECTOR: usize = 512;
/// The beginning of a journal, in bytes.
const JOURNAL_HEAD: usize = 32;

/// What is left by a cut within this step, and what kind of cut it is.
pub fn cut(random: &mut Pcg64, step: &Step) -> (&'static str, Files) {
    let mut left = step.before.clone();
    let head = JOURNAL_HEAD.min(step.after.wal.len());
    let begins_anew = step.before.wal.get(..head) != Some(&step.after.wal[..head]);
    if begins_anew && below(random, 4) == 0 {
        let mut after = step.before.wal.clone();
        after.resize(after.len().max(head), 0);
        after[..head].copy_from_slice(&step.after.wal[..head]);
        return ("beginning of a journal", Files { wal: part(random, &step.before.wal, &after).1, ..left });
    }
    if begins_anew {
        left.wal.resize(left.wal.len().max(head), 0);
        left.wal[..head].copy_from_slice(&step.after.wal[..head]);
    }
    let kind;
    (kind, left.wal) = part(random, &left.wal, &step.after.wal);
    // The log's own file is written only when all of the journal is there.
    if left.wal == step.after.wal {
        left.db = part(random, &step.before.db, &step.after.db).1;
    }
    (kind, left)
}

/// Some of the sectors that differ, as they are after; the others as they were before, or zeros where there was nothing.
fn part(random: &mut Pcg64, before: &[u8], after: &[u8]) -> (&'static str, Vec<u8>) {
    let sectors = after.len().div_ceil(SECTOR);
    let range = |sector: usize| sector * SECTOR..((sector + 1) * SECTOR).min(after.len());
    let changed: Vec<usize> = (0..sectors).filter(|sector| before.get(range(*sector)) != Some(&after[range(*sector)])).collect();
    if changed.is_empty() {
        return ("nothing in flight", after.to_vec());
    }
    let count = below(random, changed.len() + 1);
    let (kind, written): (_, Vec<usize>) = match below(random, 4) {
        0 => ("first sectors written", changed[..count].to_vec()),
        1 => ("last sectors written", changed[count..].to_vec()),
        2 => ("any sectors written", changed.iter().copied().filter(|_| below(random, 2) == 0).collect()),
        _ => ("all sectors but one written", {
            let missing = changed[below(random, changed.len())];
            changed.iter().copied().filter(|sector| *sector != missing).collect()
        }),
    };
    let mut left = before.to_vec();
    // The length of a file may reach the disk before its content does.
    let whole_length = below(random, 2) == 0;
    let length = written.last().map_or(0, |last| range(*last).end).max(if whole_length { after.len() } else { 0 });
    left.resize(left.len().max(length), 0);
    for sector in written {
        left[range(sector)].copy_from_slice(&after[range(sector)]);
    }
    (kind, left)
}
