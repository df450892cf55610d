use super::*;

type Entries = Vec<(u8, Vec<u8>, Vec<u8>)>;

fn change(kind: u8, key: &str, value: Option<&str>) -> Change {
    Change { kind, key: key.into(), value: value.map(Into::into) }
}

fn entry(kind: u8, key: &str, value: &str) -> (u8, Vec<u8>, Vec<u8>) {
    (kind, key.into(), value.into())
}

fn load(checkpoint: &Checkpoint) -> Entries {
    let mut entries = Vec::new();
    let count = checkpoint.load(&mut |kind, key, value| entries.push((kind, key.to_vec(), value.to_vec())));
    assert_eq!(count.unwrap(), entries.len() as u64);
    entries
}

fn beside(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

#[test]
fn what_was_saved_last_is_loaded_also_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aggregator").join("checkpoint.db");
    let mut checkpoint = Checkpoint::open(&path).unwrap();
    assert!(checkpoint.is_empty() && load(&checkpoint).is_empty());
    let first = [
        change(1, "b", Some("2")),
        change(1, "a", Some("1")),
        change(0, "z", Some("")),
        change(2, "gone", Some("x")),
    ];
    checkpoint.save(first.into_iter(), &[("offsets", b"1"), ("hash", b"abc")]).unwrap();
    let second = [
        change(1, "b", Some("20")),
        change(2, "gone", None),
        change(2, "never", None),
        change(9, "", Some("3")),
    ];
    checkpoint.save(second.into_iter(), &[("offsets", b"2"), ("offsets", b"3")]).unwrap();
    drop(checkpoint);

    let mut checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(
        load(&checkpoint),
        [entry(0, "z", ""), entry(1, "a", "1"), entry(1, "b", "20"), entry(9, "", "3")]
    );
    assert_eq!((checkpoint.meta("offsets"), checkpoint.meta("hash")), (Some(&b"3"[..]), Some(&b"abc"[..])));
    assert_eq!((checkpoint.meta("other"), checkpoint.len()), (None, 6));
    checkpoint.clear().unwrap();
    assert!(checkpoint.is_empty() && checkpoint.meta("hash").is_none());
    drop(checkpoint);
    assert!(load(&Checkpoint::open(&path).unwrap()).is_empty());
    assert!(!beside(&path, ".damaged").exists());
}

#[test]
fn the_same_key_twice_in_one_save_leaves_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.db");
    let mut checkpoint = Checkpoint::open(&path).unwrap();
    let changes = [
        change(1, "a", Some("1")),
        change(1, "a", None),
        change(1, "a", Some("3")),
        change(1, "a", Some("4")),
    ];
    checkpoint.save(changes.into_iter(), &[]).unwrap();
    drop(checkpoint);
    assert_eq!(load(&Checkpoint::open(&path).unwrap()), [entry(1, "a", "4")]);
}

#[test]
fn a_second_process_is_held_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.db");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(matches!(&error, CheckpointError::InUse(of) if *of == path), "{error}");
    drop(checkpoint);
    Checkpoint::open(&path).unwrap();
}

/// A checkpoint of 200 entries, closed: everything is in the one file.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("checkpoint.db");
    let mut checkpoint = Checkpoint::open(&path).unwrap();
    let entries = (0..200_u32).map(|n| Change {
        kind: 1,
        key: n.to_be_bytes().into(),
        value: Some(vec![n as u8; 300]),
    });
    checkpoint.save(entries, &[("offsets", b"7")]).unwrap();
    path
}

/// Opens what is there: either it is whole, or it is empty and what was there stands aside.
fn opens_whole_or_empty(path: &Path) -> bool {
    let checkpoint = Checkpoint::open(path).unwrap();
    let entries = load(&checkpoint);
    if entries.is_empty() {
        assert!(checkpoint.meta("offsets").is_none());
        return false;
    }
    assert_eq!(entries.len(), 200);
    for (n, (kind, key, value)) in entries.iter().enumerate() {
        assert_eq!((*kind, &key[..], &value[..]), (1, &(n as u32).to_be_bytes()[..], &[n as u8; 300][..]));
    }
    assert_eq!(checkpoint.meta("offsets"), Some(&b"7"[..]));
    true
}

#[test]
fn a_damaged_file_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let cases: [(&str, Vec<u8>); 6] = [
        ("text", b"this is not a database at all".to_vec()),
        ("one byte short", whole[..whole.len() - 1].to_vec()),
        ("64 bytes short", whole[..whole.len() - 64].to_vec()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("24 bytes", whole[..24].to_vec()),
        ("zeros", vec![0; whole.len()]),
    ];
    for (what, bytes) in cases {
        std::fs::write(&path, &bytes).unwrap();
        let damaged = beside(&path, ".damaged");
        let _gone_before = std::fs::remove_file(&damaged);
        assert!(!opens_whole_or_empty(&path), "{what} was taken for whole");
        assert_eq!(std::fs::read(&damaged).unwrap(), bytes, "{what}");
    }
    // And the new one is as good as any.
    let mut checkpoint = Checkpoint::open(&path).unwrap();
    checkpoint.save([change(1, "a", Some("1"))].into_iter(), &[]).unwrap();
    drop(checkpoint);
    assert_eq!(load(&Checkpoint::open(&path).unwrap()), [entry(1, "a", "1")]);
}

#[test]
fn a_flipped_bit_never_passes_as_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mut found = 0;
    // A prime stride reaches headers, interior pages, keys, values, the seal and unused room.
    for (turn, at) in (0..whole.len()).step_by(487).enumerate() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (turn % 8);
        std::fs::write(&path, &bytes).unwrap();
        found += usize::from(!opens_whole_or_empty(&path));
    }
    assert!(found > whole.len() / 487 / 2, "only {found} flips were found");
}

#[test]
fn a_layout_of_another_version_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(!opens_whole_or_empty(&path));
    assert!(beside(&path, ".damaged").exists());
}

/// As after a kill: the write-ahead log as it was at some moment, torn.
#[test]
fn a_torn_tail_is_an_older_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.db");
    let mut checkpoint = Checkpoint::open(&path).unwrap();
    for round in 0..10_u8 {
        let entries = (0..=round).map(|n| Change { kind: n, key: vec![n], value: Some(vec![round; 300]) });
        checkpoint.save(entries, &[("round", &[round])]).unwrap();
    }
    let (database, wal) = (std::fs::read(&path).unwrap(), std::fs::read(beside(&path, "-wal")).unwrap());
    for cut in [0, 1, 33, 64, 9_000, 40_000, 100_000, wal.len()] {
        let torn = folder.path().join("torn.db");
        std::fs::write(&torn, &database).unwrap();
        std::fs::write(beside(&torn, "-wal"), &wal[..wal.len().saturating_sub(cut)]).unwrap();
        let checkpoint = Checkpoint::open(&torn).unwrap();
        let entries = load(&checkpoint);
        match checkpoint.meta("round") {
            Some(&[round]) => {
                assert_eq!(entries.len(), usize::from(round) + 1, "after a cut of {cut}");
                assert!(entries.iter().all(|entry| entry.2 == [round; 300]), "after a cut of {cut}");
                assert_eq!(round == 9, cut == 0, "round {round} after a cut of {cut}");
            }
            _ => assert!(entries.is_empty(), "after a cut of {cut}"),
        }
        assert!(!beside(&torn, ".damaged").exists(), "after a cut of {cut}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Checkpoint::open(&file.join("checkpoint.db")).unwrap_err().to_string();
    assert!(error.ends_with("file/checkpoint.db cannot be set up"), "{error}");
}
