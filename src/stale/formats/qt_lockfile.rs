//! `QLockFile` of Qt: process number, program, host, machine id and boot id, a line each; before
//! Qt 5.10 the first three (`qlockfile.cpp`). An id that the system does not have is an empty line.
//!
//! Qt takes over if the machine is its own and the boot is another one, the process is dead or its
//! name is another one; or by age, 30 seconds unless the program says otherwise. Age is no proof.
//!
//! The program is the file name of its executable, as newer Qt reads it from the system, so that it
//! tells a number that was given again; of older Qt it may be what the program calls itself.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, host, pid};

/// What stands for a program that Qt could not see.
const NO_PROGRAM: &str = "/ERROR/";

/// The format.
pub const FORMAT: Format = Format {
    name: "qt-lockfile",
    tool: "Qt QLockFile, KDE",
    files: "*.lock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 {
        return Statement::Foreign;
    }
    let Some(text) = seen.text().and_then(|text| text.strip_suffix('\n')) else {
        return Statement::Foreign;
    };
    // One more than any has.
    let lines: Vec<&str> = text.splitn(6, '\n').collect();
    let owner = match lines[..] {
        [number, program, host] if !is_number(host) => {
            owner(number, program, host).map(|owner| Owner { programs: Vec::new(), ..owner })
        }
        [number, program, host, machine, boot] if is_id(machine) && is_id(boot) => {
            let machine = Some(machine).filter(|id| is_machine(id)).map(str::to_owned);
            let boot = Some(boot).filter(|id| is_boot(id)).map(str::to_owned);
            owner(number, program, host).map(|owner| Owner { machine, boot, ..owner })
        }
        _ => None,
    };
    owner.map_or(Statement::Foreign, Statement::Owner)
}

fn owner(number: &str, program: &str, name: &str) -> Option<Owner> {
    if program.chars().any(char::is_control) || (host(name).is_none() && !name.is_empty()) {
        return None;
    }
    let is_known = !program.is_empty() && program != NO_PROGRAM;
    let programs = if is_known { vec![program.to_owned()] } else { Vec::new() };
    Some(Owner { pid: pid(number)?, host: host(name), programs, ..Owner::default() })
}

/// Whether it is a number: the third line of filelock's files, which have no fifth.
fn is_number(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_id(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether it is systemd's id of a machine; other systems have others, which are not known here.
fn is_machine(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(is_lower_hexadecimal)
}

/// Whether it is Linux's id of a boot.
fn is_boot(id: &str) -> bool {
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte)| if is_dash(at) { byte == b'-' } else { is_lower_hexadecimal(byte) };
    id.len() == 36 && id.bytes().enumerate().all(fits)
}

fn is_lower_hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::file;
    use super::read;

    const MACHINE: &str = "3d1219c7c4c5404aaa1f6d2a48adfda4";
    const BOOT: &str = "135e5ae2-8581-48da-9f37-345dbb62820e";

    fn said(content: &str) -> Statement {
        read(&file("a.lock", content))
    }

    fn owner() -> Owner {
        Owner {
            pid: 32188,
            host: Some("vm".into()),
            programs: vec!["python3.11".into()],
            ..Owner::default()
        }
    }

    #[test]
    fn five_lines_name_process_program_host_machine_and_boot() {
        let machine = Some(MACHINE.to_owned());
        let whole = Owner { machine, boot: Some(BOOT.to_owned()), ..owner() };
        let content = format!("32188\npython3.11\nvm\n{MACHINE}\n{BOOT}\n");
        assert_eq!(said(&content), Statement::Owner(whole));
        assert_eq!(said("32188\npython3.11\nvm\n\n\n"), Statement::Owner(owner()));
        let nameless = Owner { programs: Vec::new(), host: None, ..owner() };
        for program in ["", "/ERROR/"] {
            let content = format!("32188\n{program}\n\n\n\n");
            assert_eq!(said(&content), Statement::Owner(nameless.clone()), "{program}");
        }
    }

    #[test]
    fn an_id_of_another_form_proves_nothing() {
        let upper = BOOT.to_uppercase();
        for (machine, boot) in [(&MACHINE[1..], BOOT.get(1..)), (BOOT, Some(&upper[..]))] {
            let content =
                format!("32188\npython3.11\nvm\n{machine}\n{}\n", boot.unwrap_or_default());
            assert_eq!(said(&content), Statement::Owner(owner()), "{content}");
        }
    }

    #[test]
    fn three_lines_may_name_no_program_of_the_system() {
        let old = Owner { programs: Vec::new(), ..owner() };
        assert_eq!(said("32188\nMy App\nvm\n"), Statement::Owner(old));
    }

    #[test]
    fn anything_else_is_no_lock_of_qt() {
        for content in [
            "",
            "32188\n",
            "32188\nvm\n",
            "32188\nvm\n151800\n",
            "32188\napp\nvm",
            "32188\napp\nvm\nx\n",
            "32188\napp\nvm\n\n\n\n",
            "32188\na\tp\nvm\n\n\n",
            "32188\napp\nv m\n\n\n",
            "x\napp\nvm\n\n\n",
        ] {
            assert_eq!(said(content), Statement::Foreign, "{content:?}");
        }
    }
}
