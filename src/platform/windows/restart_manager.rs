//! The library of the Restart Manager, loaded when it is needed: linked in, it would be loaded at
//! every start.

use std::ffi::c_void;
use std::io;

use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::Win32::System::RestartManager::{RM_PROCESS_INFO, RM_UNIQUE_PROCESS};
use windows_sys::core::{PCSTR, s, w};

type Start = unsafe extern "system" fn(*mut u32, u32, *mut u16) -> u32;
type Register = unsafe extern "system" fn(
    u32,
    u32,
    *const *const u16,
    u32,
    *const RM_UNIQUE_PROCESS,
    u32,
    *const *const u16,
) -> u32;
type List =
    unsafe extern "system" fn(u32, *mut u32, *mut u32, *mut RM_PROCESS_INFO, *mut u32) -> u32;
type End = unsafe extern "system" fn(u32) -> u32;

/// What is used of it.
pub(super) struct RestartManager {
    pub(super) start: Start,
    pub(super) register: Register,
    pub(super) list: List,
    pub(super) end: End,
}

impl RestartManager {
    /// Loads the library, which stays.
    ///
    /// # Errors
    /// The system has none.
    pub(super) fn load() -> io::Result<Self> {
        // SAFETY: a constant name; only the system's own directory is searched.
        let library = unsafe {
            LoadLibraryExW(w!("rstrtmgr.dll"), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32)
        };
        if library.is_null() {
            return Err(io::Error::last_os_error());
        }
        let find = |name: PCSTR| {
            // SAFETY: the library is loaded, the name ends with 0.
            unsafe { GetProcAddress(library, name) }.ok_or_else(io::Error::last_os_error)
        };
        type Found = unsafe extern "system" fn() -> isize;
        let start = find(s!("RmStartSession"))? as Found as *const c_void;
        let register = find(s!("RmRegisterResources"))? as Found as *const c_void;
        let list = find(s!("RmGetList"))? as Found as *const c_void;
        let end = find(s!("RmEndSession"))? as Found as *const c_void;
        // SAFETY: the functions with these names have these types (restartmanager.h).
        unsafe {
            Ok(Self {
                start: std::mem::transmute::<*const c_void, Start>(start),
                register: std::mem::transmute::<*const c_void, Register>(register),
                list: std::mem::transmute::<*const c_void, List>(list),
                end: std::mem::transmute::<*const c_void, End>(end),
            })
        }
    }
}
