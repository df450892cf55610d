//! InfluxDB line protocol: how a series of an org-minute is written (spec 2.4).
//!
//! Responsible for the text alone: names, tags in a fixed, sorted order, fields with the suffix of their type, the
//! timestamp in nanoseconds. It is not responsible for what is sent when. A field is an integer, or a float where the table
//! of measures holds it in fixed point; a reference of a patient cannot be written, since nothing here could format one.
//!
//! ```text
//! ae_four_hour,level=site,org=RXF05,type=1,window=4h departed=12i,within=9i,over_12h=0i,implausible=0i 1795270020000000000
//! ```

use domain::measures::{Field, OrgMinute, Series, Window};
use domain::organisations::Level;
use domain::time::Minute;

#[cfg(test)]
mod parser;

/// The most bytes that a tag value may have.
const MAX_TAG: usize = 256;

/// Why an org-minute cannot be written as lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A tag value that would end the line, the series or the value: a newline writes a second line, a backslash
    /// swallows what follows.
    #[error("the organisation's code must be 1 to 256 bytes without control characters and backslashes")]
    Tag,
}

/// Appends one line for each series of the org-minute, each with its newline. After an error nothing was appended.
pub fn write_org_minute(org_minute: &OrgMinute, out: &mut Vec<u8>) -> Result<(), LineError> {
    if !is_tag_value(&org_minute.org) {
        return Err(LineError::Tag);
    }
    for series in &org_minute.series {
        write_checked(org_minute.level, &org_minute.org, org_minute.minute, series, out);
    }
    Ok(())
}

/// Appends one line with its newline.
///
/// `org` is a code out of [`domain::organisations::Organisations`]. Anything else that cannot be a tag value is a bug of
/// the caller and panics: what comes from outside goes through [`write_org_minute`].
pub fn write_series(level: Level, org: &str, minute: Minute, series: &Series, out: &mut Vec<u8>) {
    assert!(is_tag_value(org), "a code of the table of organisations is a tag value");
    write_checked(level, org, minute, series, out);
}

/// Whether the text can be a tag value: not empty (an empty tag is a parse error), no control character (it cannot be
/// escaped), no backslash (before a separator and at the end it changes what follows, and no code has one).
pub fn is_tag_value(text: &str) -> bool {
    (1..=MAX_TAG).contains(&text.len())
        && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f || byte == b'\\')
}

fn write_checked(level: Level, org: &str, minute: Minute, series: &Series, out: &mut Vec<u8>) {
    let definition = series.key.measure.definition();
    out.extend_from_slice(definition.name.as_bytes());
    // Sorted by name, as the database keeps them: "area", "category" and "framework" stand before "level".
    write_tags(series, |name| name < "level", out);
    out.extend_from_slice(b",level=");
    out.extend_from_slice(level.as_str().as_bytes());
    out.extend_from_slice(b",org=");
    write_tag_value(org, out);
    write_tags(series, |name| name > "level", out);
    if let Some(window) = series.key.window {
        out.extend_from_slice(b",window=");
        write_window(window, out);
    }
    let mut separator = b' ';
    for (field, value) in definition.fields.iter().zip(series.values) {
        out.push(separator);
        out.extend_from_slice(field.name.as_bytes());
        out.push(b'=');
        write_value(*field, value, out);
        separator = b',';
    }
    out.push(b' ');
    write_unsigned(u64::from(minute.0) * 60, out);
    out.extend_from_slice(b"000000000\n");
}

/// The tags that are neither `level`, `org` nor `window`, as far as their names are wanted here.
fn write_tags(series: &Series, wanted: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
    for (name, text) in series.key.tags().filter(|(name, _)| wanted(name)) {
        out.push(b',');
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        write_tag_value(text, out);
    }
}

/// `12i`, or `12.5` for a field in fixed point: its unit divides a power of ten, so that the digits end.
fn write_value(field: Field, value: i64, out: &mut Vec<u8>) {
    if field.per_unit == 1 {
        write_integer(value, out);
        out.push(b'i');
        return;
    }
    let unit = field.per_unit.unsigned_abs();
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(value.unsigned_abs() / unit, out);
    let mut rest = value.unsigned_abs() % unit;
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        out.push(b'0' + (rest * 10 / unit) as u8);
        rest = rest * 10 % unit;
    }
}

/// Writes the value with comma, space and equals sign escaped.
fn write_tag_value(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if matches!(byte, b',' | b' ' | b'=') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// The text of [`Window`]'s `Display`, without its formatter.
fn write_window(window: Window, out: &mut Vec<u8>) {
    match window {
        Window::Today => out.extend_from_slice(b"today"),
        Window::Rolling(minutes) => {
            let (number, unit) = match minutes {
                n if n % 1_440 == 0 && n > 1_440 => (n / 1_440, b'd'),
                n if n % 60 == 0 => (n / 60, b'h'),
                n => (n, b'm'),
            };
            write_unsigned(u64::from(number), out);
            out.push(unit);
        }
    }
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(value.unsigned_abs(), out);
}

fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    // Most figures have one digit.
    if value < 10 {
        out.push(b'0' + value as u8);
        return;
    }
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    while value > 0 {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// What a line overwrites: its measurement with its tags, and its timestamp. Two lines with the same name are two
/// values of one point. The line is one of ours, with or without its newline.
pub fn point_name(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let series = (1..line.len()).find(|&at| line[at] == b' ' && line[at - 1] != b'\\');
    let timestamp = line.iter().rposition(|byte| *byte == b' ');
    match (series, timestamp) {
        (Some(series), Some(timestamp)) => (&line[..series], &line[timestamp + 1..]),
        _ => (line, b""),
    }
}

#[cfg(test)]
mod tests {
    use domain::event::Category;
    use domain::measures::{Freshness, Measure, Revision, SeriesKey, Tag, TagKind, TypeTag, Values};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::parser::{Parsed, parse};
    use super::*;

    fn org_minute(org: &str, series: Vec<Series>) -> OrgMinute {
        OrgMinute {
            level: Level::Site,
            org: org.to_owned(),
            minute: Minute(29_921_167),
            revision: Revision { epoch: 1, n: 1 },
            freshness: Freshness::default(),
            restated: false,
            series,
        }
    }

    fn series(measure: Measure, tag: impl Into<Tag>, window: Option<Window>, first: &[i64]) -> Series {
        let mut values: Values = [0; domain::measures::MAX_FIELDS];
        values[..first.len()].copy_from_slice(first);
        Series { key: SeriesKey::new(measure, tag, window), values }
    }

    #[test]
    fn a_line_of_each_measure() {
        let window = Some(Window::Rolling(240));
        let one = Some(TypeTag::One);
        let all = vec![
            series(Measure::AeFourHour, one, window, &[12, 9, 1, 0]),
            series(Measure::AeArrivals, Some(TypeTag::All), Some(Window::Today), &[100, 25, 3]),
            series(Measure::AeDepartment, Some(TypeTag::Five), None, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            series(
                Measure::AmbHandover,
                Tag::None,
                Some(Window::Rolling(10_080)),
                &[1, 1, 1, 1, 1, 86_400, 7, 8, 9],
            ),
            series(Measure::AmbQueue, Tag::None, None, &[3, 2, 1, 0, 0, 1_900, 0]),
            series(Measure::AeArea, Tag::text("Majors, 2").unwrap(), None, &[7, 6]),
            series(Measure::AeTreatment, one, window, &[3, 125, 240]),
            series(Measure::AeTreatment, one, window, &[2, 124, 62]),
            series(Measure::AmbResponse, Category::C1, window, &[3, 1_497, 720]),
            series(Measure::Escalation, Tag::text("opel").unwrap(), None, &[3]),
            series(Measure::OpelParameter, Tag::parameter("acute", "beds").unwrap(), None, &[-912_500, 3, 1]),
        ];
        let mut out = Vec::new();
        write_org_minute(&org_minute("RXF05", all), &mut out).unwrap();
        let expected = "\
ae_four_hour,level=site,org=RXF05,type=1,window=4h departed=12i,within=9i,over_12h=1i,implausible=0i 1795270020000000000
ae_arrivals,level=site,org=RXF05,type=all,window=today arrived=100i,by_ambulance=25i,planned=3i 1795270020000000000
ae_department,level=site,org=RXF05,type=5 present=1i,awaiting_admission=2i,awaiting_over_12h=3i,on_clock=4i,over_4h=5i,\
over_12h=6i,due_30m=7i,due_60m=8i,longest_minutes=9i,unclosed=10i 1795270020000000000
amb_handover,level=site,org=RXF05,window=7d completed=1i,over_15m=1i,over_30m=1i,over_45m=1i,over_60m=1i,total_s=86400i,\
p90_s=7i,lost_15m_s=8i,lost_30m_s=9i 1795270020000000000
amb_queue,level=site,org=RXF05 waiting=3i,over_15m=2i,over_30m=1i,over_45m=0i,over_60m=0i,longest_s=1900i,unclosed=0i \
1795270020000000000
ae_area,area=Majors\\,\\ 2,level=site,org=RXF05 present=7i,capacity=6i 1795270020000000000
ae_treatment,level=site,org=RXF05,type=1,window=4h treated=3i,median_minutes=62.5,p90_minutes=240i 1795270020000000000
ae_treatment,level=site,org=RXF05,type=1,window=4h treated=2i,median_minutes=62,p90_minutes=62i 1795270020000000000
amb_response,category=C1,level=site,org=RXF05,window=4h responses=3i,total_s=1497i,p90_s=720i 1795270020000000000
escalation,level=site,org=RXF05,scale=opel declared=3i 1795270020000000000
opel_parameter,framework=acute,level=site,org=RXF05,parameter=beds value=-0.9125,points=3i,known=1i 1795270020000000000
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_code_that_would_break_the_line_writes_nothing() {
        let queue = || vec![series(Measure::AmbQueue, Tag::None, None, &[])];
        for bad in [
            "",
            "A\n",
            "A\nae_four_hour,org=B x=1i",
            "A\r",
            "A\0",
            "A\t",
            "A\u{7f}",
            "A\\",
            "A\\B",
            &"A".repeat(257),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(write_org_minute(&org_minute(bad, queue()), &mut out), Err(LineError::Tag), "{bad:?}");
            assert_eq!(out, b"before", "{bad:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a code of the table of organisations is a tag value")]
    fn a_caller_that_did_not_check_its_code_is_stopped() {
        write_series(
            Level::Site,
            "A\n",
            Minute(1),
            &series(Measure::AmbQueue, Tag::None, None, &[]),
            &mut Vec::new(),
        );
    }

    #[test]
    fn windows_are_written_as_they_are_shown() {
        for minutes in (1..=3_000).chain([10_080, 43_200, 44_640]) {
            let mut out = Vec::new();
            write_window(Window::Rolling(minutes), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), Window::Rolling(minutes).to_string());
        }
    }

    /// A random series of every shape: also tags that the table does not foresee and the ends of the integers.
    fn random_series(random: &mut ChaCha8Rng) -> Series {
        let measure = Measure::ALL[random.random_range(0..Measure::ALL.len())];
        let tag = match measure.definition().tag {
            TagKind::None => Tag::None,
            TagKind::Type => TypeTag::ALL_TAGS[random.random_range(0..5)].into(),
            TagKind::Category => Category::ALL[random.random_range(0..5)].into(),
            TagKind::Area | TagKind::Standard | TagKind::Scale | TagKind::Framework | TagKind::Source => {
                Tag::text(["Resus 1", "a,b=c", "é"][random.random_range(0..3)]).unwrap()
            }
            TagKind::Parameter => Tag::parameter("acute-2023-24", "beds, open").unwrap(),
        };
        let window =
            measure.definition().by_window.then(|| Window::from_number(random.random_range(0..44_641)));
        let mut values: Values = [0; domain::measures::MAX_FIELDS];
        for (value, field) in values.iter_mut().zip(measure.definition().fields) {
            *value = match random.random_range(0..8) {
                // As many digits as a float has.
                _ if field.per_unit > 1 => random.random_range(-1_000_000_000_000..1_000_000_000_000),
                0 => random.random(),
                1 => i64::MIN,
                2 => i64::MAX,
                _ => random.random_range(-20..2_000),
            };
        }
        Series { key: SeriesKey { measure, tag, window }, values }
    }

    /// What the parser must say about a line, built from the series and not from the line.
    fn meant(level: Level, org: &str, minute: Minute, series: &Series) -> Parsed {
        let mut tags =
            vec![("level".to_owned(), level.as_str().to_owned()), ("org".to_owned(), org.to_owned())];
        tags.extend(series.key.tags().map(|(name, text)| (name.to_owned(), text.to_owned())));
        if let Some(window) = series.key.window {
            tags.push(("window".to_owned(), window.to_string()));
        }
        tags.sort();
        Parsed {
            measurement: series.key.measure.as_str().to_owned(),
            tags,
            fields: series
                .fields()
                .map(|(field, value)| (field.name.to_owned(), field.number(value)))
                .collect(),
            timestamp: i64::from(minute.0) * 60_000_000_000,
        }
    }

    #[test]
    fn every_line_is_read_by_a_second_parser_as_it_was_meant() {
        let seed: u64 = 20_261_121;
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let alphabet: Vec<char> = "AZ09-_. ,=\"'#é€".chars().collect();
        for case in 0..5_000 {
            let length = random.random_range(1..12);
            let org: String = (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect();
            let level = Level::ALL[random.random_range(0..Level::ALL.len())];
            let minute = Minute(random.random_range(0..=68_374_079));
            let all: Vec<Series> =
                (0..random.random_range(1..4)).map(|_| random_series(&mut random)).collect();
            let mut whole = org_minute(&org, all);
            (whole.level, whole.minute) = (level, minute);
            let mut out = Vec::new();
            write_org_minute(&whole, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), whole.series.len(), "case {case}: {text:?}");
            for (line, series) in lines.iter().zip(&whole.series) {
                assert_eq!(parse(line), Ok(meant(level, &org, minute, series)), "case {case}: {line:?}");
                let (name, timestamp) = point_name(line.as_bytes());
                let fields = &line[name.len()..line.len() - timestamp.len()];
                assert_eq!(
                    parse(&format!("m{fields}0")).map(|p| p.fields.len()),
                    Ok(series.fields().count()),
                    "{line:?}"
                );
            }
        }
    }
}
