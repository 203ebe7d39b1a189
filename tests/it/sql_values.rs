//! `dbguard sql`: every kind of value of SQLite in every format, against SQLite's own shell,
//! Python's csv module, and what went in.

use std::fs;

use serde_json::{Value, json};

use crate::scene::{Scene, have};
use crate::sql_crew::{answer, sql};

/// What a value is in JSON.
#[derive(Clone, Copy)]
enum Json {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'static str),
    /// The name of a marker and what it marks.
    Marked(&'static str, &'static str),
}

impl Json {
    /// Whether the value that was read back is this one, to the last bit.
    fn is(self, found: &Value) -> bool {
        match self {
            Self::Null => found.is_null(),
            Self::Integer(number) => found.is_i64() && found.as_i64() == Some(number),
            Self::Real(number) => {
                found.is_f64() && found.as_f64().map(f64::to_bits) == Some(number.to_bits())
            }
            Self::Text(text) => found == text,
            Self::Marked(name, content) => *found == json!({ name: content }),
        }
    }
}

/// Values that `sqlite3 -csv` prints byte for byte as dbguard does.
const ALIKE: [(&str, &str, Json); 27] = [
    ("null", "", Json::Null),
    ("0", "0", Json::Integer(0)),
    ("-1", "-1", Json::Integer(-1)),
    ("9223372036854775807", "9223372036854775807", Json::Integer(i64::MAX)),
    ("-9223372036854775808", "-9223372036854775808", Json::Integer(i64::MIN)),
    ("0.1", "0.1", Json::Real(0.1)),
    ("-0.5", "-0.5", Json::Real(-0.5)),
    ("1.0", "1.0", Json::Real(1.0)),
    ("100.0", "100.0", Json::Real(100.0)),
    ("0.0001", "0.0001", Json::Real(0.0001)),
    ("0.00001", "1.0e-05", Json::Real(0.00001)),
    ("1e17", "1.0e+17", Json::Real(1e17)),
    ("1e300", "1.0e+300", Json::Real(1e300)),
    ("-0.0", "0.0", Json::Real(-0.0)),
    ("9e999", "Inf", Json::Marked("$float", "Infinity")),
    ("-9e999", "-Inf", Json::Marked("$float", "-Infinity")),
    ("'x'", "x", Json::Text("x")),
    ("''", "\"\"", Json::Text("")),
    ("' padded '", "\" padded \"", Json::Text(" padded ")),
    ("'a,b'", "\"a,b\"", Json::Text("a,b")),
    ("'a\"b'", "\"a\"\"b\"", Json::Text("a\"b")),
    ("'a'||char(10)||'b'", "\"a\nb\"", Json::Text("a\nb")),
    ("'a'||char(13, 10)||'b'", "\"a\r\nb\"", Json::Text("a\r\nb")),
    ("'NULL'", "NULL", Json::Text("NULL")),
    ("'007'", "007", Json::Text("007")),
    ("'back\\slash|pipe;'", "back\\slash|pipe;", Json::Text("back\\slash|pipe;")),
    ("'=1+1'", "=1+1", Json::Text("=1+1")),
];

/// Values that `sqlite3 -csv` prints in another way: with 15 digits, with quotes that are not
/// needed, or not at all.
const OURS: [(&str, &str, Json); 19] = [
    ("1e15", "1000000000000000.0", Json::Real(1e15)),
    ("0.30000000000000004", "0.30000000000000004", Json::Real(0.300_000_000_000_000_04)),
    ("123456789012345680.0", "1.2345678901234568e+17", Json::Real(123_456_789_012_345_680.0)),
    ("5e-324", "5.0e-324", Json::Real(5e-324)),
    ("2.2250738585072014e-308", "2.2250738585072014e-308", Json::Real(f64::MIN_POSITIVE)),
    ("1.7976931348623157e308", "1.7976931348623157e+308", Json::Real(f64::MAX)),
    ("x''", "X''", Json::Marked("$blob", "")),
    ("x'00ff'", "X'00FF'", Json::Marked("$blob", "00FF")),
    ("zeroblob(3)", "X'000000'", Json::Marked("$blob", "000000")),
    ("char(228, 8364, 128512)", "\u{e4}\u{20ac}\u{1f600}", Json::Text("\u{e4}\u{20ac}\u{1f600}")),
    ("'a'||char(9)||'b'", "a\tb", Json::Text("a\tb")),
    ("'a'||char(0)||'b'", "a\0b", Json::Text("a\0b")),
    ("char(27)||'[2J'", "\x1b[2J", Json::Text("\x1b[2J")),
    ("char(127)", "\x7f", Json::Text("\x7f")),
    ("char(155)||'x'", "\u{9b}x", Json::Text("\u{9b}x")),
    ("char(65279)||'x'", "\u{feff}x", Json::Text("\u{feff}x")),
    ("'''quoted'''", "'quoted'", Json::Text("'quoted'")),
    ("cast(x'ff' as text)", "\u{fffd}", Json::Marked("$text", "FF")),
    ("cast(x'61ff62' as text)", "a\u{fffd}b", Json::Marked("$text", "61FF62")),
];

fn all() -> impl Iterator<Item = &'static (&'static str, &'static str, Json)> {
    ALIKE.iter().chain(&OURS)
}

/// Returns a query of one row for each expression.
fn query<'a>(expressions: impl Iterator<Item = &'a str>) -> String {
    let numbered = expressions.enumerate();
    let rows = numbered.map(|(place, text)| format!("select {place} as i, {text} as v"));
    rows.collect::<Vec<_>>().join(" union all ") + " order by i"
}

/// Makes an empty database, and runs a query on it whose rows go to a file. Not every text is
/// UTF-8.
fn bytes(scene: &Scene, format: &str, query: &str) -> Vec<u8> {
    scene.file("a.db", "");
    let words = ["--format", format, "--no-header", "--output", "out", "a.db", query];
    sql(scene, &words).run().expect(0).silent();
    fs::read(scene.path("out")).expect("it was written")
}

#[test]
fn csv_is_what_the_manual_says_and_what_sqlite3_prints_where_they_agree() {
    let scene = Scene::new();
    let have_shell = have(&["sqlite3"]);
    for (place, (expression, expected, _)) in all().enumerate() {
        let query = format!("select {expression}");
        let found = bytes(&scene, "csv", &query);
        let found = String::from_utf8_lossy(&found);
        assert_eq!(found, format!("{expected}\n"), "{expression}");
        if have_shell && place < ALIKE.len() {
            let shell = scene.run("sqlite3", ["-csv", ":memory:", &query]).run().expect(0);
            assert_eq!(
                shell.stdout.replace("\r\n", "\n").trim_end_matches('\n'),
                expected.replace("\r\n", "\n"),
                "sqlite3 -csv: {expression}"
            );
        }
    }
    assert_eq!(bytes(&scene, "csv", "select cast(x'61ff62' as text)"), b"a\xffb\n");
}

/// JSON and JSON lines give back what went in, to the last bit.
#[test]
fn json_loses_nothing() {
    let scene = Scene::new();
    let query = query(all().map(|(expression, ..)| *expression));
    let rows: Vec<Value> = serde_json::from_slice(&bytes(&scene, "json", &query)).expect("JSON");
    let text = bytes(&scene, "jsonl", &query);
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let whole = sql(&scene, &["--json", "a.db", &query]).run().expect(0);
    let whole: Value = serde_json::from_str(&whole.stdout).expect("JSON");
    assert_eq!(rows, lines);
    assert_eq!(&json!(rows), &whole["results"][0]["rows"]);
    assert_eq!(rows.len(), ALIKE.len() + OURS.len());
    for (row, (expression, _, json)) in rows.iter().zip(all()) {
        assert!(json.is(&row["v"]), "{expression} became {}", row["v"]);
    }
}

/// What Python's csv module reads is what Python's sqlite3 module reads from the database.
#[test]
fn csv_read_back_is_the_data() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    // Neither module of Python takes these.
    let expressions = all().filter(|(_, csv, _)| !csv.contains(['\0', '\u{fffd}']));
    let query = query(expressions.map(|(text, ..)| *text));
    scene.file("query.sql", &query);
    scene.file("a.db", "");
    sql(&scene, &["--output", "out.csv", "-f", "query.sql", "a.db"]).run().expect(0).silent();
    let script = "import csv, sqlite3\n\
        query = open('query.sql', newline='').read()\n\
        data = sqlite3.connect(':memory:').execute(query).fetchall()\n\
        rows = list(csv.reader(open('out.csv', newline='')))\n\
        assert rows[0] == ['i', 'v'], rows[0]\n\
        assert len(rows) == len(data) + 1, len(rows)\n\
        def same(cell, value):\n\
        \tif value is None: return cell == ''\n\
        \tif isinstance(value, bytes): return cell == \"X'\" + value.hex().upper() + \"'\"\n\
        \treturn type(value)(cell) == value\n\
        for (place, cell), (number, value) in zip(rows[1:], data):\n\
        \tassert place == str(number) and same(cell, value), (cell, value)\n\
        print('the same', len(data))\n";
    scene.file("read.py", script);
    let read = scene.run("python3", ["read.py"]).run().expect(0);
    assert!(read.stdout.starts_with("the same 4"), "{}", read.describe());
}

/// Tab-separated values have escapes, and read back by them they are the data.
#[test]
fn tsv_escapes_what_separates() {
    let scene = Scene::new();
    let texts = "select 'a'||char(9)||'b', 'c\\d', 'e'||char(10)||'f'||char(13), null, '', x'0a'";
    let found = bytes(&scene, "tsv", texts);
    assert_eq!(String::from_utf8_lossy(&found), "a\\tb\tc\\\\d\te\\nf\\r\t\t\tX'0A'\n");
}

/// No byte that commands a terminal comes out of the formats for people.
#[test]
fn formats_for_people_are_harmless() {
    let scene = Scene::new();
    let codes = (1..32).chain(127..160).chain(0x202a..=0x202e).chain(0x2066..=0x2069);
    let mut shown = 0;
    for code in codes {
        let query = format!("select 'a'||char({code})||'b' as \"x{}y\"", char::from(27));
        for format in ["table", "markdown", "line"] {
            scene.file("a.db", "");
            let found = answer(&scene, &["--format", format, "a.db", &query]);
            let harmful = found.chars().find(|one| {
                let bidi = matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                (one.is_control() && *one != '\n') || bidi
            });
            assert_eq!(harmful, None, "{code} in {format}: {found:?}");
            shown += usize::from(found.contains("\\u{1b}"));
        }
    }
    assert!(shown > 0, "the name of the column was not shown");
}

#[test]
fn formats_for_people_show_what_there_is() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let query = "select 1 as n, 'a|b'||char(10)||'c' as t, null as z, x'00ff' as b, 0.5 as r";
    let print = |options: &[&str]| {
        let words: Vec<&str> = options.iter().copied().chain(["a.db", query]).collect();
        answer(&scene, &words)
    };
    let markdown = "| n | t | z | b | r |\n| --- | --- | --- | --- | --- |\n\
                    | 1 | a\\|b<br>c | NULL | X'00FF' | 0.5 |\n";
    assert_eq!(print(&["--format", "markdown"]), markdown);
    let line = "n = 1\nt = a|b\\nc\nz = NULL\nb = X'00FF'\nr = 0.5\n";
    assert_eq!(print(&["--format", "line"]), line);
    assert_eq!(
        print(&["--format", "line", "--no-header", "--null", "-"]).lines().nth(2),
        Some("-")
    );
    let table = print(&["--format", "table"]);
    for text in ["n", "a|b", "NULL", "X'00FF'", "0.5"] {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert!(print(&["--format", "table", "--null", "(none)"]).contains("(none)"));
    assert!(!print(&["--format", "table", "--no-header"]).contains(" z "));
}

#[test]
fn columns_with_one_name_are_all_there() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let query = "select 1 as a, 2 as a, 3 as A, 4 as \"a,\"\"b\"";
    assert_eq!(answer(&scene, &["--format", "csv", "a.db", query]), "a,a,A,\"a,\"\"b\"\n1,2,3,4\n");
    let jsonl = answer(&scene, &["--format", "jsonl", "a.db", query]);
    assert_eq!(jsonl, "{\"a\":1,\"a_2\":2,\"A\":3,\"a,\\\"b\":4}\n");
}

/// JSON has escapes for every character, so none that commands a terminal is in it as it is.
#[test]
fn json_is_harmless_too() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let evil = "select 'a' || char(27, 127, 155, 8238, 8297) || 'b' as \"x\u{9b}y\"";
    for format in ["json", "jsonl"] {
        let found = answer(&scene, &["--format", format, "a.db", evil]);
        assert!(found.trim().chars().all(|one| one.is_ascii() && !one.is_control()), "{found:?}");
        let row: Value = serde_json::from_str(found.trim().trim_matches(['[', ']'])).expect("JSON");
        assert_eq!(row["x\u{9b}y"], "a\u{1b}\u{7f}\u{9b}\u{202e}\u{2069}b");
    }
}

/// A text for NULL is told apart from the same text only by quotes where those are needed.
#[test]
fn the_text_for_null_is_printed_for_null_alone() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let query = "select null, '', 'x'";
    let print = |format: &str, null: &str| {
        answer(&scene, &["--no-header", "--format", format, "--null", null, "a.db", query])
    };
    assert_eq!(print("csv", "NULL"), "NULL,\"\",x\n");
    assert_eq!(print("csv", ""), ",\"\",x\n");
    assert_eq!(print("tsv", "\\N"), "\\N\t\tx\n");
    assert_eq!(print("jsonl", "-"), "{\"null\":null,\"''\":\"\",\"'x'\":\"x\"}\n");
}

/// A value of fifty megabytes comes out whole.
#[test]
fn a_large_value_is_printed_whole() {
    let scene = Scene::new();
    let found = bytes(&scene, "csv", "select printf('%.*c', 50000000, 'x'), length(zeroblob(9))");
    assert_eq!(found.len(), 50_000_003);
    assert!(found.starts_with(b"xx") && found.ends_with(b"x,9\n"));
}
