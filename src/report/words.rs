//! Durations and paths as people write them.

use std::path::Path;
use std::time::Duration;

use crate::escape::escaped;

/// Returns a duration in its two largest units: `0.3s`, `12s`, `3m 12s`, `2h 5m`, `4d 1h`.
pub fn duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = duration.as_secs();
    if seconds < 10 && duration.subsec_millis() >= 100 {
        return format!("{seconds}.{}s", duration.subsec_millis() / 100);
    }
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return format!("{}s", seconds);
    };
    let (size, unit) = UNITS[first];
    let mut words = format!("{}{unit}", seconds / size);
    if let Some((smaller, unit)) = UNITS.get(first + 1) {
        let rest = seconds % size / smaller;
        if rest > 0 {
            words.push_str(&format!(" {rest}{unit}"));
        }
    }
    words
}

/// Returns a path for people: relative below `directory`, and harmless.
pub fn shown_path(path: &Path, directory: Option<&Path>) -> String {
    let below = directory.and_then(|directory| path.strip_prefix(directory).ok());
    let below = below.filter(|path| !path.as_os_str().is_empty());
    escaped(&below.unwrap_or(path).to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{duration, shown_path};

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0, "0s"),
            (300, "0.3s"),
            (1_000, "1s"),
            (12_345, "12s"),
            (60_000, "1m"),
            (192_000, "3m 12s"),
            (7_500_000, "2h 5m"),
            (349_200_000, "4d 1h"),
        ];
        for (milliseconds, words) in cases {
            assert_eq!(duration(Duration::from_millis(milliseconds)), words);
        }
    }

    #[test]
    fn a_path_below_the_directory_is_relative() {
        let directory = Some(Path::new("/srv"));
        assert_eq!(shown_path(Path::new("/srv/a.db"), directory), "a.db");
        assert_eq!(shown_path(Path::new("/etc/a.db"), directory), "/etc/a.db");
    }
}
