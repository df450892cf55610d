//! What InfluxDB holds, read as another program would: by InfluxQL, as CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use acceptance::model::{Points, Series, put, without_expected_alone};
use acceptance::program::measures;
use domain::measures::Measure;
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
    for measure in measures() {
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
    points.values_mut().for_each(without_expected_alone);
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
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let time = column("time").expect("every answer has a time");
    let fields = measure.definition().fields.iter();
    let fields: Option<Vec<(&str, usize)>> =
        fields.map(|field| column(field.name).map(|at| (field.name, at))).collect();
    let fields = fields.ok_or(format!("{} lacks a field: {header}", measure.as_str()))?;
    let mut seen = BTreeSet::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let tag = |name: &str| column(name).map(|at| cells[at]).filter(|text| !text.is_empty());
        let code = tag("org").unwrap_or_else(|| panic!("no org: {line}"));
        let org = orgs.find(code).unwrap_or_else(|| panic!("no such org: {line}"));
        assert_eq!(tag("level"), Some(orgs.get(org).level.as_str()), "the level of a point: {line}");
        let series = Series::told(measure.as_str(), tag).unwrap_or_else(|| panic!("its tags: {line}"));
        let second: u32 = cells[time].parse().expect("a time in seconds");
        assert!(second.is_multiple_of(60), "a stamp is a whole minute: {line}");
        let minute = Minute(second / 60);
        for (field, at) in &fields {
            // A point that is being written at this moment may lack one.
            let value = cells[*at].parse().map_err(|_| format!("a point lacks a field: {line}"))?;
            put(points.entry(minute).or_default(), code, &series, field, value);
        }
        assert!(seen.insert((code.to_owned(), series, minute)), "a point stands twice in the store: {line}");
    }
    Ok(())
}
