//! `dbguard watch`: what it costs itself, and those who are watched.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use crate::actor::GATE;
use crate::crew::Crew;
use crate::info::{Holder, run};
use crate::stage::{Side, Stage};
use crate::tally::{Turn, head, in_turns, median, percentile, row, shown, timed};

/// How many databases are watched, how many of them are held, and how many used by their engine.
const DATABASES: usize = 20;
const HELD: usize = 5;
const USED: usize = 3;

/// How long its CPU time is counted, after the time in which it begins.
const COUNTED: Duration = Duration::from_secs(20);
const BEGINNING: Duration = Duration::from_secs(2);

/// One measurement of throughput is so many runs, which take about a second.
const RUNS: usize = 500;
const ROUNDS: usize = 30;

/// A watch of a directory that has told of all its databases.
///
/// What it says later stays in the pipe, which has room for minutes of it. With a thread that reads
/// it, the benchmark itself started its processes more slowly: a ratio of 0.74 was measured.
struct Watch {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Watch {
    fn of(stage: &Stage, directory: &Path, databases: usize) -> Self {
        let mut watch = stage.program();
        watch.args(["watch", "--json"]).arg(directory).stdout(Stdio::piped());
        let mut child = watch.spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut seen = 0;
        while seen < databases {
            let mut line = String::new();
            output.read_line(&mut line).expect("it is text");
            seen += usize::from(line.contains("\"watching\""));
        }
        Self { child, _output: output }
    }

    /// Returns its CPU time so far.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(") ").expect("a stat line has a name");
        let numbers = fields.split(' ').skip(11).take(2);
        let ticks: u64 = numbers.map(|number| number.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1000 / clock_ticks_per_second())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has nothing to finish.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints the CPU time of a watch, and the throughput of `exec` with one and without.
pub fn watch(stage: &Stage) {
    let folder = stage.path("watched");
    fs::create_dir_all(&folder).expect("a folder");
    let databases: Option<Vec<PathBuf>> =
        (0..DATABASES).map(|number| stage.sqlite(&format!("watched/{number}.db"))).collect();
    let Some(databases) = databases else {
        return println!("  no sqlite3 shell: skipped");
    };
    let gates = databases[..HELD].iter().map(|file| stage.locked(Side::Dbguard, file, &[GATE]));
    let (crew, latch) = Crew::behind(gates.collect());
    let words = "begin immediate;\n.system echo\n";
    let users: Vec<Holder> = databases[HELD..HELD + USED]
        .iter()
        .map(|file| Holder::told(Command::new("sqlite3").arg(file), words))
        .collect();
    println!("  {DATABASES} databases, {HELD} of them held, {USED} used by SQLite, every second");
    let watched = Watch::of(stage, &folder, DATABASES);
    thread::sleep(BEGINNING);
    let before = watched.cpu();
    thread::sleep(COUNTED);
    let cpu = watched.cpu() - before;
    let share = 100.0 * cpu.as_secs_f64() / COUNTED.as_secs_f64();
    println!("  CPU time in {}: {}, {share:.2} % of a core, bound 1 %", shown(COUNTED), shown(cpu));
    drop(watched);
    throughput(stage, &folder, &databases[DATABASES - 1]);
    drop(users);
    crew.let_run(latch);
}

fn throughput(stage: &Stage, folder: &Path, file: &Path) {
    let mut command = stage.dbguard();
    command.arg(file).arg("--").arg(&stage.nothing);
    let command = std::cell::RefCell::new(command);
    let runs = || timed(|| (0..RUNS).for_each(|_| run(&mut command.borrow_mut())));
    let mut turns: Vec<Turn<'_>> = vec![
        Box::new(runs),
        Box::new(|| {
            let _watch = Watch::of(stage, folder, DATABASES);
            runs()
        }),
    ];
    let times = in_turns(ROUNDS, &mut turns);
    println!(
        "  {ROUNDS} rounds of {RUNS} times `exec` of `true`; the ratio is that of the throughput"
    );
    head("unwatched", "watched");
    row("median", median(&times[0]), median(&times[1]), Some(0.99));
    // Where others work beside it, the quickest rounds are those that were left alone.
    row("10th percentile", percentile(&times[0], 10), percentile(&times[1], 10), Some(0.99));
}
