//! Which part of a long output is kept: its head and its tail, with an explicit gap between.
//!
//! Both the worker's spool and the coordinator's store lay an output out in one file in this way: first the head, then a
//! ring that holds the newest bytes after it.

use std::ops::Range;

/// The layout of one output: how much of each end is kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Bytes kept from the beginning.
    pub head_bytes: u64,
    /// Bytes kept from the end; at least 1.
    pub tail_bytes: u64,
}

/// What is kept of an attempt's output unless configured otherwise: 64 MiB in all.
pub const WINDOW: Window = Window { head_bytes: 16 << 20, tail_bytes: 48 << 20 };

/// A run of output bytes and where it lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Offset in the output.
    pub offset: u64,
    /// Offset in the file.
    pub at: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl Window {
    /// Where the run of `bytes` at `offset` goes; split where it crosses from the head into the ring or wraps around.
    /// Of a run longer than the ring only the newest part has a place.
    pub fn place(&self, offset: u64, bytes: u64) -> Vec<Piece> {
        let end = offset + bytes;
        let mut pieces = Vec::with_capacity(3);
        if offset < self.head_bytes {
            pieces.push(Piece { offset, at: offset, bytes: end.min(self.head_bytes) - offset });
        }
        let mut from = offset.max(self.head_bytes).max(end.saturating_sub(self.tail_bytes));
        while from < end {
            let in_ring = (from - self.head_bytes) % self.tail_bytes;
            let run = (self.tail_bytes - in_ring).min(end - from);
            pieces.push(Piece { offset: from, at: self.head_bytes + in_ring, bytes: run });
            from += run;
        }
        pieces
    }

    /// The part of an output of `total` bytes that was dropped; empty when all of it is kept.
    pub fn gap(&self, total: u64) -> Range<u64> {
        let tail_from = total.saturating_sub(self.tail_bytes).max(self.head_bytes);
        self.head_bytes.min(tail_from)..tail_from
    }

    /// The next run to read at `cursor`, at most `bytes_max` long, of an output of `total` bytes. A cursor within the gap
    /// moves to its end; nothing is left at or after `total`.
    pub fn next(&self, cursor: u64, total: u64, bytes_max: u64) -> Option<Piece> {
        let gap = self.gap(total);
        let from = if gap.contains(&cursor) { gap.end } else { cursor };
        let until = if from < gap.start { gap.start.min(total) } else { total };
        if from >= until {
            return None;
        }
        self.place(from, (until - from).min(bytes_max)).into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `total` bytes in runs of `run`, then reads all that is kept.
    fn kept(window: Window, total: u64, run: u64) -> Vec<(u64, u8)> {
        let mut file = vec![0u8; (window.head_bytes + window.tail_bytes) as usize];
        let byte = |offset: u64| (offset % 251) as u8;
        let mut written = 0;
        while written < total {
            let bytes = run.min(total - written);
            for piece in window.place(written, bytes) {
                for i in 0..piece.bytes {
                    file[(piece.at + i) as usize] = byte(piece.offset + i);
                }
            }
            written += bytes;
        }
        let (mut read, mut cursor) = (Vec::new(), 0);
        while let Some(piece) = window.next(cursor, total, 7) {
            read.extend((0..piece.bytes).map(|i| (piece.offset + i, file[(piece.at + i) as usize])));
            cursor = piece.offset + piece.bytes;
        }
        assert!(read.iter().all(|&(offset, found)| found == byte(offset)), "{total} in runs of {run}");
        read
    }

    #[test]
    fn both_ends_of_an_output_are_kept_and_the_gap_is_what_is_missing() {
        let window = Window { head_bytes: 10, tail_bytes: 16 };
        for total in 0..120 {
            for run in [1, 3, 16, 40, 200] {
                let offsets: Vec<u64> = kept(window, total, run).into_iter().map(|(offset, _)| offset).collect();
                let gap = window.gap(total);
                let expected: Vec<u64> = (0..total).filter(|offset| !gap.contains(offset)).collect();
                assert_eq!(offsets, expected, "{total} in runs of {run}");
                assert_eq!(gap.end - gap.start, total.saturating_sub(26));
            }
        }
    }
}
