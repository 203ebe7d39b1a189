//! Numbers and bytes as text.

/// The most digits before SQLite writes a number with an exponent (`%!.17g`, `printf.c`).
const DIGITS: i32 = 17;

/// Returns a floating-point number as SQLite's own conversion to text writes it, with as many
/// digits as it takes to read the same number back, which may be more.
pub fn real(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`e` formats with an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if number == 0.0 || (-4..DIGITS).contains(&exponent) {
        // `-0.0` is 0.0 to SQLite; `{:?}` writes exponents earlier than SQLite does.
        let plain = format!("{}", number + 0.0);
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{point}e{sign}{:02}", exponent.abs())
}

/// Appends an integer.
pub(super) fn append_integer(number: i64, text: &mut Vec<u8>) {
    let mut buffer = [0_u8; 20];
    let mut at = buffer.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        text.push(b'-');
    }
    text.extend_from_slice(&buffer[at..]);
}

/// Appends bytes as hexadecimal digits.
pub(super) fn append_hex(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use proptest::prelude::{any, proptest};
    use rusqlite::Connection;

    use super::{append_integer, real};

    fn by_sqlite(number: f64) -> String {
        let connection = Connection::open_in_memory().expect("memory opens");
        let ask = "select cast(? as text)";
        connection.query_row(ask, [number], |row| row.get(0)).expect("a text")
    }

    #[test]
    fn plain_numbers_are_written_as_sqlite_writes_them() {
        for number in [
            0.0,
            -0.0,
            0.1,
            1.0,
            -1.5,
            100.0,
            1e14,
            1e15,
            1e16,
            123_456.789,
            0.0001,
            0.00001,
            1e17,
            1e20,
            -2.5e-7,
            1e300,
            1e-300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            4.35,
        ] {
            assert_eq!(real(number), by_sqlite(number), "{number:e}");
        }
    }

    #[test]
    fn integers_have_all_their_digits() {
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            let mut text = Vec::new();
            append_integer(number, &mut text);
            assert_eq!(text, number.to_string().into_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_number(number in any::<f64>()) {
            let number = number + 0.0;
            if number.is_finite() {
                assert_eq!(real(number).parse::<f64>(), Ok(number));
            }
        }
    }
}
