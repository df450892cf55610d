//! Folders of data: what senders sent lies there, so nobody else on the machine may read what we make.
//!
//! A folder that is there already is its owner's: it is left as it is.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Makes a folder, with those above it that are missing, for its owner alone; one that is there is left.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether others than its owner and its group may enter or read a folder. One that is not there nobody may.
pub fn is_open_to_others(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o007 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_closed_and_what_is_there_is_left() {
        let above = tempfile::tempdir().unwrap();
        let (data, log) = (above.path().join("data"), above.path().join("data/log"));
        assert!(!is_open_to_others(&data));
        make(&log).unwrap();
        for folder in [&data, &log] {
            assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        for (mode, open) in [(0o755, true), (0o701, true), (0o750, false), (0o700, false)] {
            std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
            make(&data).unwrap();
            assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(is_open_to_others(&data), open, "{mode:o}");
        }
    }
}
