//! What the first bytes of a database tell of it: version, page size, journal mode; pure.

use super::{Engine, redb};

/// Where SQLite's header has the page size, big-endian; 1 means 65,536 (file format, 1.3.2).
const PAGE_SIZE_OFFSET: usize = 16;
/// Where it has the version of the library that wrote last (file format, 1.3.16).
const WRITER_OFFSET: usize = 96;
/// Where DuckDB's main header has the storage version, little-endian.
const STORAGE_OFFSET: usize = 12;
/// The storage version that DuckDB writes since 2.0, when the number is no longer used.
const STORAGE_NO_LONGER: u64 = 999;
/// Where DuckDB's main header has the version of the library that made the file.
const LIBRARY_OFFSET: usize = 52;
/// How long that text is at most.
const LIBRARY_BYTES: usize = 32;

/// What the first bytes of a database tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The version of the engine or of the format, in words.
    pub version: Option<String>,
    /// `rollback` or `wal`; only of SQLite.
    pub journal_mode: Option<&'static str>,
    /// The size of a page in bytes.
    pub page_bytes: Option<u32>,
    /// Whether it was not closed, so that its engine repairs it when it opens it next; of redb.
    pub needs_repair: bool,
}

/// Describes a database that begins with `head`.
pub fn describe(engine: Engine, head: &[u8]) -> Description {
    match engine {
        Engine::Sqlite { wal } => Description {
            version: be_u32(head, WRITER_OFFSET).and_then(sqlite_version),
            journal_mode: Some(if wal { "wal" } else { "rollback" }),
            page_bytes: page_bytes(head),
            ..Description::default()
        },
        Engine::DuckDb => Description { version: duckdb_version(head), ..Description::default() },
        Engine::Redb => {
            Description { needs_repair: redb::needs_repair(head), ..Description::default() }
        }
        _ => Description::default(),
    }
}

fn be_u32(head: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*head.get(offset..)?.first_chunk()?))
}

/// 3040001 is 3.40.1. Not written by every library, so 0 is no version.
fn sqlite_version(number: u32) -> Option<String> {
    (number > 0)
        .then(|| format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000))
}

fn page_bytes(head: &[u8]) -> Option<u32> {
    let stored = u16::from_be_bytes(*head.get(PAGE_SIZE_OFFSET..)?.first_chunk()?);
    match u32::from(stored) {
        1 => Some(65_536),
        size if size >= 512 && size.is_power_of_two() => Some(size),
        _ => None,
    }
}

fn duckdb_version(head: &[u8]) -> Option<String> {
    let storage = u64::from_le_bytes(*head.get(STORAGE_OFFSET..)?.first_chunk()?);
    let library = head.get(LIBRARY_OFFSET..)?;
    let library: String = library
        .iter()
        .take(LIBRARY_BYTES)
        .take_while(|byte| byte.is_ascii_graphic())
        .map(|byte| char::from(*byte))
        .collect();
    let storage = match storage {
        STORAGE_NO_LONGER => "storage of 2.0 or later".to_owned(),
        number => format!("storage version {number}"),
    };
    Some(if library.is_empty() { storage } else { format!("{library}, {storage}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{Engine, describe};

    #[test]
    fn sqlite_tells_its_writer_its_pages_and_its_journal() {
        let mut head = vec![0; 100];
        head[16..18].copy_from_slice(&4096_u16.to_be_bytes());
        head[96..100].copy_from_slice(&3_040_001_u32.to_be_bytes());
        let told = describe(Engine::Sqlite { wal: true }, &head);
        assert_eq!(told.version.as_deref(), Some("3.40.1"));
        assert_eq!((told.page_bytes, told.journal_mode), (Some(4096), Some("wal")));
        head[16..18].copy_from_slice(&1_u16.to_be_bytes());
        assert_eq!(describe(Engine::Sqlite { wal: false }, &head).page_bytes, Some(65_536));
    }

    #[test]
    fn duckdb_tells_its_storage_and_its_library() {
        let mut head = vec![0; 100];
        head[12..20].copy_from_slice(&999_u64.to_le_bytes());
        head[52..58].copy_from_slice(b"v2.0.0");
        let told = describe(Engine::DuckDb, &head).version;
        assert_eq!(told.as_deref(), Some("v2.0.0, storage of 2.0 or later"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_described(head: Vec<u8>) {
            for engine in [Engine::Sqlite { wal: false }, Engine::DuckDb, Engine::Redb] {
                let _description = describe(engine, &head);
            }
        }
    }
}
