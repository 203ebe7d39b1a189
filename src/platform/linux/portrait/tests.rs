//! Texts the kernel wrote, texts it never would, and real processes.

use super::{
    Container, Executable, Stat, Status, ancestry, full_name, parse_container, portrait,
    terminal_name,
};
use crate::platform::scratch::Scratch;
use proptest::prelude::{any, proptest};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const STAT: &[u8] = b"4711 (a) R 1 (b) S 17 4711 4700 34819 1 4194304 1 2 3 4 150 25 7 8 20 0 1 0 \
    1234567 42 17 18446744073709551615";

fn end(mut child: Child) {
    child.kill().expect("ours to end");
    child.wait().expect("it ends");
}

#[test]
fn a_stat_line_is_read_past_a_name_that_looks_like_one() {
    let expected = Stat {
        name: "a) R 1 (b".into(),
        state: 'S',
        parent: 17,
        terminal: 34_819,
        cpu_ticks: 175,
        start_ticks: 1_234_567,
    };
    assert_eq!(Stat::parse(STAT), Some(expected));
    for broken in ["", "1 (a", "1 a) S", "1 )a( S 1", "1 (a) S 1 2 3 x 5 6 7 8 9 10 11 12 13"] {
        assert_eq!(Stat::parse(broken.as_bytes()), None, "{broken:?}");
    }
}

#[test]
fn a_status_is_read_and_what_is_missing_is_not_made_up() {
    let text = "Name:\tUid:\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t4711\t5\nVmRSS:\t    12 kB\n";
    let expected =
        Status { user: Some(1001), namespace_pids: vec![4711, 5], resident_bytes: 12 * 1024 };
    assert_eq!(Status::parse(text), expected);
    assert_eq!(Status::parse("Uid:\tx\nNSpid:\nVmRSS:\t-1 kB\n"), Status::default());
    let huge = Status::parse("VmRSS:\t18446744073709551615 kB\n");
    assert_eq!(huge.resident_bytes, u64::MAX);
}

#[test]
fn a_terminal_is_named() {
    assert_eq!(terminal_name(0), None);
    assert_eq!(terminal_name(0x8803).as_deref(), Some("pts/3"));
    // Minor numbers above 255 are split around the major one; later majors go on counting.
    assert_eq!(terminal_name(0x0010_8801).as_deref(), Some("pts/257"));
    assert_eq!(terminal_name(0x8901).as_deref(), Some("pts/257"));
    assert_eq!(terminal_name(0xfff_ff00 | 0xff).as_deref(), Some("4095:65535"));
}

#[test]
fn a_container_is_named_by_its_group() {
    let id = "0123456789abcdef".repeat(4);
    let container = |engine| Some(Container { engine, id: "0123456789ab".into() });
    for (engine, path) in [
        ("docker", format!("0::/system.slice/docker-{id}.scope")),
        ("docker", format!("12:cpu,cpuacct:/docker/{id}")),
        ("docker", format!("1:name=systemd:/x\n0::/docker/{id}/init.scope")),
        ("podman", format!("0::/user.slice/user-1000.slice/libpod-{id}.scope/container")),
        ("kubernetes", format!("5:memory:/kubepods/besteffort/pod1-2/{id}")),
        ("kubernetes", format!("0::/x/kubepods-pod1.slice:cri-containerd:{id}")),
        ("container", format!("0::/../{id}")),
    ] {
        assert_eq!(parse_container(&path), container(engine), "{path}");
    }
    for path in
        ["", "0::/", "0::", "::::", "4:memory:/process_api/8a1884fb4632c2271e5683a6b910062b"]
    {
        assert_eq!(parse_container(path), None, "{path}");
    }
}

#[test]
fn only_a_name_that_was_cut_is_completed() {
    let executable = |path: &str| Executable { path: path.into(), deleted: false };
    let long = executable("/bin/a-very-long-program");
    assert_eq!(full_name("a-very-long-pro", Some(&long)), "a-very-long-program");
    assert_eq!(full_name("a-very", Some(&long)), "a-very");
    assert_eq!(full_name("another-long-on", Some(&long)), "another-long-on");
    assert_eq!(full_name("a-very-long-pro", None), "a-very-long-pro");
}

#[test]
fn a_child_is_portrayed() {
    let scratch = Scratch::new("portrait");
    let directory = fs::canonicalize(scratch.directory()).expect("it is there");
    let before = SystemTime::now();
    let child = Command::new("sleep").arg("60").current_dir(&directory).spawn();
    let child = child.expect("sleep starts");
    let found = portrait(child.id()).expect("it runs");
    let ours = portrait(std::process::id()).expect("we run");
    let name = fs::read_link("/proc/self/exe").expect("we have one");
    let pid = child.id();
    end(child);
    assert_eq!((found.pid, found.parent), (pid, std::process::id()));
    assert_eq!(found.command_line, Some(vec!["sleep".to_owned(), "60".to_owned()]));
    assert_eq!(found.directory, Some(directory));
    let margin = Duration::from_secs(2);
    assert!(found.started + margin >= before, "{found:?}");
    assert!(found.started <= SystemTime::now() + margin && found.age < Duration::from_mins(5));
    assert_eq!((found.user, &found.terminal), (ours.user, &ours.terminal));
    assert_eq!((found.other_namespace, ours.other_namespace), (Some(false), Some(false)));
    assert_eq!(found.namespace_pids.len(), ours.namespace_pids.len());
    assert_eq!(found.orphaned, std::process::id() == 1);
    assert_eq!(ours.executable, Some(Executable { path: name, deleted: false }));
    assert_eq!(ours.user, Some(rustix::process::geteuid().as_raw()));
    assert!(ours.resident_bytes > 0);
}

#[test]
fn what_has_ended_has_no_portrait_and_no_ancestors() {
    let mut child = Command::new("true").spawn().expect("it starts");
    child.wait().expect("it ends");
    assert_eq!(portrait(child.id()), None);
    assert_eq!(ancestry(child.id()), []);
    assert_eq!(portrait(u32::MAX), None);
}

#[test]
fn time_spent_computing_adds_up() {
    let pid = std::process::id();
    let cpu_time = || portrait(pid).expect("we run").cpu_time;
    let (before, deadline) = (cpu_time(), Instant::now() + Duration::from_secs(60));
    while cpu_time() == before {
        assert!(Instant::now() < deadline, "a second of work has no cost");
    }
}

/// A program that was replaced by an upgrade, as every long-running service has met.
#[test]
fn a_deleted_program_is_told_by_its_former_path() {
    let scratch = Scratch::new("portrait-deleted");
    let directory = fs::canonicalize(scratch.directory()).expect("it is there");
    let program = directory.join("a-very-long-program");
    let shell = fs::canonicalize("/bin/sh").expect("there is a shell");
    fs::copy(shell, &program).expect("the scratch directory is writable");
    // A process that another test starts has our copy open for writing, until it executes.
    let mut command = Command::new(&program);
    command.args(["-c", "echo runs; read line"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = loop {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            result => break result.expect("it starts"),
        }
    };
    let mut line = String::new();
    let output = child.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("it says when it runs");
    fs::remove_file(&program).expect("it is ours");
    let found = portrait(child.id()).expect("it runs");
    end(child);
    assert_eq!(found.executable, Some(Executable { path: program, deleted: true }));
    assert_eq!(found.name, "a-very-long-program");
}

#[test]
fn the_ancestors_of_a_grandchild_begin_with_its_parent() {
    let mut shell = Command::new("sh")
        .args(["-c", "sh -c 'echo $$; read line; :'; :"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut line = String::new();
    let output = shell.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("the inner shell prints its pid");
    let grandchild: u32 = line.trim().parse().expect("a pid");
    let found = ancestry(grandchild);
    let parent = shell.id();
    // Its input ends, and so it does.
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
    let pids: Vec<u32> = found.iter().map(|one| one.pid).collect();
    assert_eq!(pids[..2], [parent, std::process::id()]);
    assert_eq!(found[0].name, "sh");
    assert!(found[1].executable.is_some() && pids.len() <= 20);
    assert!(pids.len() == 20 || *pids.last().expect("not empty") == 1, "{pids:?}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _stat = Stat::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _status = Status::parse(&text);
        let _container = parse_container(&text);
    }

    #[test]
    fn no_damaged_line_panics(cut in 0..STAT.len(), junk in any::<u8>()) {
        let mut line = STAT.to_vec();
        line[cut] = junk;
        let _stat = Stat::parse(&line);
        let _stat = Stat::parse(&line[..cut]);
    }

    #[test]
    fn no_odd_text_panics(text: String, device: u32) {
        let _status = Status::parse(&format!("Uid:{text}\nNSpid:{text}\nVmRSS:{text}"));
        let _container = parse_container(&format!("0::/{text}"));
        let _name = full_name(&text, None);
        let _name = terminal_name(device);
    }
}
