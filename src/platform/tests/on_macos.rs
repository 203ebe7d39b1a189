//! What macOS promises.

use super::{Kept, Promises};

const NO: Kept = Kept { promised: false, lacking: None };

pub const PROMISES: Promises = Promises {
    shown_marks: NO,
    leases: NO,
    taking_away: NO,
    adoption: NO,
    ..super::on_unix::PROMISES
};
