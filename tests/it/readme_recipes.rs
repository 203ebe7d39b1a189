//! The recipes of the README run as they are shown.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::process::Ended;
use crate::readme::{block, blocks};
use crate::scene::{Run, Scene, have, skip};

/// What the scripts of the recipes do: note if they are not alone.
const ALONE: &str =
    "#!/bin/sh\nmkdir alone || echo \"$0 $*\" >>overlaps\necho \"$0 $*\" >>ran\nrmdir alone\n";

/// What those do that need not be alone.
const ANYWAY: &str = "#!/bin/sh\necho \"$0 $*\" >>ran\n";

/// Everything that the recipes mention, and dbguard in PATH.
struct Kitchen(Scene);

impl Kitchen {
    fn new() -> Self {
        let scene = Scene::new();
        for (name, text) in [
            ("nightly.sh", ALONE),
            ("only-one.sh", ALONE),
            ("migrate.sh", ALONE),
            ("poll.sh", ALONE),
            ("load.sh", ANYWAY),
            ("report.sh", ANYWAY),
        ] {
            scene.file(name, text);
            fs::set_permissions(scene.path(name), Permissions::from_mode(0o755)).expect("chmod");
        }
        scene.file("Makefile", block("make", "all:"));
        fs::create_dir(scene.path("bin")).expect("mkdir");
        symlink(env!("CARGO_BIN_EXE_dbguard"), scene.path("bin/dbguard")).expect("a link");
        Self(scene)
    }

    /// Has the databases too; false if there is no sqlite3.
    fn stocked(self) -> Option<Self> {
        if !have(&["sqlite3"]) {
            return None;
        }
        for database in ["app.db", "orders.db", "stock.db", "shared.db"] {
            self.0.run("sqlite3", [database, "create table session(id)"]).run().expect(0);
        }
        let app = "create table counter(n); insert into counter values (0); create table doc(id, \
                   list); insert into doc values (1, '[]'); create table step(name, state, at); \
                   create table app(version); insert into app values (3)";
        self.0.run("sqlite3", ["app.db", app]).run().expect(0);
        for database in ["a.db", "b.db"] {
            self.0.run("sqlite3", [database, "create table account(sum)"]).run().expect(0);
        }
        self.0.file("schema.sql", "create table t(a);\n-- and\ncreate index i on t(a);\n");
        Some(self)
    }

    fn with_path(&self, run: Run) -> Run {
        let mut path = self.0.path("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or("/usr/bin:/bin".into()));
        run.env("PATH", path)
    }

    /// Runs a shell script that must succeed, and about which dbguard must have nothing to say but
    /// that it waits, where the machine is slow.
    #[track_caller]
    fn cook(&self, script: &str) -> Ended {
        println!("{script}");
        let ended = self.with_path(self.0.run("sh", ["-e", "-c", script])).run().expect(0);
        assert_eq!(self.0.read("overlaps"), "", "{}", ended.describe());
        let said = ended
            .stderr
            .lines()
            .find(|line| line.contains("dbguard: ") && !line.starts_with("dbguard: waiting "));
        assert_eq!(said, None, "{}", ended.describe());
        ended
    }
}

#[test]
fn the_shell_recipes_run() {
    let Some(kitchen) = Kitchen::new().stocked() else {
        return;
    };
    let flock = have(&["flock"]);
    let make = have(&["make"]);
    let python = have(&["python3"]);
    let jq = have(&["jq"]);
    let recipes = blocks("sh").into_iter().filter(|block| block.contains("dbguard "));
    for recipe in recipes {
        let lacks = |tool: &str, have: bool| recipe.contains(tool) && !have;
        if lacks("flock ", flock)
            || lacks(" make ", make)
            || lacks("python3", python)
            || lacks(" jq ", jq)
        {
            skip(recipe);
        } else {
            kitchen.cook(recipe);
        }
    }
}

#[test]
fn the_lines_for_cron_run() {
    let kitchen = Kitchen::new();
    kitchen.0.file("app.db", "");
    let here = kitchen.0.path("");
    let here = here.to_str().expect("a plain path").trim_end_matches('/');
    let mut lines = 0;
    for line in block("cron", "PATH=").lines().skip(1) {
        let command: String = line.splitn(6, ' ').skip(5).collect();
        assert!(command.starts_with("dbguard exec ") && !command.contains('%'), "{line}");
        kitchen.cook(&command.replace("/srv/app", here));
        lines += 1;
    }
    assert_eq!(lines, 2);
}

/// The recipes of make exclude each other, bare and inside a lock.
#[test]
fn the_recipes_of_make_take_turns() {
    if !have(&["make"]) {
        return;
    }
    let kitchen = Kitchen::new();
    kitchen.0.file("load.sh", ALONE);
    kitchen.0.file("app.db", "");
    for script in ["make -j8", "dbguard exec -w 10m app.db -- make -j8"] {
        kitchen.cook(script);
    }
    let ran = kitchen.0.read("ran");
    let ran: BTreeSet<&str> = ran.lines().collect();
    assert_eq!(ran.len(), 4, "{ran:?}");
}

#[test]
fn the_steps_for_ci_run() {
    let kitchen = Kitchen::new();
    kitchen.0.file("shared.db", "");
    let steps = block("yaml", "- name:").lines().filter_map(|line| line.split_once("run: "));
    let steps: Vec<&str> = steps.map(|(_, step)| step).collect();
    assert_eq!(steps.len(), 2);
    for step in steps {
        kitchen.cook(step);
    }
}

/// A lock between steps that are shells of their own, and between the lines of one shell.
#[test]
fn the_steps_that_share_a_lock_run() {
    let kitchen = Kitchen::new();
    kitchen.0.file("shared.db", "");
    let environment = kitchen.0.fresh("env");
    let steps = block("yaml", "- run: dbguard acquire").lines();
    let steps: Vec<&str> = steps.filter_map(|line| Some(line.split_once("run: ")?.1)).collect();
    assert_eq!(steps.len(), 4);
    let job = environment.to_str().expect("a plain path");
    for step in &steps {
        let variables = fs::read_to_string(job).unwrap_or_default();
        let exports = variables.lines().map(|line| format!("export '{line}'\n"));
        let exports: String = exports.collect();
        kitchen.cook(&format!("export GITHUB_ENV={job}\n{exports}{step}"));
    }
    kitchen.0.assert_free("shared.db");
    let lines = block("yaml", "migrate:").lines();
    let lines: Vec<&str> = lines.filter_map(|line| line.trim().strip_prefix("- ")).collect();
    kitchen.cook(&lines[..3].join("\n"));
    kitchen.0.assert_free("shared.db");
    assert_eq!(kitchen.0.read("ran").lines().count(), 4);
}

#[test]
fn the_python_programs_run() {
    let Some(kitchen) = Kitchen::new().stocked().filter(|_| have(&["python3"])) else {
        return;
    };
    let programs = blocks("python");
    assert_eq!(programs.len(), 2);
    let run = |program: &str| {
        let run = kitchen.0.run("python3", ["-c", program]);
        kitchen.with_path(run.env("DBGUARD_TIMEOUT", "0")).run()
    };
    for program in &programs {
        run(program).expect(0);
    }
    let holder = kitchen.0.hold(["app.db"]);
    let impatient = programs[0].replace("5m", "0");
    run(&impatient).expect(1).says("app.db was busy, nothing was done");
    run(programs[1]).expect(1).says("app.db is locked");
    holder.end().expect(0);
}
