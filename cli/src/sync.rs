//! Ships the files of a folder to a coordinator, each content once.

use crate::client::Client;
use crate::screen::{bytes, count, say};
use anyhow::{Context, bail};
use ignore::WalkBuilder;
use sha2::{Digest as _, Sha256};
use shared::id::Digest;
use shared::task::{FileEntry, Manifest};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Folders that no suite needs on another machine: they are large, or mean this machine only.
const LEFT_OUT: [&str; 6] = [".git", "target", ".evenkeel", "node_modules", ".venv", "__pycache__"];
/// Digests asked about in one request.
const ASKED_AT_ONCE: usize = 10_000;
/// Files under way at a time.
const SENT_AT_ONCE: usize = 8;
/// Files up to this length are sent from memory.
const SMALL_BYTES: u64 = 4 << 20;
/// How long the user is left without a word.
const QUIET: Duration = Duration::from_secs(2);

/// Where each content can be read, and its length.
type Sources = BTreeMap<Digest, (PathBuf, u64)>;

/// Makes the files under `folder` available to workers; the answer is what tasks name them by.
pub async fn ship(client: &Client, folder: &Path) -> anyhow::Result<Digest> {
    let root = folder.to_owned();
    let (manifest, sources) = tokio::task::spawn_blocking(move || read_folder(&root)).await.context("reading the folder")??;
    if manifest.files.is_empty() {
        bail!("there is nothing to ship in {}: is it the right folder, or does .gitignore name everything?", folder.display());
    }
    let whole = serde_json::to_vec(&manifest).context("writing the manifest")?;
    let name = digest_of(&whole);
    let digests: Vec<Digest> = sources.keys().copied().collect();
    let mut missing = Vec::new();
    for part in digests.chunks(ASKED_AT_ONCE) {
        missing.extend(client.missing(part).await?);
    }
    let total: u64 = missing.iter().filter_map(|digest| sources.get(digest)).map(|(_, length)| length).sum();
    if !missing.is_empty() {
        let files = count(manifest.files.len() as u64, "file");
        say(&format!("shipping {} of {files} ({})", missing.len(), bytes(total)));
    }
    send(client, &missing, &sources, total).await?;
    client.put_blob(name, whole).await?;
    Ok(name)
}

async fn send(client: &Client, missing: &[Digest], sources: &Sources, total: u64) -> anyhow::Result<()> {
    let mut under_way = JoinSet::new();
    let (mut sent, mut spoken) = (0, Instant::now());
    let mut rest = missing.iter().filter_map(|digest| Some((*digest, sources.get(digest)?)));
    loop {
        while under_way.len() < SENT_AT_ONCE
            && let Some((digest, (path, length))) = rest.next()
        {
            let (client, path, length) = (client.clone(), path.clone(), *length);
            under_way.spawn(async move { send_file(&client, digest, &path, length).await.map(|()| length) });
        }
        let Some(ended) = under_way.join_next().await else { return Ok(()) };
        sent += ended.context("sending a file")??;
        if spoken.elapsed() > QUIET {
            spoken = Instant::now();
            say(&format!("shipped {} of {}", bytes(sent), bytes(total)));
        }
    }
}

async fn send_file(client: &Client, digest: Digest, path: &Path, length: u64) -> anyhow::Result<()> {
    let doing = || format!("shipping {}", path.display());
    if length > SMALL_BYTES {
        let file = tokio::fs::File::open(path).await.with_context(doing)?;
        return client.put_blob(digest, file).await.with_context(doing);
    }
    let content = tokio::fs::read(path).await.with_context(doing)?;
    client.put_blob(digest, content).await.with_context(doing)
}

/// Every file below `root` with its content's name, and where each content can be read.
fn read_folder(root: &Path) -> anyhow::Result<(Manifest, Sources)> {
    if !root.is_dir() {
        bail!("{} is not a folder; name the folder whose files the tests need", root.display());
    }
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            !(is_folder && entry.depth() > 0 && LEFT_OUT.iter().any(|name| entry.file_name() == *name))
        })
        .build();
    let (mut manifest, mut sources) = (Manifest::default(), BTreeMap::new());
    let mut spoken = Instant::now();
    for entry in walk {
        let entry = entry.with_context(|| format!("reading the folder {}", root.display()))?;
        let path = entry.path();
        // A link is shipped as what it leads to; one to a folder or to nothing is left out.
        let Ok(about) = std::fs::metadata(path) else {
            say(&format!("warning: {} leads nowhere and is left out", path.display()));
            continue;
        };
        if !about.is_file() {
            continue;
        }
        let relative = path.strip_prefix(root).context("a folder holds what is below it")?;
        let Some(name) = relative.to_str() else {
            bail!("the name of {} is not UTF-8 and cannot be shipped; rename it or add it to .gitignore", path.display());
        };
        let (digest, length) = hash(path).with_context(|| format!("reading {}", path.display()))?;
        manifest.files.push(FileEntry { path: name.to_owned(), digest, bytes: length, executable: is_executable(&about) });
        sources.insert(digest, (path.to_owned(), length));
        if spoken.elapsed() > QUIET {
            spoken = Instant::now();
            say(&format!("read {}", count(manifest.files.len() as u64, "file")));
        }
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((manifest, sources))
}

fn is_executable(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o100 != 0
}

fn digest_of(content: &[u8]) -> Digest {
    Digest(Sha256::digest(content).into())
}

fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    let (mut file, mut hasher, mut length) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((Digest(hasher.finalize().into()), length)),
            read => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_stays_here_and_equal_contents_are_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            std::fs::write(path, content).expect("written");
        };
        for (name, content) in [
            (".gitignore", "*.log\n"),
            ("a.log", "no"),
            ("b/one.py", "same"),
            ("two.py", "same"),
            (".hidden", "yes"),
            ("target/x", "no"),
            ("b/.git/config", "no"),
        ] {
            write(name, content);
        }
        let (manifest, sources) = read_folder(folder.path()).expect("readable");
        let names: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, [".gitignore", ".hidden", "b/one.py", "two.py"]);
        assert_eq!((manifest.files[2].digest, sources.len()), (digest_of(b"same"), 3));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = read_folder(Path::new("/no/such/folder")).expect_err("missing").to_string();
        assert!(error.contains("/no/such/folder"), "{error}");
    }
}
