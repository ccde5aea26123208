//! Changes of a set of files, as an input says: what a medium, a crash or somebody with an editor may have left.
//!
//! Chance would never find a checksum, so a changed batch can be given the right one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use records::{BATCH_HEADER_BYTES, BatchIter, crc_of};

use super::input::Input;

/// Files by their paths.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

const EDITS_MAX: usize = 12;
const FILE_LEN_MAX: usize = 256 << 10;

/// Makes changes until the input has no more, or there have been many.
pub(super) fn edit(files: &mut Files, input: &mut Input<'_>) {
    for _ in 0..EDITS_MAX {
        if input.is_empty() || files.is_empty() {
            return;
        }
        let kind = input.byte() % 9;
        let index = input.below(files.len());
        let path = files.keys().nth(index).expect("it is below").clone();
        if kind >= 7 {
            rename(files, &path, kind == 7, input);
            continue;
        }
        let file = files.get_mut(&path).expect("it was found");
        match kind {
            0 => overwrite(file, input),
            1 => file.truncate(usize::from(input.short())),
            2 => file.extend_from_slice(input.text()),
            3 => *file = input.text().to_vec(),
            4 => insert_batch(file, input),
            5 => drop(files.remove(&path)),
            _ => overwrite_in_batch(file, input),
        }
        if let Some(file) = files.get_mut(&path) {
            file.truncate(FILE_LEN_MAX);
        }
    }
}

fn overwrite(file: &mut [u8], input: &mut Input<'_>) {
    if file.is_empty() {
        return;
    }
    let at = input.below(file.len());
    let len = usize::from(input.byte() % 16) + 1;
    let bytes = input.take(len);
    let end = file.len().min(at + bytes.len());
    file[at..end].copy_from_slice(&bytes[..end - at]);
}

/// Gives a file the name of another kind, or copies it there.
fn rename(files: &mut Files, path: &Path, is_copy: bool, input: &mut Input<'_>) {
    const EXTENSIONS: [&str; 12] = [
        "log",
        "index",
        "timeindex",
        "snapshot",
        "swap",
        "cleaned",
        "deleted",
        "txnindex",
        "tmp",
        "groups",
        "checkpoint",
        "",
    ];
    let name = match input.byte() % 4 {
        0 => path.with_extension(EXTENSIONS[input.below(EXTENSIONS.len())]),
        1 => path.with_file_name(format!(
            "{:020}.{}",
            input.short(),
            EXTENSIONS[input.below(EXTENSIONS.len())]
        )),
        2 => {
            let index = input.below(files.len());
            files.keys().nth(index).expect("it is below").clone()
        }
        _ => {
            let text: String = String::from_utf8_lossy(input.text())
                .chars()
                .filter(|letter| letter.is_ascii_graphic() && *letter != '/')
                .take(100)
                .collect();
            if text.is_empty() || text == "." || text == ".." {
                return;
            }
            path.with_file_name(text)
        }
    };
    let content = if is_copy {
        files.get(path).cloned()
    } else {
        files.remove(path)
    };
    files.insert(name, content.unwrap_or_default());
}

/// The batches of a file, as far as it has any.
fn batches(file: &[u8]) -> Vec<(usize, usize)> {
    let mut at = 0;
    BatchIter::new(file)
        .map_while(Result::ok)
        .map(|(_, batch)| {
            at += batch.len();
            (at - batch.len(), at)
        })
        .collect()
}

fn overwrite_in_batch(file: &mut [u8], input: &mut Input<'_>) {
    let batches = batches(file);
    if batches.is_empty() {
        return;
    }
    let (start, end) = batches[input.below(batches.len())];
    let batch = &mut file[start..end];
    overwrite(batch, input);
    seal(batch);
}

/// Puts a batch of any content between two, with the right length and checksum.
fn insert_batch(file: &mut Vec<u8>, input: &mut Input<'_>) {
    let batches = batches(file);
    let at = match batches.len() {
        0 => 0,
        count => batches[input.below(count)].1,
    };
    let batch = made_batch(input.text());
    file.splice(at..at, batch);
}

/// These bytes as a batch: too few are filled up, and length, version and checksum are right.
pub(super) fn made_batch(bytes: &[u8]) -> Vec<u8> {
    let mut batch = bytes.to_vec();
    batch.resize(batch.len().max(BATCH_HEADER_BYTES), 0);
    let len = i32::try_from(batch.len() - 12).expect("inputs are small");
    batch[8..12].copy_from_slice(&len.to_be_bytes());
    batch[16] = 2;
    seal(&mut batch);
    batch
}

/// Makes the checksum of a batch right.
fn seal(batch: &mut [u8]) {
    if batch.len() >= BATCH_HEADER_BYTES {
        let crc = crc_of(batch);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}
