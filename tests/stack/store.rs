//! What InfluxDB holds, read as another program would: by InfluxQL, as CSV.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use acceptance::model::Points;
use domain::measures::{MAX_FIELDS, Measure, SeriesKey, Values, Window};
use domain::organisations::Organisations;
use domain::time::Minute;

use crate::http;
use crate::servers::INFLUX_TOKEN;

/// The points with a stamp in [from, until], by minute; those that are all zeros are left out.
pub(crate) fn points(
    influx: SocketAddr,
    bucket: &str,
    orgs: &Organisations,
    from: Minute,
    until: Minute,
) -> Result<BTreeMap<Minute, Points>, String> {
    let mut points = BTreeMap::new();
    for measure in Measure::ALL {
        let query = format!(
            "SELECT * FROM \"{}\" WHERE time >= {}s AND time <= {}s",
            measure.as_str(),
            from.start().0,
            until.start().0
        );
        let path = format!("/query?db={bucket}&epoch=s&q={}", http::encoded(&query));
        let headers = [format!("Authorization: Token {INFLUX_TOKEN}"), "Accept: application/csv".to_owned()];
        let answer = http::get(influx, &path, &headers)?;
        if answer.status != 200 {
            return Err(format!("the store answers {}: {}", answer.status, answer.text()));
        }
        read(measure, &answer.text(), orgs, &mut points)?;
    }
    Ok(points)
}

fn read(
    measure: Measure,
    text: &str,
    orgs: &Organisations,
    points: &mut BTreeMap<Minute, Points>,
) -> Result<(), String> {
    let mut lines = text.lines();
    let Some(header) = lines.next() else { return Ok(()) };
    let columns: Vec<&str> = header.split(',').collect();
    let position = |tag: &str| columns.iter().position(|column| *column == tag);
    let tags = ["level", "org", "window"].map(position);
    let kind = measure.definition().tag;
    let others: Vec<usize> = kind.names().iter().filter_map(|name| position(name)).collect();
    let time = columns.iter().position(|column| *column == "time").expect("every answer has a time");
    let fields = measure.definition().fields.iter();
    let fields: Option<Vec<usize>> =
        fields.map(|field| columns.iter().position(|column| *column == field.name)).collect();
    let fields = fields.ok_or(format!("{} lacks a field: {header}", measure.as_str()))?;
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let tag = |number: usize| tags[number].map(|column| cells[column]).filter(|text| !text.is_empty());
        let org = tag(1).and_then(|org| orgs.find(org)).unwrap_or_else(|| panic!("no such org: {line}"));
        assert_eq!(tag(0), Some(orgs.get(org).level.as_str()), "the level of a point: {line}");
        let texts: Vec<&str> = others.iter().map(|column| cells[*column]).collect();
        let window = tag(2).map(|text| Window::parse(text).expect("a window"));
        let key = SeriesKey::new(measure, kind.parse(&texts).expect("a tag of the measure"), window);
        let second: u32 = cells[time].parse().expect("a time in seconds");
        assert!(second.is_multiple_of(60), "a stamp is a whole minute: {line}");
        let mut values: Values = [0; MAX_FIELDS];
        for ((value, field), column) in values.iter_mut().zip(measure.definition().fields).zip(&fields) {
            // So is a point that is being written at this moment.
            let number = cells[*column].parse().map_err(|_| format!("a point lacks a field: {line}"))?;
            *value = field.held(number);
        }
        if values.iter().any(|value| *value != 0) {
            let twice = points.entry(Minute(second / 60)).or_default().insert((org, key), values);
            assert!(twice.is_none(), "a point stands twice in the store: {line}");
        }
    }
    Ok(())
}
