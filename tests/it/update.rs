//! `dbguard update`: its recipes, by fifty processes each, and what stays of a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sha2::Digest;

use crate::process::Ended;
use crate::scene::{Run, Scene, is_wine, names};
use crate::system::Facts;
#[cfg(target_os = "linux")]
use {
    crate::scene::{have, have_hooks, is_root, skip},
    rustix::fs::XattrFlags,
    std::fs::Permissions,
    std::os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

/// How many processes work at once; Windows starts them slowly.
const CROWD: usize = if cfg!(windows) { 14 } else { 50 };

/// Prepares an update.
fn update(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["update"]).words(words)
}

/// Returns the temporary files in a directory.
pub fn leftovers(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.starts_with(".dbguard-update-")).collect()
}

/// Runs an update for each number, all at once; all have to succeed without a word.
fn crowd(scene: &Scene, words: impl Fn(&str) -> Vec<String>) {
    let start = |number: usize| {
        update(scene, &["-q", "-w", "55"]).words(words(&number.to_string())).spawn()
    };
    let runs: Vec<_> = (1..=CROWD).map(start).collect();
    for mut run in runs {
        run.wait().expect(0).silent().answers("");
    }
    assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Returns a file and a command that changes one line of JSON in it: jq with a program, or Python
/// where jq is not installed.
#[cfg(target_os = "linux")]
fn edit(file: &str, [jq, python, _]: [&str; 3], value: &str) -> Option<Vec<String>> {
    if have(&["jq"]) {
        return Some(words(&[file, "--", "jq", "--argjson", "v", value, jq]));
    }
    let program = format!(
        "import json, sys; d = json.load(sys.stdin); v = {value}; {python}; \
         json.dump(d, sys.stdout)"
    );
    have(&["python3"]).then(|| words(&[file, "--", "python3", "-c", &program]))
}

/// The same by a shell, which there has to be.
#[cfg(windows)]
fn edit(file: &str, [_, _, shell]: [&str; 3], value: &str) -> Option<Vec<String>> {
    Some(words(&[file, "--", "sh", "-c", &format!("read -r d; {shell}"), value]))
}

fn json(scene: &Scene, file: &str) -> serde_json::Value {
    serde_json::from_str(&scene.read(file)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn fifty_processes_count_to_fifty() {
    let scene = Scene::new();
    scene.file("state.json", r#"{"n": 0, "name": "kept"}"#);
    let shell = r#"n=${d#*'"n": '}; n=${n%%,*}; echo "${d%%$n*}$((n + 1))${d#*$n}""#;
    let Some(command) = edit("state.json", [".n += 1", "d['n'] += 1", shell], "1") else { return };
    crowd(&scene, |_| command.clone());
    assert_eq!(json(&scene, "state.json"), serde_json::json!({ "n": CROWD, "name": "kept" }));
}

#[test]
fn fifty_processes_append_to_one_list() {
    let scene = Scene::new();
    scene.file("list.json", "[]");
    let shell = r#"case $d in '[]') echo "[$0]";; *) echo "${d%]}, $0]";; esac"#;
    let programs = [". + [$v]", "d = d + [v]", shell];
    if edit("list.json", programs, "1").is_none() {
        return;
    }
    crowd(&scene, |number| edit("list.json", programs, number).expect("one of them is there"));
    let list = json(&scene, "list.json");
    let list: Vec<u64> = serde_json::from_value(list).expect("a list of numbers");
    let found: BTreeSet<u64> = list.iter().copied().collect();
    assert_eq!((list.len(), found), (CROWD, (1..=CROWD as u64).collect()));
}

/// The first ones make the file.
#[test]
fn fifty_processes_append_lines_to_a_file_that_one_of_them_makes() {
    let scene = Scene::new();
    crowd(&scene, |number| {
        words(&["--create", "list.txt", "--", "sh", "-c", "cat; echo item $0", number])
    });
    let lines: BTreeSet<String> = scene.read("list.txt").lines().map(str::to_owned).collect();
    assert_eq!(lines, (1..=CROWD).map(|number| format!("item {number}")).collect());
}

#[test]
fn fifty_processes_mark_a_step_each() {
    let scene = Scene::new();
    let steps: Vec<String> = (1..=CROWD).map(|number| format!("step-{number},open\n")).collect();
    scene.file("steps.csv", steps.concat());
    let script = "while IFS=, read -r step state; do \
                  if [ $step = step-$0 ]; then state=done; fi; echo $step,$state; done";
    crowd(&scene, |number| words(&["steps.csv", "--", "sh", "-c", script, number]));
    assert_eq!(scene.read("steps.csv"), steps.concat().replace("open", "done"));
}

/// One batch a process over two files: what leaves one is in the other.
#[test]
fn fifty_processes_move_a_line_each_from_one_file_to_another() {
    let scene = Scene::new();
    let lines: Vec<String> = (1..=CROWD).map(|number| format!("{number}\n")).collect();
    scene.file("open.txt", lines.concat());
    scene.file("done.txt", "");
    let script = "while read -r line; do \
                  if [ $line = $0 ]; then echo $line >>\"$2\"; else echo $line; fi; \
                  done <\"$1\" >rest.$0; cat rest.$0 >\"$1\"; rm rest.$0";
    crowd(&scene, |number| {
        // In both orders: the locks are taken in one.
        words(&["--batch", "open.txt", "done.txt", "--", "sh", "-c", script, number])
    });
    let sorted = |file: &str| -> BTreeSet<usize> {
        scene.read(file).lines().map(|line| line.parse().expect("a number")).collect()
    };
    assert_eq!(scene.read("open.txt"), "");
    assert_eq!(sorted("done.txt"), (1..=CROWD).collect());
    assert_eq!(scene.read("done.txt").lines().count(), CROWD);
}

#[test]
fn batches_over_the_same_files_in_any_order_do_not_lock_each_other_out() {
    let scene = Scene::new();
    for file in ["a", "b", "c"] {
        scene.file(file, "");
    }
    let script = "for copy; do echo x >>\"$copy\"; done";
    crowd(&scene, |number| {
        let order = [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]];
        let files = order[number.len() + usize::from(number.ends_with('7')) - 1];
        [&["--batch"][..], &files, &["--", "sh", "-c", script, "sh"]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    });
    for file in ["a", "b", "c"] {
        assert_eq!(scene.read(file).len(), 2 * CROWD, "{file}");
    }
}

/// Every byte goes through as it is.
#[test]
fn content_is_bytes() {
    let scene = Scene::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    scene.file("a", &bytes);
    update(&scene, &["a", "--", "cat"]).run().expect(0).silent().answers("");
    assert_eq!(fs::read(scene.path("a")).expect("it is there"), bytes);
    let words = ["--batch", "a", "--", "sh", "-c", "printf '\\0\\377' >>\"$0\""];
    update(&scene, &words).run().expect(0).silent();
    let now = fs::read(scene.path("a")).expect("it is there");
    assert_eq!((now.len(), &now[300_000..]), (300_002, &[0, 255][..]));
}

#[test]
fn what_succeeds_and_prints_nothing_empties_the_file() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    update(&scene, &["a", "--", "true"]).run().expect(0).silent();
    assert_eq!(fs::metadata(scene.path("a")).expect("it is there").len(), 0);
    update(&scene, &["a", "--", "sh", "-c", "cat; echo new"]).run().expect(0).silent();
    assert_eq!(scene.read("a"), "new\n");
}

#[test]
fn a_command_that_fails_changes_nothing() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    let facts = || Facts::of(&fs::metadata(scene.path("a")).expect("it is there"));
    let before = facts();
    let unchanged = |ended: Ended| {
        assert_eq!((facts(), scene.read("a").as_str()), (before.clone(), "old\n"));
        assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
    };
    // Windows has no signals.
    let killed = ("echo new; kill -9 $$", 137);
    let second = if cfg!(windows) { ("exit 2", 2) } else { killed };
    for (script, code) in [("echo new; exit 3", 3), second, ("exit 1", 1)] {
        unchanged(update(&scene, &["a", "--", "sh", "-c", script]).run().expect(code));
        unchanged(update(&scene, &["--batch", "a", "--", "sh", "-c", script]).run().expect(code));
    }
    unchanged(update(&scene, &["a", "--", "no-such-command"]).run().expect(127));
    assert!(scene.held("a").is_empty());
}

/// The new file has the mode, the owner and the attributes of the old one, whatever the umask is.
#[test]
#[cfg(target_os = "linux")]
fn mode_owner_and_attributes_stay() {
    let scene = Scene::new();
    let path = scene.file("a", "old\n");
    let (user, group) = if is_root() { (Some(1234), Some(2345)) } else { (None, None) };
    std::os::unix::fs::chown(&path, user, group).expect("chown");
    let has_attributes =
        rustix::fs::setxattr(&path, "user.origin", b"\0by hand\xff", XattrFlags::empty()).is_ok();
    for mode in [0o600, 0o640, 0o444, 0o4755, 0o2775, 0o1666] {
        if mode & 0o200 == 0 && !is_root() {
            continue;
        }
        for batch in [&[][..], &["--batch"]] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
            let before = fs::metadata(&path).expect("it is there");
            let script = match batch.len() {
                0 => "echo new",
                _ => "rm \"$0\"; umask 0; echo new >\"$0\"; chmod 777 \"$0\"",
            };
            let words = [batch, &["a", "--", "sh", "-c", script]].concat();
            update(&scene, &words).run().expect(0).silent();
            let now = fs::metadata(&path).expect("it is there");
            assert_eq!(scene.read("a"), "new\n");
            assert_ne!(now.ino(), before.ino(), "{}", scene.describe());
            let facts = |of: &fs::Metadata| (of.mode(), of.uid(), of.gid(), of.nlink());
            assert_eq!(facts(&now), facts(&before), "{mode:o} {}", scene.describe());
            if has_attributes {
                let mut value = [0; 64];
                let length = rustix::fs::getxattr(&path, "user.origin", &mut value).expect("kept");
                assert_eq!(&value[..length], b"\0by hand\xff");
            }
        }
    }
    if !has_attributes {
        skip("no extended attributes here");
    }
}

/// An access control list: who may what, one entry each: tag, permissions, number.
#[cfg(target_os = "linux")]
fn access_list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, number) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(number.to_le_bytes());
    }
    list
}

/// A list of the file stays; one that the directory gives to every new file is not added.
#[test]
#[cfg(target_os = "linux")]
fn access_control_lists_stay_as_they_are() {
    const ACCESS: &str = "system.posix_acl_access";
    const ALL: u32 = u32::MAX;
    let list =
        access_list(&[(1, 6, ALL), (2, 6, 1234), (4, 4, ALL), (0x10, 6, ALL), (0x20, 0, ALL)]);
    let scene = Scene::new();
    let (listed, plain) = (scene.file("d/listed", "old\n"), scene.file("d/plain", "old\n"));
    if rustix::fs::setxattr(&listed, ACCESS, &list, XattrFlags::empty()).is_err() {
        return skip("no access control lists here");
    }
    let default = "system.posix_acl_default";
    rustix::fs::setxattr(scene.path("d"), default, &list, XattrFlags::empty()).expect("a list");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o7777;
    let before = (mode(&listed), mode(&plain));
    for file in ["d/listed", "d/plain"] {
        update(&scene, &[file, "--", "printf", "new\\n"]).run().expect(0).silent();
        assert_eq!(scene.read(file), "new\n");
    }
    let mut value = [0; 256];
    let length = rustix::fs::getxattr(&listed, ACCESS, &mut value).expect("it is kept");
    assert_eq!(value[..length], list[..]);
    assert!(rustix::fs::getxattr(&plain, ACCESS, &mut value).is_err(), "a list was added");
    assert_eq!((mode(&listed), mode(&plain)), before);
}

#[test]
#[cfg(target_os = "linux")]
fn a_symbolic_link_is_followed_and_stays() {
    let scene = Scene::new();
    scene.file("d/real", "old\n");
    symlink("d/real", scene.path("link")).expect("a link");
    symlink("link", scene.path("chain")).expect("a link");
    symlink("d/made", scene.path("dangling")).expect("a link");
    for name in ["link", "chain"] {
        let words = [name, "--", "sh", "-c", "cat; echo $DBGUARD_FILE"];
        update(&scene, &words).run().expect(0).silent();
        assert_eq!(fs::read_link(scene.path("link")).expect("a link"), Path::new("d/real"));
    }
    let real = scene.path("d/real");
    let line = format!("{}\n", real.display());
    assert_eq!(scene.read("d/real"), format!("old\n{line}{line}"));
    update(&scene, &["dangling", "--", "cat"]).run().expect(66).says("d/made");
    update(&scene, &["--create", "dangling", "--", "printf", "new\\n"]).run().expect(0).silent();
    assert_eq!(scene.read("d/made"), "new\n");
    assert_eq!(fs::read_link(scene.path("dangling")).expect("a link"), Path::new("d/made"));
}

fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn only_the_content_with_the_hash_is_replaced() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    let change = |hash: &str| {
        update(&scene, &["--if-sha256", hash, "a", "--", "sh", "-c", "cat; echo more"]).run()
    };
    change(&sha256(b"other")).expect(1).says("a has another content").says(&sha256(b"old\n"));
    let ended = update(&scene, &["--json", "--if-sha256", &sha256(b""), "a", "--", "touch", "ran"]);
    let ended = ended.run().expect(1);
    assert_eq!(ended.error_document()["code"], "negative");
    assert!(!scene.path("ran").exists());
    assert_eq!(scene.read("a"), "old\n");
    // The command gets all of it, from the beginning.
    change(&sha256(b"old\n").to_uppercase()).expect(0).silent();
    assert_eq!(scene.read("a"), "old\nmore\n");
    change(&sha256(b"old\n")).expect(1);
    // What is missing is empty.
    let make = |file: &str, hash: &str| {
        update(&scene, &["--create", "--if-sha256", hash, file, "--", "printf", "new\\n"]).run()
    };
    make("made", &sha256(b"x")).expect(1);
    assert!(!scene.path("made").exists());
    make("made", &sha256(b"")).expect(0);
}

/// Of fifty that start from the same content exactly one gets to replace it.
#[test]
fn a_content_is_followed_by_exactly_one_next() {
    let scene = Scene::new();
    scene.file("a", "0\n");
    let hash = sha256(b"0\n");
    let start = |number: usize| {
        let words = ["-q", "-w", "55", "--if-sha256", &hash, "a", "--", "printf", "%s\\n"];
        update(&scene, &words).words([number.to_string()]).spawn()
    };
    let runs: Vec<_> = (1..=CROWD).map(start).collect();
    let ended: Vec<Ended> =
        runs.into_iter().map(|mut run| run.wait().expect_any(&[0, 1])).collect();
    let won: Vec<usize> = (1..=CROWD).filter(|n| ended[n - 1].code == Some(0)).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(scene.read("a"), format!("{}\n", won[0]));
}

/// The command sees of its lock what one under `exec` does, and a call below it joins.
#[test]
fn the_command_runs_under_the_lock_as_under_exec() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    let show = "echo $DBGUARD_FILE $DBGUARD_MODE ${DBGUARD_FENCE:+fence} ${DBGUARD_ID:+id}; \
                \"$DBGUARD\" exec -n a -- printf 'joined\\n'";
    update(&scene, &["--label", "me", "a", "--", "sh", "-c", show]).run().expect(0).silent();
    let path = scene.path("a").display().to_string();
    let path = path.trim_start_matches(r"\\?\");
    assert_eq!(scene.read("a"), format!("{path} exclusive fence id\njoined\n"));
    let holder = scene.hold(["a"]);
    update(&scene, &["-n", "a", "--", "cat"]).run().expect(75).says("a is locked");
    update(&scene, &["-n", "-E", "9", "a", "--", "cat"]).run().expect(9);
    update(&scene, &["-w", "0.2", "a", "--", "cat"]).run().expect(124).says("still locked");
    holder.end().expect(0);
    // Siblings below one lock take turns.
    scene.file("n", "");
    let siblings = "for i in 1 2 3 4 5 6 7 8; do \
                    \"$DBGUARD\" update n -- sh -c 'cat; echo x' & done; wait";
    let ended = scene.dbguard(["exec", "n", "--", "sh", "-c", siblings]).run().expect(0);
    // Under Wine they wait for so long that it is said.
    if !is_wine() {
        ended.silent();
    }
    assert_eq!(scene.read("n").len(), 16);
    scene.assert_free("a");
}

/// A hundred megabytes go through, and are hashed and copied, in little memory.
#[test]
#[cfg(target_os = "linux")]
fn a_big_file_takes_little_memory() {
    const MEGABYTES: usize = 100;
    const MOST_KIB: u64 = 16 << 10;
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let block: Vec<u8> = (0..1 << 20).map(|place: u32| (place % 251) as u8).collect();
    let path = scene.file("a", block.repeat(MEGABYTES));
    let hash = scene.run("sha256sum", ["a"]).run().expect(0).stdout[..64].to_owned();
    for words in [&["--if-sha256", &hash, "a", "--", "cat"][..], &["--batch", "a", "--", "true"]] {
        let before = fs::metadata(&path).expect("it is there").ino();
        let mut run = update(&scene, words).env("DBGUARD_TEST_STOP_AT", "synced").spawn();
        run.until_stopped();
        let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).expect("alive");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(peak < MOST_KIB, "{peak} KiB at its peak: {words:?}");
        run.resume();
        run.wait().expect(0).silent();
        assert_ne!(fs::metadata(&path).expect("it is there").ino(), before);
        let now = scene.run("sha256sum", ["a"]).run().expect(0);
        assert_eq!(now.stdout[..64], hash);
    }
}
