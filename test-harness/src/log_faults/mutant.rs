//! What broken disks and careless people leave of a log.

use super::below;
use super::recording::Files;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use rusqlite::Connection;
use std::path::Path;

/// Changes the files in one of many ways; the name of the way, and the record that was changed where it was just one.
/// `place` may be written to.
pub fn change(random: &mut Pcg64, files: &mut Files, place: &Path) -> (&'static str, Option<usize>) {
    if below(random, 5) == 0 {
        return match row(random, files, place) {
            Some((kind, row)) => (kind, Some(row)),
            None => ("no record to change", None),
        };
    }
    let in_journal = below(random, 2) == 0 && !files.wal.is_empty();
    let content = if in_journal { &mut files.wal } else { &mut files.db };
    let kind = match below(random, 9) {
        0 => "bits flipped in the mark",
        1..=3 if in_journal => "bits flipped in the journal",
        1..=3 => "bits flipped in the log",
        4 => "zeros",
        5 => "cut off",
        6 => "noise",
        7 => "a page in place of another",
        _ => "replaced as a whole",
    };
    match kind {
        "bits flipped in the mark" => flip(random, &mut files.mark),
        "zeros" => range(random, content).fill(0),
        "cut off" => content.truncate(below(random, content.len())),
        "noise" => range(random, content).iter_mut().for_each(|byte| *byte = random.next_u64() as u8),
        "a page in place of another" => {
            let pages = (content.len() / 4096).max(1);
            let (from, to) = (below(random, pages) * 4096, below(random, pages) * 4096);
            let page = content[from..(from + 4096).min(content.len())].to_vec();
            let to = to..(to + page.len()).min(content.len());
            let page = &page[..to.len()];
            content[to].copy_from_slice(page);
        }
        "replaced as a whole" => match below(random, 3) {
            0 => content.clear(),
            1 => *content = b"these are my notes, not a log\n".repeat(1 + below(random, 300)),
            _ => content.iter_mut().for_each(|byte| *byte = random.next_u64() as u8),
        },
        _ => flip(random, content),
    }
    (kind, None)
}

fn flip(random: &mut Pcg64, content: &mut [u8]) {
    for _ in 0..1 + below(random, 8) {
        if !content.is_empty() {
            let at = below(random, content.len());
            content[at] ^= 1 << below(random, 8);
        }
    }
}

/// Up to 16 KiB of the content, in sectors.
fn range<'a>(random: &mut Pcg64, content: &'a mut [u8]) -> &'a mut [u8] {
    if content.is_empty() {
        return content;
    }
    let from = below(random, content.len()) / 512 * 512;
    let to = (from + 512 * (1 + below(random, 32))).min(content.len());
    &mut content[from..to]
}

/// Changes one record by SQL, as a person would: SQLite finds nothing wrong with it.
fn row(random: &mut Pcg64, files: &mut Files, place: &Path) -> Option<(&'static str, usize)> {
    let log = files.write(place).expect("the folder is ours");
    let connection = Connection::open(&log).expect("it is sound");
    let rows: i64 = connection.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)).expect("it is sound");
    if rows < 2 {
        return None;
    }
    let seq = 1 + below(random, rows as usize - 1) as i64;
    let (kind, sql) = match below(random, 5) {
        0 => ("a record removed", format!("DELETE FROM fact WHERE seq = {seq}")),
        1 => ("a record's text changed", format!("UPDATE fact SET payload = payload || ' ' WHERE seq = {seq}")),
        2 => ("a record's sum changed", format!("UPDATE fact SET crc = crc + 1 WHERE seq = {seq}")),
        3 => ("a record filed elsewhere", format!("UPDATE fact SET task = ifnull(task, 0) + 1 WHERE seq = {seq}")),
        _ => ("records after it removed", format!("DELETE FROM fact WHERE seq >= {seq}")),
    };
    connection.execute(&sql, []).expect("it is sound");
    drop(connection);
    *files = Files { mark: std::mem::take(&mut files.mark), ..Files::read(place).expect("the folder is ours") };
    Some((kind, seq as usize))
}
