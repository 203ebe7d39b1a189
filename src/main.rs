//! The door: process start, and nothing else.
//!
//! `main` is the C one. Rust's own would first read `/proc/self/maps` to guard the stack, make
//! an alternative one and check three descriptors: time that every job would pay before it
//! starts. What it would do that matters, [`dbguard::run`] does.

#![no_main]

dbguard::c_main!(dbguard::run);
