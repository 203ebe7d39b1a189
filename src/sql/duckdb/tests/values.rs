//! Values, in both forms.

use super::super::super::engine::Access;
use super::super::super::parameters::Parameters;
use super::super::super::value::Voice;
use super::{Kept, Scene, rows, run_with};

/// Every expression is asked for in one row, and in a table of many rows with a NULL between.
#[track_caller]
fn expect(voice: Voice, values: &[(&str, &str)]) {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    for (sql, told) in values {
        assert_eq!(rows(&*session, voice, &format!("SELECT {sql}")), [*told], "{sql}");
        let many = format!(
            "CREATE OR REPLACE TEMP TABLE t AS SELECT i, CASE WHEN i % 2 = 0 THEN {sql} END AS v FROM \
             range(5000) AS s(i); SELECT v FROM t WHERE i >= 4998 ORDER BY i"
        );
        assert_eq!(rows(&*session, voice, &many), [*told, "Null"], "{sql} in a table");
    }
}

#[test]
fn text_is_what_the_shell_shows() {
    expect(
        Voice::Text,
        &[
            ("true", "Boolean(true)"),
            ("(-128)::TINYINT", "Integer(-128)"),
            ("18446744073709551615::UBIGINT", "Number(\"18446744073709551615\")"),
            ("1.50::DECIMAL(10, 2)", "Number(\"1.50\")"),
            ("1e20::DOUBLE", "Number(\"1e+20\")"),
            ("'nan'::DOUBLE", "Word(\"nan\")"),
            ("'-inf'::FLOAT", "Word(\"-inf\")"),
            ("'a\"b' || chr(10) || chr(0) || 'c'", "Text(\"a\\\"b\\n\\0c\")"),
            ("'a\\x00'::BLOB", "Word(\"a\\\\x00\")"),
            ("DATE '2020-01-01'", "Word(\"2020-01-01\")"),
            ("[1, NULL]", "Nested([1, NULL])"),
            ("{'a': 'x'}", "Nested({'a': x})"),
            ("'{\"a\": 1}'::JSON", "Text(\"{\\\"a\\\": 1}\")"),
        ],
    );
}

#[test]
fn json_loses_nothing_of_plain_values() {
    expect(
        Voice::Json,
        &[
            ("4294967295::UINTEGER", "Integer(4294967295)"),
            (
                "(-170141183460469231731687303715884105728)::HUGEINT",
                "Number(\"-170141183460469231731687303715884105728\")",
            ),
            ("0.1::FLOAT", "Real(0.1)"),
            ("0.1::DOUBLE", "Real(0.1)"),
            ("'inf'::DOUBLE", "Real(inf)"),
            ("'a\\x00'::BLOB", "Blob([97, 0])"),
            ("'101'::BIT", "Word(\"101\")"),
            (
                "TIMESTAMPTZ '2020-01-01 10:00:00.000001+02'",
                "Word(\"2020-01-01 08:00:00.000001+00\")",
            ),
            ("INTERVAL '1 month 2 days'", "Word(\"1 month 2 days\")"),
            ("'y'::ENUM('x', 'y')", "Word(\"y\")"),
            ("'{\"a\": [1,' || chr(10) || '2]}'", "Text(\"{\\\"a\\\": [1,\\n2]}\")"),
            ("('{\"a\": [1,' || chr(10) || '2]}')::JSON", "Nested({\"a\": [1, 2]})"),
        ],
    );
}

#[test]
fn json_loses_nothing_of_nested_values() {
    expect(
        Voice::Json,
        &[
            ("[[1], [], NULL]", "Nested([[1],[],null])"),
            ("[1.5, NULL]::DECIMAL(4, 1)[2]", "Nested([1.5,null])"),
            (
                "{'a': 'q\"', 'b': [{'c': 'nan'::DOUBLE}]}",
                "Nested({\"a\":\"q\\\"\",\"b\":[{\"c\":{\"$float\":\"NaN\"}}]})",
            ),
            ("{'a': NULL, 'b': 'z\\xFF'::BLOB}", "Nested({\"a\":null,\"b\":{\"$blob\":\"7AFF\"}})"),
            ("row(1, DATE '2020-01-01')", "Nested([1,\"2020-01-01\"])"),
            (
                "MAP {'k': 1, 'l': NULL}",
                "Nested([{\"key\":\"k\",\"value\":1},{\"key\":\"l\",\"value\":null}])",
            ),
            ("union_value(n := 5::UBIGINT)", "Nested({\"n\":5})"),
            ("{'j': '[1, {}]'::JSON, 'e': 'x'::ENUM('x')}", "Nested({\"j\":[1, {}],\"e\":\"x\"})"),
            ("{'a': ['1', 'x']}::VARIANT", "Nested({\"a\":[\"1\",\"x\"]})"),
        ],
    );
}

#[test]
fn columns_have_names_and_types() {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    let mut kept = Kept::new(Voice::Text);
    let sql = "SELECT 1 AS a, [{'x': 1.5}] AS b WHERE false";
    run_with(&*session, sql, &Parameters::default(), &mut kept).expect("it runs");
    assert_eq!(kept.columns, ["a INTEGER", "b STRUCT(x DECIMAL(2,1))[]"]);
    assert!(kept.rows.is_empty() && kept.is_ended);
}

#[test]
fn many_rows_come_whole_and_in_order() {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    let rows = rows(&*session, Voice::Json, "SELECT i, [i] FROM range(100000) AS t(i)");
    assert_eq!(rows.len(), 100_000);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(*row, format!("Integer({number}) Nested([{number}])"));
    }
}
