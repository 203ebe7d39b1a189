//! `.NAME.lock.info` of Terraform beside a state file: who locked it, as JSON
//! (`statemgr/locker.go`).
//!
//! The lock itself is the kernel's, on the state file, and ends with its process; the next command
//! writes over what is left and removes it.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::word;
use serde::Deserialize;

/// The format.
pub const FORMAT: Format = Format {
    name: "terraform",
    tool: "Terraform, OpenTofu",
    files: ".NAME.lock.info",
    rule: Rule::Report,
    is_quiet: false,
    is_named: |name, kind| {
        kind == Kind::File && name.starts_with('.') && name.ends_with(".lock.info")
    },
    beside: None,
    read,
};

/// What is read of it.
#[derive(Deserialize)]
struct Info {
    #[serde(rename = "ID")]
    id: String,
}

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File {
        return Statement::Foreign;
    }
    let info = seen.text().and_then(|text| serde_json::from_str::<Info>(text).ok());
    let Some(info) = info else { return Statement::Foreign };
    let command = match word(&info.id) {
        Some(id) => format!("terraform force-unlock {id}"),
        None => "terraform force-unlock ID".to_owned(),
    };
    Statement::Kept(format!(
        "the lock is the kernel's, on the state file: the next terraform command clears this, or \
         `{command}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::read;

    const NAME: &str = ".terraform.tfstate.lock.info";

    #[test]
    fn the_command_names_the_lock_if_its_id_is_a_word() {
        let rest = concat!(
            r#""Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","#,
            r#""Created":"2026-11-20T19:59:36.52096538Z","Path":"terraform.tfstate"}"#
        );
        let info = |id: &str| format!(r#"{{"ID":"{id}",{rest}"#);
        for (id, end) in [
            ("a9b4fad3-144c-4945-b4d1-cb057bea9851", "a9b4fad3-144c-4945-b4d1-cb057bea9851`"),
            ("x; rm", " ID`"),
            ("", " ID`"),
        ] {
            match read(&file(NAME, info(id))) {
                Statement::Kept(reason) => assert!(reason.ends_with(end), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        for content in ["", "{}", "[]", r#"{"ID":7}"#] {
            assert_eq!(read(&file(NAME, content)), Statement::Foreign, "{content}");
        }
    }
}
