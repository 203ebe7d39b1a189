//! What a process is started with besides its command line: one attribute of its creation.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, STARTUPINFOEXW,
    STARTUPINFOW, UpdateProcThreadAttribute,
};

use super::nt::size_of_u32;

/// A list of one attribute, which is made of handles.
pub(super) struct StartAttribute<'a> {
    /// The system's own structure, in words.
    list: Vec<usize>,
    /// It refers to these.
    _handles: &'a [HANDLE],
}

impl<'a> StartAttribute<'a> {
    /// All that a process inherits, whatever else of ours could be inherited.
    pub(super) fn heirlooms(handles: &'a [HANDLE]) -> io::Result<Self> {
        Self::new(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles)
    }

    /// The jobs that a process is in from its first moment. Windows 10 and later.
    pub(super) fn jobs(handles: &'a [HANDLE]) -> io::Result<Self> {
        Self::new(PROC_THREAD_ATTRIBUTE_JOB_LIST, handles)
    }

    fn new(attribute: u32, handles: &'a [HANDLE]) -> io::Result<Self> {
        let mut length = 0;
        // SAFETY: asks how much room one attribute needs.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut length) };
        let mut list = vec![0_usize; length.div_ceil(size_of::<usize>())];
        let place = list.as_mut_ptr().cast();
        // SAFETY: the list has as much room as was asked for, and keeps its place.
        if unsafe { InitializeProcThreadAttributeList(place, 1, 0, &raw mut length) } == 0 {
            return Err(io::Error::last_os_error());
        }
        let made = Self { list, _handles: handles };
        // SAFETY: the list was made above; the handles outlive it.
        let set = unsafe {
            UpdateProcThreadAttribute(
                place,
                0,
                attribute as usize,
                handles.as_ptr().cast(),
                size_of_val(handles),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if set == 0 { Err(io::Error::last_os_error()) } else { Ok(made) }
    }

    /// Adds it to what a process is started with; the answer is used while this lives.
    pub(super) fn with(&self, start: STARTUPINFOW) -> STARTUPINFOEXW {
        STARTUPINFOEXW {
            StartupInfo: STARTUPINFOW { cb: size_of_u32::<STARTUPINFOEXW>(), ..start },
            lpAttributeList: self.list.as_ptr().cast_mut().cast(),
        }
    }
}

impl Drop for StartAttribute<'_> {
    fn drop(&mut self) {
        // SAFETY: the list was made, and is used no more.
        unsafe { DeleteProcThreadAttributeList(self.list.as_mut_ptr().cast()) };
    }
}
