//! A second reading of line protocol, for tests only: written from the format's description and not from our writer.
//! It takes integers and plain decimals, because we write nothing else, and refuses tags that are not sorted or stand
//! twice.

use domain::measures::Number;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed {
    pub(super) measurement: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) fields: Vec<(String, Number)>,
    pub(super) timestamp: i64,
}

/// A character of a line, and whether it stands for itself because of a backslash before it.
type Marked = (char, bool);

/// Reads one line, which has no newline.
pub(super) fn parse(line: &str) -> Result<Parsed, String> {
    if line.starts_with('#') {
        return Err("a comment".into());
    }
    let parts = split(&unescape(line), ' ');
    let [head, fields, timestamp] = parts.as_slice() else {
        return Err(format!("{} parts and not three", parts.len()));
    };
    let mut names = split(head, ',').into_iter();
    let measurement = text(&names.next().unwrap_or_default());
    let tags: Vec<(String, String)> = names.map(|pair| key_value(&pair)).collect::<Result<_, _>>()?;
    if !tags.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        return Err("tags are not in order".into());
    }
    let fields = split(fields, ',').iter().map(|pair| number(pair)).collect::<Result<_, _>>()?;
    let timestamp = text(timestamp).parse().map_err(|_| "no timestamp".to_owned())?;
    if measurement.is_empty() {
        return Err("no measurement".into());
    }
    Ok(Parsed { measurement, tags, fields, timestamp })
}

/// A backslash takes its meaning from the next character only where that is a comma, an equals sign or a space; else it
/// stands for itself.
fn unescape(line: &str) -> Vec<Marked> {
    let mut out = Vec::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.peek().copied() {
            Some(next @ (',' | '=' | ' ')) if character == '\\' => {
                characters.next();
                out.push((next, true));
            }
            _ => out.push((character, false)),
        }
    }
    out
}

fn split(marked: &[Marked], at: char) -> Vec<Vec<Marked>> {
    marked.split(|(character, escaped)| *character == at && !escaped).map(<[Marked]>::to_vec).collect()
}

fn text(marked: &[Marked]) -> String {
    marked.iter().map(|(character, _)| character).collect()
}

fn key_value(pair: &[Marked]) -> Result<(String, String), String> {
    let parts = split(pair, '=');
    match parts.as_slice() {
        [key, value] if !key.is_empty() && !value.is_empty() => Ok((text(key), text(value))),
        _ => Err(format!("not a key and a value: {:?}", text(pair))),
    }
}

/// `12i` is an integer, `12` and `12.5` are floats.
fn number(pair: &[Marked]) -> Result<(String, Number), String> {
    let (key, value) = key_value(pair)?;
    let wrong = || format!("no number: {value}");
    let number = match value.strip_suffix('i') {
        Some(digits) => Number::Integer(digits.parse().map_err(|_| wrong())?),
        None if value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.')) => {
            Number::Float(value.parse().map_err(|_| wrong())?)
        }
        None => return Err(wrong()),
    };
    Ok((key, number))
}

#[test]
fn the_second_parser_refuses_what_is_no_line() {
    for bad in [
        "",
        "m",
        "m f=1i",
        "m,a= f=1i 1",
        "m,=b f=1i 1",
        "m,b=1,a=2 f=1i 1",
        "m,a=1,a=2 f=1i 1",
        "m f=1e3 1",
        "m f=1.5.2 1",
        "m f=1.5i 1",
        "m f=NaN 1",
        "m f=1i x",
        "m f=1i 1 2",
        "# m f=1i 1",
        ",a=b f=1i 1",
        "m f= 1",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(parse("m f=1.5 7").map(|p| p.fields), Ok(vec![("f".into(), Number::Float(1.5))]));
    assert_eq!(parse(r"m,a=b\ c\,\=\d f=-1i 7").map(|p| p.tags), Ok(vec![("a".into(), r"b c,=\d".into())]));
}
