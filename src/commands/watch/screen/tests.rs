//! The screen in windows of all sizes.
