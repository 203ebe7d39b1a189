//! `dbguard sql`: every kind of value of DuckDB, against DuckDB's own shell and what went in.

use serde_json::Value;

use crate::scene::Scene;
use crate::sql_crew::{answer, ask_duckdb, have_duckdb, sql};

/// Values that the duckdb shell shows as dbguard does in CSV, and what they are in JSON.
const ALIKE: [(&str, &str); 58] = [
    ("true", "true"),
    ("0", "0"),
    ("(-128)::tinyint", "-128"),
    ("255::utinyint", "255"),
    ("(-32768)::smallint", "-32768"),
    ("65535::usmallint", "65535"),
    ("(-2147483648)::integer", "-2147483648"),
    ("4294967295::uinteger", "4294967295"),
    ("9223372036854775807::bigint", "9223372036854775807"),
    ("(-9223372036854775808)::bigint", "-9223372036854775808"),
    ("18446744073709551615::ubigint", "18446744073709551615"),
    ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
    (
        "340282366920938463463374607431768211455::uhugeint",
        "340282366920938463463374607431768211455",
    ),
    ("1.50::decimal(4,2)", "1.50"),
    ("(-0.5)::decimal(3,1)", "-0.5"),
    ("12345678901234567890.123456789::decimal(38,9)", "12345678901234567890.123456789"),
    ("0.1::float", "0.1"),
    ("0.1::double", "0.1"),
    ("0.5::double", "0.5"),
    ("1::double", "1.0"),
    ("1e15::double", "1000000000000000.0"),
    ("'nan'::double", "{\"$float\":\"NaN\"}"),
    ("'infinity'::double", "{\"$float\":\"Infinity\"}"),
    ("'-infinity'::float", "{\"$float\":\"-Infinity\"}"),
    ("'text'", "\"text\""),
    ("''", "\"\""),
    ("'a,b'", "\"a,b\""),
    ("'a\"b'", "\"a\\\"b\""),
    ("'a''b'", "\"a'b\""),
    ("'a' || chr(10) || 'b'", "\"a\\nb\""),
    ("' padded '", "\" padded \""),
    ("chr(228) || chr(8364) || chr(128512)", "\"\u{e4}\u{20ac}\u{1f600}\""),
    ("date '2024-02-29'", "\"2024-02-29\""),
    ("date '10000-01-01'", "\"10000-01-01\""),
    ("'infinity'::date", "\"infinity\""),
    ("time '01:02:03.004005'", "\"01:02:03.004005\""),
    ("timetz '01:02:03+02'", "\"01:02:03+02\""),
    ("timestamp '2024-01-02 03:04:05.123456'", "\"2024-01-02 03:04:05.123456\""),
    ("timestamp_s '2024-01-02 03:04:05'", "\"2024-01-02 03:04:05\""),
    ("timestamp_ms '2024-01-02 03:04:05.678'", "\"2024-01-02 03:04:05.678\""),
    ("timestamp_ns '2024-01-02 03:04:05.123456789'", "\"2024-01-02 03:04:05.123456789\""),
    ("timestamptz '2024-01-02 03:04:05+00'", "\"2024-01-02 03:04:05+00\""),
    ("'-infinity'::timestamp", "\"-infinity\""),
    ("interval '14 months 3 days 04:05:06.7'", "\"1 year 2 months 3 days 04:05:06.7\""),
    ("interval '-1 day'", "\"-1 day\""),
    ("uuid '00000000-0000-4000-8000-00000000abcd'", "\"00000000-0000-4000-8000-00000000abcd\""),
    ("'01011'::bit", "\"01011\""),
    ("'b'::enum('a', 'b')", "\"b\""),
    ("[1, 2, null]", "[1,2,null]"),
    ("['a', 'b c', 'd,e']", "[\"a\",\"b c\",\"d,e\"]"),
    ("[[1], []]", "[[1],[]]"),
    ("array[1, 2]::integer[2]", "[1,2]"),
    ("{'a': 1, 'b': 'x y', 'c': null}", "{\"a\":1,\"b\":\"x y\",\"c\":null}"),
    ("{'a': [1, 2], 'b': {'c': date '2024-01-02'}}", "{\"a\":[1,2],\"b\":{\"c\":\"2024-01-02\"}}"),
    ("map {'k': 1, 'l': 2}", "[{\"key\":\"k\",\"value\":1},{\"key\":\"l\",\"value\":2}]"),
    ("map {1: [1, 2]}", "[{\"key\":1,\"value\":[1,2]}]"),
    ("union_value(num := 7)", "{\"num\":7}"),
    ("'{\"a\": 1}'::json", "{\"a\": 1}"),
];

/// Values that dbguard prints in its own way, in CSV and in JSON.
const OURS: [(&str, &str, &str); 6] = [
    ("null", "", "null"),
    ("null::integer[]", "", "null"),
    ("''::blob", "\"\"", "{\"$blob\":\"\"}"),
    ("'\\xAA\\x00'::blob", "\\xAA\\x00", "{\"$blob\":\"AA00\"}"),
    ("'a'::blob", "a", "{\"$blob\":\"61\"}"),
    ("['\\xFF'::blob]", "", "[{\"$blob\":\"FF\"}]"),
];

/// Floating-point numbers whose text differs in notation alone, if at all.
const NUMBERS: [&str; 8] = [
    "1e300",
    "-1e-300",
    "5e-324",
    "1.7976931348623157e308",
    "123456789012345680",
    "1e16",
    "1e17",
    "-0.0",
];

/// Makes an empty database.
fn empty(scene: &Scene) {
    sql(scene, &["--create", "a.duckdb", "create table nothing (a int)"]).run().expect(0).silent();
}

/// Fields are compared as read back: one program quotes more than another.
const COMPARE: &str = "import csv, sys\n\
    rows = lambda name: list(csv.reader(open(name, newline='')))\n\
    mine, theirs = rows(sys.argv[1]), rows(sys.argv[2])\n\
    assert len(mine) == len(theirs), (len(mine), len(theirs))\n\
    differ = [(a, b) for a, b in zip(mine, theirs) if a != b]\n\
    print(*differ, 'differ', len(differ), sep='\\n')\n";

#[test]
fn csv_of_duckdb_is_what_its_own_shell_prints() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let numbered = ALIKE.iter().enumerate();
    let script: Vec<String> =
        numbered.map(|(place, (text, _))| format!("select {place}, {text};")).collect();
    scene.file("values.sql", script.join("\n"));
    let mine = ["--no-header", "--format", "csv", "--output", "mine.csv", "-f", "values.sql"];
    sql(&scene, &mine).words(["a.duckdb"]).run().expect(0).silent();
    let shell = "duckdb -bail -csv -noheader a.duckdb -c \"set timezone = 'UTC'\" -f values.sql";
    scene.shell(&format!("{shell} >theirs.csv")).env("TZ", "UTC").run().expect(0);
    scene.file("compare.py", COMPARE);
    let compared = scene.run("python3", ["compare.py", "mine.csv", "theirs.csv"]).run().expect(0);
    assert!(compared.stdout.ends_with("differ\n0\n"), "{}", compared.stdout);
    for (text, csv, _) in OURS.iter().filter(|(_, csv, json)| !csv.is_empty() || *json == "null") {
        let found = answer(&scene, &["--no-header", "a.duckdb", &format!("select {text}")]);
        assert_eq!(found, format!("{csv}\n"), "{text}");
    }
    for text in NUMBERS {
        let query = format!("select {text}::double");
        let mine = answer(&scene, &["--no-header", "a.duckdb", &query]);
        let theirs = ask_duckdb(&scene, "a.duckdb", &query);
        let number = |text: &str| text.trim().parse::<f64>().expect("a number").to_bits();
        assert_eq!(number(&mine), number(&theirs), "{text}: {mine} {theirs}");
    }
}

/// Digits are compared as text: JSON readers differ in how many they keep.
#[test]
fn json_of_duckdb_loses_nothing() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let expected: Vec<(&str, &str)> = ALIKE
        .iter()
        .map(|(text, json)| (*text, *json))
        .chain(OURS.iter().map(|(text, _, json)| (*text, *json)))
        .collect();
    let script = expected.iter().map(|(text, _)| format!("select {text} as v;"));
    scene.file("values.sql", script.collect::<Vec<_>>().join("\n"));
    let words = ["--format", "jsonl", "-f", "values.sql", "a.duckdb"];
    let found = sql(&scene, &words).env("TZ", "UTC").run().expect(0).stdout;
    assert_eq!(found.lines().count(), expected.len(), "{found}");
    for (line, (text, json)) in found.lines().zip(expected) {
        assert_eq!(line, format!("{{\"v\":{json}}}"), "{text}");
        serde_json::from_str::<Value>(line).expect("a line is JSON");
    }
    for text in NUMBERS {
        let query = format!("select {text}::double as v");
        let line = answer(&scene, &["--format", "jsonl", "a.duckdb", &query]);
        let row: Value = serde_json::from_str(&line).expect("a line is JSON");
        let expected: f64 = text.parse().expect("a number");
        assert_eq!(row["v"].as_f64().map(f64::to_bits), Some(expected.to_bits()), "{text}: {line}");
    }
}
