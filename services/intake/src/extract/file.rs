//! The bytes of an extract as it was saved: what is no text for us is said, and line ends that are CR alone become LF.

use std::io::{Chain, Cursor, Read, Result as IoResult};

use memchr::memchr2;

use super::ExtractError;

/// Bytes that are looked at before the first line is read.
const HEAD: u64 = 64 * 1024;

/// A file from its beginning on.
pub(super) type File<R> = Lines<Chain<Cursor<Vec<u8>>, R>>;

/// Bytes whose lines end in LF.
pub(super) struct Lines<R> {
    bytes: R,
    /// Its lines end in CR, without LF.
    carriage_returns: bool,
}

/// Looks at a file's beginning.
pub(super) fn open<R: Read>(mut input: R) -> Result<File<R>, ExtractError> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head).map_err(csv::Error::from)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    if text.is_empty() {
        return Err(ExtractError::Empty);
    }
    let line = &text[..memchr2(b'\r', b'\n', text).unwrap_or(text.len())];
    // Without its mark it shows in the NUL beside each ASCII character.
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || line.contains(&0) {
        return Err(ExtractError::Utf16);
    }
    if line.trim_ascii_start().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep=")) {
        return Err(ExtractError::SeparatorLine);
    }
    let mut ends = text[line.len()..].iter();
    let carriage_returns = ends.next() == Some(&b'\r') && ends.find(|byte| **byte != b'\r') != Some(&b'\n');
    Ok(Lines { bytes: Cursor::new(head).chain(input), carriage_returns })
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let count = self.bytes.read(into)?;
        if self.carriage_returns {
            into[..count].iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        }
        Ok(count)
    }
}
