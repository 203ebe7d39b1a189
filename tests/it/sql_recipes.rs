//! The recipes of the manual, each by fifty processes at once, with the result counted.

use std::collections::BTreeSet;

use crate::process::Ended;
use crate::scene::{Scene, have};
use crate::sql_crew::{ask, ask_duckdb, assert_sound, database, have_duckdb, sql};

/// How many processes work at once; Windows starts them slowly.
const CROWD: usize = if cfg!(windows) { 14 } else { 50 };

/// Starts a run for each number and returns how they ended.
fn crowd(count: usize, scene: &Scene, words: impl Fn(&str) -> Vec<String>) -> Vec<Ended> {
    let start = |number: usize| {
        let words = words(&number.to_string());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        sql(scene, &["-q", "-w", "55", "--no-header"]).words(words).spawn()
    };
    let runs: Vec<_> = (1..=count).map(start).collect();
    runs.into_iter().map(|mut run| run.wait()).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Demands success of all, and returns what they printed, sorted as numbers.
#[track_caller]
fn numbers(ended: Vec<Ended>) -> Vec<usize> {
    let mut numbers: Vec<usize> = ended
        .into_iter()
        .map(|ended| ended.expect(0).silent().stdout.trim().parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Runs a recipe for both ways in which SQLite keeps its journal.
fn each_journal(fill: &str, recipe: impl Fn(&Scene)) {
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        database(&scene, "a.db", journal, fill);
        recipe(&scene);
        assert_sound(&scene, "a.db");
        scene.assert_free("a.db");
    }
}

#[test]
fn a_counter_gives_every_process_a_number_of_its_own() {
    if !have(&["sqlite3"]) {
        return;
    }
    each_journal("create table counter (n); insert into counter values (0);", |scene| {
        let next = "update counter set n = n + 1 returning n";
        let got = numbers(crowd(CROWD, scene, |_| words(&["a.db", next])));
        assert_eq!(got, (1..=CROWD).collect::<Vec<_>>());
        assert_eq!(ask(scene, "a.db", "select n from counter"), CROWD.to_string());
    });
}

#[test]
fn a_counter_in_duckdb_gives_every_process_a_number_of_its_own() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make = "create table counter (n bigint); insert into counter values (0)";
    sql(&scene, &["--create", "a.duckdb", make]).run().expect(0);
    let next = "update counter set n = n + 1 returning n";
    let got = numbers(crowd(20, &scene, |_| words(&["a.duckdb", next])));
    assert_eq!(got, (1..=20).collect::<Vec<_>>());
    assert_eq!(ask_duckdb(&scene, "a.duckdb", "select n from counter"), "20");
    scene.assert_free("a.duckdb");
}

#[test]
fn every_process_appends_to_one_json_list() {
    if !have(&["sqlite3"]) {
        return;
    }
    let fill = "create table doc (list text not null); insert into doc values ('[]');";
    each_journal(fill, |scene| {
        let append = "update doc set list = json_insert(list, '$[#]', ?)";
        for ended in crowd(CROWD, scene, |number| words(&["a.db", append, number])) {
            ended.expect(0).silent();
        }
        let list = ask(scene, "a.db", "select list from doc");
        let list: Vec<String> = serde_json::from_str(&list).expect("a list of texts");
        let found: BTreeSet<usize> =
            list.iter().map(|text| text.parse().expect("a number")).collect();
        assert_eq!((list.len(), found), (CROWD, (1..=CROWD).collect()));
    });
}

#[test]
fn every_process_appends_to_one_list_in_duckdb() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make = "create table doc (list varchar[]); insert into doc values ([])";
    sql(&scene, &["--create", "a.duckdb", make]).run().expect(0);
    let append = "update doc set list = list_append(list, ?)";
    for ended in crowd(15, &scene, |number| words(&["a.duckdb", append, number])) {
        ended.expect(0).silent();
    }
    let found =
        ask_duckdb(&scene, "a.duckdb", "select len(list), len(list_distinct(list)) from doc");
    assert_eq!(found, "15,15");
}

/// Each process takes a step nobody has taken, and marks it as done or failed.
#[test]
fn every_step_is_taken_once_and_marked() {
    if !have(&["sqlite3"]) {
        return;
    }
    let fill = format!(
        "create table step (id integer primary key, state text not null default 'open', by text); \
         with recursive r(n) as (select 1 union all select n + 1 from r where n < {CROWD}) \
         insert into step (id) select n from r;"
    );
    each_journal(&fill, |scene| {
        let take = "update step set state = 'running', by = ? where id = \
                    (select id from step where state = 'open' order by id limit 1) returning id";
        let taken = numbers(crowd(CROWD, scene, |number| words(&["a.db", take, number])));
        assert_eq!(taken, (1..=CROWD).collect::<Vec<_>>());
        // A process that finds no step prints nothing and succeeds.
        sql(scene, &["--no-header", "a.db", take, "late"]).run().expect(0).answers("");
        let mark = "update step set state = ?2 where id = ?1 and state = 'running'";
        let marked = crowd(CROWD, scene, |number| {
            let odd = number.ends_with(['1', '3', '5', '7', '9']);
            words(&["a.db", mark, number, if odd { "failed" } else { "done" }])
        });
        marked.into_iter().for_each(|ended| drop(ended.expect(0).silent()));
        let found = ask(scene, "a.db", "select state, count(*) from step group by state");
        let half = CROWD / 2;
        assert_eq!(found, format!("done|{half}\nfailed|{half}"));
        assert_eq!(ask(scene, "a.db", "select count(distinct by) from step"), CROWD.to_string());
    });
}

/// Everybody wants to make version n + 1 of version n: for each n exactly one succeeds, whether
/// the condition is one of dbguard or of the statement.
#[test]
fn a_version_is_followed_by_exactly_one_next() {
    if !have(&["sqlite3"]) {
        return;
    }
    let fill = "create table app (version integer, by text); insert into app values (0, '');";
    each_journal(fill, |scene| {
        const VERSIONS: usize = 5;
        let wanted = |number: &str| {
            let number: usize = number.parse().expect("a number");
            (number % VERSIONS).to_string()
        };
        // Ten processes for each version; those that come too early or too late fail, and come
        // again until all versions are made.
        let mut made = Vec::new();
        for _round in 0..VERSIONS {
            let ended = crowd(CROWD, scene, |number| {
                let version = wanted(number);
                let condition = format!("select version = {version} from app");
                let change = "update app set version = version + 1, by = ? returning version";
                words(&["--if", &condition, "a.db", change, number])
            });
            for ended in ended {
                let ended = ended.expect_any(&[0, 1]);
                assert_eq!(ended.stdout.is_empty(), ended.code == Some(1), "{}", ended.describe());
                made.extend(ended.stdout.trim().parse::<usize>());
            }
        }
        assert_eq!(made.len(), made.iter().collect::<BTreeSet<_>>().len(), "made twice: {made:?}");
        assert_eq!(made.len(), VERSIONS, "{made:?}");
        assert_eq!(ask(scene, "a.db", "select version from app"), VERSIONS.to_string());

        // The same by the statement: a row comes back only from the one that changed it.
        let change = "update app set version = version + 1 where version = 5 returning version";
        let ended = crowd(CROWD, scene, |_| words(&["a.db", change]));
        let won = ended.into_iter().filter(|ended| ended.stdout.trim() == "6").count();
        assert_eq!(won, 1);
        assert_eq!(ask(scene, "a.db", "select version from app"), "6");
    });
}

/// One batch over two files: the money that leaves one arrives in the other, whatever happens.
///
/// With a rollback journal SQLite commits both files or none, also after a crash. In write-ahead
/// logging it promises that for each file alone: then a power cut between the two commits leaves
/// one of them, and only the files' locks, which dbguard holds together, keep others from seeing
/// that.
#[test]
fn a_batch_over_two_files_changes_both_or_none() {
    if !have(&["sqlite3"]) {
        return;
    }
    const COINS: usize = CROWD * 4 / 5;
    let scene = Scene::new();
    for file in ["a.db", "b.db"] {
        let fill = format!(
            "create table purse (coins integer check (coins >= 0)); \
             insert into purse values ({COINS});"
        );
        database(&scene, file, "delete", &fill);
    }
    let transfer = "attach 'b.db' as b; update main.purse set coins = coins - ?1; \
                    update b.purse set coins = coins + ?1; \
                    select a.coins + b.coins from main.purse as a, b.purse as b";
    let ended = crowd(CROWD, &scene, |number| {
        // Most purses are too small for the large sums: those batches fail as a whole.
        let sum = if number.ends_with('7') { "1000" } else { "1" };
        words(&["a.db", transfer, sum])
    });
    let mut moved = 0;
    for (place, ended) in ended.into_iter().enumerate() {
        let too_much = (place + 1) % 10 == 7;
        if too_much {
            ended.expect(2).answers("").says("CHECK constraint failed");
            continue;
        }
        let ended = ended.expect_any(&[0, 2]);
        if ended.code == Some(0) {
            ended.answers(&(2 * COINS).to_string());
            moved += 1;
        }
    }
    let coins = |file: &str| ask(&scene, file, "select coins from purse");
    let all = (2 * COINS).to_string();
    assert_eq!((moved, coins("a.db"), coins("b.db")), (COINS, "0".to_owned(), all));
    for file in ["a.db", "b.db"] {
        assert_sound(&scene, file);
        scene.assert_free(file);
    }
}
