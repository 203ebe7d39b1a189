//! An instance of DuckDB, and the files attached to it.

use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;

use libduckdb_sys::v2 as c;

use super::connection::Connection;
use super::failure::{Refusal, call};
use super::handle::{Owned, lend};
use super::startup;

/// What every instance of the process belongs to.
#[derive(Clone, Debug)]
pub struct Environment {
    handle: Rc<Owned<c::_duckdb_v2_environment>>,
}

impl Environment {
    /// Makes DuckDB ready. The first call of a process runs its static constructors.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn new() -> Result<Self, Refusal> {
        startup::construct();
        // SAFETY: both slots live for the call.
        let make = |slot, error| unsafe { c::duckdb_v2_environment_create(slot, error) };
        let handle = Owned::made(c::duckdb_v2_environment_destroy, make)?;
        Ok(Self { handle: Rc::new(handle) })
    }

    /// Makes an instance without a database, with options as SQL's `SET` writes them.
    ///
    /// # Errors
    /// When an option is unknown.
    pub fn instance(&self, options: &[(&str, &str)]) -> Result<Instance, Refusal> {
        let names: Vec<_> = options.iter().map(|(name, _)| lend(name.as_bytes())).collect();
        let values: Vec<_> = options.iter().map(|(_, value)| lend(value.as_bytes())).collect();
        let count = options.len() as c::idx_t;
        let environment = self.handle.raw();
        let make = |slot, error| {
            let (names, values) = (names.as_ptr(), values.as_ptr());
            // SAFETY: both arrays have `count` strings, which live for the call.
            unsafe {
                c::duckdb_v2_instance_create_with_options(
                    environment,
                    names,
                    values,
                    count,
                    slot,
                    error,
                )
            }
        };
        let handle = Owned::made(c::duckdb_v2_instance_destroy, make)?;
        Ok(Instance { handle, _environment: self.clone() })
    }
}

/// An instance: a buffer pool, threads, settings, and the databases attached to it.
///
/// Dropping it closes them, as far as no connection uses them; an error of that is not told.
#[derive(Debug)]
pub struct Instance {
    // Given back before the environment.
    handle: Owned<c::_duckdb_v2_instance>,
    _environment: Environment,
}

impl Instance {
    /// Attaches a database file under a name and makes it what new connections use.
    ///
    /// The options are those of SQL's `ATTACH`. A file that is missing is made, unless
    /// `READ_ONLY` is among them.
    ///
    /// # Errors
    /// When the file is locked, is not a database, or may not be opened.
    pub fn attach(&self, name: &str, file: &Path, options: &[(&str, &str)]) -> Result<(), Refusal> {
        let options = self.attach_options(options)?;
        let (name, path) = (lend(name.as_bytes()), lend(file.as_os_str().as_encoded_bytes()));
        call(|error| {
            let (name, path) = (&raw const name, &raw const path);
            // SAFETY: the handles are alive and the strings live for the call.
            unsafe {
                c::duckdb_v2_instance_attach(
                    self.handle.raw(),
                    name,
                    path,
                    options.raw(),
                    true,
                    error,
                )
            }
        })
    }

    fn attach_options(
        &self,
        options: &[(&str, &str)],
    ) -> Result<Owned<c::_duckdb_v2_attach_options>, Refusal> {
        // SAFETY: the instance is alive, and both slots live for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_attach_options_create(self.handle.raw(), slot, error)
        };
        let made = Owned::made(c::duckdb_v2_attach_options_destroy, make)?;
        for (key, setting) in options {
            let (key, setting) = (lend(key.as_bytes()), lend(setting.as_bytes()));
            let (key, setting) = (&raw const key, &raw const setting);
            // SAFETY: the handle is alive and the strings live for the call.
            call(|error| unsafe {
                c::duckdb_v2_attach_options_set(made.raw(), key, setting, error)
            })?;
        }
        Ok(made)
    }

    /// Writes what the database's log holds into its file, and closes it.
    ///
    /// # Errors
    /// When that fails, or nothing has this name.
    pub fn detach(&self, name: &str) -> Result<(), Refusal> {
        let name = lend(name.as_bytes());
        // SAFETY: the handle is alive and the string lives for the call.
        call(|error| unsafe {
            c::duckdb_v2_instance_detach(self.handle.raw(), &raw const name, error)
        })
    }

    /// Sets an option of the whole instance, as SQL's `SET GLOBAL` does.
    ///
    /// # Errors
    /// When it is unknown or the setting makes no sense.
    pub fn set(&self, option: &str, setting: &OsStr) -> Result<(), Refusal> {
        let mut config = std::ptr::null_mut();
        // SAFETY: the handle is alive, and both slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_instance_get_config(self.handle.raw(), &raw mut config, error)
        })?;
        // SAFETY: the configuration is the instance's own.
        unsafe { write_option(config, option, setting.as_encoded_bytes(), Scope::Instance) }
    }

    /// Opens a connection, which uses the database that was attached last.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn connect(&self) -> Result<Connection, Refusal> {
        // SAFETY: the instance is alive, and both slots live for the call.
        let make =
            |slot, error| unsafe { c::duckdb_v2_connection_create(self.handle.raw(), slot, error) };
        Ok(Connection::of(Owned::made(c::duckdb_v2_connection_destroy, make)?))
    }
}

/// Where an option is set.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    /// For all connections.
    Instance,
    /// For one.
    Connection,
}

/// Sets an option.
///
/// # Safety
/// What the configuration was borrowed from must be alive.
pub(super) unsafe fn write_option(
    config: c::duckdb_v2_config_handle,
    option: &str,
    setting: &[u8],
    scope: Scope,
) -> Result<(), Refusal> {
    let (option, setting) = (lend(option.as_bytes()), lend(setting));
    let (option, setting) = (&raw const option, &raw const setting);
    let scope = match scope {
        Scope::Instance => c::DUCKDB_V2_SETTING_SCOPE::DUCKDB_V2_SETTING_SCOPE_GLOBAL,
        Scope::Connection => c::DUCKDB_V2_SETTING_SCOPE::DUCKDB_V2_SETTING_SCOPE_SESSION,
    };
    // SAFETY: the configuration is alive by contract, and the strings live for the call.
    call(|error| unsafe {
        c::duckdb_v2_config_set_option_text(config, option, setting, scope, error)
    })
}
