//! A ZIP archive of a few files in memory: PKWARE's APPNOTE.TXT 6.3.10, without encryption or ZIP64.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::exit::Failure;

/// Version 2.0 unpacks it: deflated, nothing else.
const VERSION: u16 = 20;
/// On Unix: what the permissions below mean.
const MADE_BY: u16 = 3 << 8 | VERSION;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// 1980-01-01: when it was made is in the report.
const DATE: u16 = 1 << 5 | 1;
/// A regular file, for its owner alone.
const PERMISSIONS: u32 = 0o100_600 << 16;

/// An archive of these files.
///
/// # Errors
/// One is too large for the format.
pub fn archive(files: &[(&str, &[u8])]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let offset = size(out.len())?;
        let mut crc = Crc::new();
        crc.update(content);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(content).and_then(|()| encoder.finish());
        let packed = packed.map_err(|error| Failure::io(format!("`{name}` cannot be packed: {error}")))?;
        let mut about = Vec::new();
        for half in [VERSION, FLAGS, DEFLATED, 0, DATE] {
            about.extend(half.to_le_bytes());
        }
        for word in [crc.sum(), size(packed.len())?, size(content.len())?] {
            about.extend(word.to_le_bytes());
        }
        about.extend(short(name.len())?.to_le_bytes());
        about.extend(0_u16.to_le_bytes());

        out.extend(b"PK\x03\x04");
        out.extend(&about);
        out.extend(name.as_bytes());
        out.extend(packed);

        directory.extend(b"PK\x01\x02");
        directory.extend(MADE_BY.to_le_bytes());
        directory.extend(about);
        // No comment, the first disk, no attributes of the text.
        directory.extend([0; 6]);
        directory.extend(PERMISSIONS.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length, count) = (size(out.len())?, size(directory.len())?, short(files.len())?);
    out.extend(directory);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    Ok(out)
}

fn size(length: usize) -> Result<u32, Failure> {
    u32::try_from(length).map_err(|_| too_large())
}

fn short(length: usize) -> Result<u16, Failure> {
    u16::try_from(length).map_err(|_| too_large())
}

fn too_large() -> Failure {
    Failure::invalid("the evidence is too large for a zip file").remedy("name a directory with --out")
}
