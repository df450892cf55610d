//! The places of a simulation: which sites take part, how large each is, which feed speaks for it and which ambulance
//! service brings its patients. Not the table itself: that is `domain::organisations`.

use domain::event::DepartmentType;
use domain::ids::OrgId;
use domain::organisations::{Level, Organisations};

use crate::national::{self, BY_AMBULANCE};
use crate::random::{Draws, Purpose, key};

/// A department that is simulated.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) code: String,
    pub(crate) id: OrgId,
    pub(crate) kind: DepartmentType,
    /// Its number in hashes.
    pub(crate) key: u64,
    /// Mean arrivals a day.
    pub(crate) daily: f64,
    /// Share that leaves within four hours.
    pub(crate) within: f64,
    /// Position of its feed in [`Places::sources`].
    pub(crate) source: u16,
    /// Position of its ambulance service in [`Places::services`].
    pub(crate) service: Option<u16>,
}

/// An ambulance service that brings patients.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) code: String,
    pub(crate) key: u64,
    pub(crate) source: u16,
    /// Mean journeys a day that bring somebody to a department.
    pub(crate) daily: f64,
}

/// Everything that speaks.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) sites: Vec<Site>,
    pub(crate) services: Vec<Service>,
    pub(crate) sources: Vec<String>,
}

/// The largest type-1 site of the table: a good one for a drill. `None` without any.
pub fn largest_major(organisations: &Organisations) -> Option<OrgId> {
    let places = Places::new(organisations, &[DepartmentType::Major], Some(1), 1.0, false);
    places.sites.first().map(|site| site.id)
}

impl Places {
    /// The sites of `types`, of these the `largest` if that is stated, in the order of the table. Sizes are those of
    /// England scaled by `size`; a site's size depends on its code and on the table, not on who else takes part.
    pub(crate) fn new(
        organisations: &Organisations,
        types: &[DepartmentType],
        largest: Option<usize>,
        size: f64,
        ambulances: bool,
    ) -> Places {
        let mut sites: Vec<Site> = organisations
            .iter()
            .filter(|(_, org)| org.level == Level::Site)
            .filter_map(|(id, org)| org.department_type.map(|kind| site(id, &org.code, kind)))
            .collect();
        scale(&mut sites, size);
        sites.retain(|site| types.contains(&site.kind));
        if let Some(count) = largest {
            sites.sort_by(|a, b| b.daily.total_cmp(&a.daily).then(a.id.cmp(&b.id)));
            sites.truncate(count);
            sites.sort_by_key(|site| site.id);
        }
        let mut places = Places { sites, services: Vec::new(), sources: Vec::new() };
        places.connect(organisations, ambulances);
        places
    }

    fn connect(&mut self, organisations: &Organisations, ambulances: bool) {
        for index in 0..self.sites.len() {
            let id = self.sites[index].id;
            let service = (ambulances && self.sites[index].kind == DepartmentType::Major)
                .then(|| service_of(organisations, id))
                .flatten();
            let service = service.map(|service| self.service(&organisations.get(service).code));
            if let Some(service) = service {
                self.services[usize::from(service)].daily += self.sites[index].daily * BY_AMBULANCE;
            }
            let trust = trust_of(organisations, id);
            let source = self.source(format!("{}.epr", organisations.get(trust).code.to_ascii_lowercase()));
            let site = &mut self.sites[index];
            (site.source, site.service) = (source, service);
        }
    }

    fn service(&mut self, code: &str) -> u16 {
        if let Some(index) = self.services.iter().position(|service| service.code == code) {
            return index as u16;
        }
        let source = self.source(format!("{}.cad", code.to_ascii_lowercase()));
        self.services.push(Service { code: code.to_owned(), key: key(code), source, daily: 0.0 });
        (self.services.len() - 1) as u16
    }

    fn source(&mut self, name: String) -> u16 {
        let known = self.sources.iter().position(|source| *source == name);
        known.unwrap_or_else(|| {
            self.sources.push(name);
            self.sources.len() - 1
        }) as u16
    }
}

fn site(id: OrgId, code: &str, kind: DepartmentType) -> Site {
    let profile = national::profile(kind);
    let key = key(code);
    // Not from the seed: a department is as large, and as good, in every drill.
    let mut draws = Draws::new(0, Purpose::Visits, key, 0);
    let daily = draws.log_normal(1.0, profile.size_deviation).clamp(0.2, 4.0);
    let spread = if kind == DepartmentType::Major { 0.05 } else { 0.01 };
    let within = (profile.within + spread * draws.normal()).clamp(profile.within - 2.0 * spread, 0.995);
    Site { code: code.to_owned(), id, kind, key, daily, within, source: 0, service: None }
}

/// Turns relative sizes into attendances a day: the mean department of a type is England's mean.
fn scale(sites: &mut [Site], size: f64) {
    for kind in [1, 2, 3, 4, 5].into_iter().filter_map(DepartmentType::from_number) {
        let profile = national::profile(kind);
        let of_kind = || sites.iter().filter(|site| site.kind == kind);
        let mean = of_kind().map(|site| site.daily).sum::<f64>() / of_kind().count().max(1) as f64;
        let mean_in_england = profile.daily_in_england / profile.departments;
        for site in sites.iter_mut().filter(|site| site.kind == kind) {
            site.daily *= size * mean_in_england / mean;
        }
    }
}

fn trust_of(organisations: &Organisations, site: OrgId) -> OrgId {
    let above = |id: &&OrgId| organisations.get(**id).level == Level::Trust;
    organisations.path(site).iter().find(above).copied().unwrap_or(site)
}

/// Which services bring patients to the departments of an organisation; the lowest organisation that is named decides.
const SERVICES: &[(&str, &str)] = &[
    ("R1F", "R1F-AMB"),
    ("QHM", "RX6"),
    ("QU9", "RYE"),
    ("QRL", "RYE"),
    ("QNQ", "RYE"),
    ("QPM", "RX9"),
    ("QT1", "RX9"),
    ("QK1", "RX9"),
    ("QJM", "RX9"),
    ("QJ2", "RX9"),
    ("Y56", "RRU"),
    ("Y58", "RYF-AMB"),
    ("Y59", "RYD"),
    ("Y60", "RYA"),
    ("Y61", "RYC"),
    ("Y62", "RX7"),
    ("Y63", "RX8"),
];

/// The service of England's map if the table has it, else one that the parent's code decides, else none.
fn service_of(organisations: &Organisations, site: OrgId) -> Option<OrgId> {
    let path = organisations.path(site);
    let mapped = path.iter().find_map(|id| {
        let code = &organisations.get(*id).code;
        let (_, service) = SERVICES.iter().find(|(place, _)| place == code)?;
        organisations.find_at(service, Level::Service)
    });
    mapped.or_else(|| {
        let services: Vec<OrgId> =
            organisations.iter().filter(|(_, org)| org.level == Level::Service).map(|(id, _)| id).collect();
        let above = path.get(1).copied().unwrap_or(site);
        let choice = key(&organisations.get(above).code) as usize % services.len().max(1);
        services.get(choice).copied()
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::organisations::Row;

    /// The organisations that ship with the project.
    pub(crate) fn england() -> Organisations {
        let mut reader = csv::Reader::from_reader(&include_bytes!("../../../config/organisations.csv")[..]);
        let rows: Vec<Row> = reader
            .records()
            .map(|record| {
                let record = record.unwrap();
                let cell = |index: usize| record[index].to_owned();
                Row {
                    code: cell(0),
                    name: cell(1),
                    level: cell(2),
                    parent: cell(3),
                    department_type: cell(4),
                }
            })
            .collect();
        Organisations::new(&rows).unwrap()
    }

    const EVERY: [DepartmentType; 3] =
        [DepartmentType::Major, DepartmentType::SingleSpecialty, DepartmentType::Other];

    #[test]
    fn england_has_its_size_and_its_services() {
        let places = Places::new(&england(), &EVERY, None, 1.0, true);
        assert_eq!(places.sites.len(), 328);
        let daily = |kind| places.sites.iter().filter(|s| s.kind == kind).map(|s| s.daily).sum::<f64>();
        assert!((daily(DepartmentType::Major) - 47_800.0).abs() < 1.0);
        assert!((daily(DepartmentType::Other) - 27_900.0).abs() < 1.0);
        assert_eq!(places.services.len(), 11);
        let service = |code: &str| {
            let site = places.sites.iter().find(|site| site.code == code).unwrap();
            site.service.map(|index| places.services[usize::from(index)].code.as_str())
        };
        for (site, expected) in [
            ("RXF-T1", Some("RX8")),
            ("R1F-T1", Some("R1F-AMB")),
            ("RTH-T1", Some("RYE")),
            ("RWE-T1", Some("RX9")),
            ("RYJ-T1", Some("RRU")),
            ("8J094-T3", None),
        ] {
            assert_eq!(service(site), expected, "{site}");
        }
        let rxf = places.sites.iter().find(|site| site.code == "RXF-T1").unwrap();
        assert_eq!(places.sources[usize::from(rxf.source)], "rxf.epr");
    }

    #[test]
    fn sizes_differ_and_do_not_depend_on_who_takes_part() {
        let england = england();
        let (all, some) = (
            Places::new(&england, &EVERY, None, 1.0, true),
            Places::new(&england, &EVERY, Some(50), 1.0, true),
        );
        assert_eq!(some.sites.len(), 50);
        for site in &some.sites {
            let same = all.sites.iter().find(|other| other.code == site.code).unwrap();
            assert_eq!(site.daily, same.daily, "{}", site.code);
        }
        let smallest_taken = some.sites.iter().map(|s| s.daily).fold(f64::MAX, f64::min);
        assert_eq!(all.sites.iter().filter(|s| s.daily >= smallest_taken).count(), 50);
        let major: Vec<f64> =
            all.sites.iter().filter(|s| s.kind == DepartmentType::Major).map(|s| s.daily).collect();
        let (low, high) =
            (major.iter().copied().fold(f64::MAX, f64::min), major.iter().copied().fold(0.0, f64::max));
        assert!(high > 3.0 * low, "{low} {high}");
    }
}
