//! Admissions and waits from the decision to admit, counted from the events by plain arithmetic.

use std::collections::BTreeMap;

use domain::event::Disposal;

use super::*;

/// Of a provider: admitted by type, waited 4–12 hours, waited 12 hours or more.
type Ended = BTreeMap<String, ([u64; 3], u64, u64)>;

fn from_events(bytes: &[u8]) -> Ended {
    let mut ended = Ended::new();
    read(bytes).unwrap().events(3, &mut |event| {
        let says = attendance(&event);
        let (provider, kind) = says.site.rsplit_once("-T").expect("a derived site");
        let (from, to) = (minute(says.arrived_at), minute(says.departed_at));
        let Some(decided) = says.decided_to_admit_at.value() else {
            assert_ne!(says.disposal, Fact::Stated(Disposal::Admitted), "admitted without a decision");
            return;
        };
        let decided = decided.0 / 60;
        assert_eq!(says.disposal, Fact::Stated(Disposal::Admitted), "decided and not admitted");
        assert!(from < decided && decided < to && to - from < 72 * 60, "{} {from} {decided} {to}", event.id);
        let provider = ended.entry(provider.to_owned()).or_default();
        provider.0[kind.parse::<usize>().unwrap() - 1] += 1;
        match to - decided {
            0..=240 => {}
            241..=720 => provider.1 += 1,
            _ => provider.2 += 1,
        }
    });
    ended
}

/// As the bytes have it, without the code under test; nobody admits more than came.
fn from_bytes(bytes: &[u8]) -> (Ended, BTreeMap<(String, usize), u64>) {
    let (mut ended, mut surplus) = (Ended::new(), BTreeMap::new());
    for record in csv::Reader::from_reader(bytes).records() {
        let record = record.unwrap();
        let code = record[1].to_owned();
        let number = |index: usize| record[index].parse::<u64>().unwrap_or_default();
        if code == "TOTAL" {
            continue;
        }
        let mut admitted = [0; 3];
        for (kind, admitted) in admitted.iter_mut().enumerate() {
            *admitted = number(18 + kind).min(number(4 + kind) + number(7 + kind));
            if number(18 + kind) > *admitted {
                surplus.insert((code.clone(), kind + 1), number(18 + kind) - *admitted);
            }
        }
        if admitted != [0; 3] {
            ended.insert(code, (admitted, number(16), number(17)));
        } else {
            assert_eq!(number(16) + number(17), 0, "{code}");
        }
    }
    (ended, surplus)
}

#[test]
fn admissions_and_waits_are_those_of_the_table_where_they_fit() {
    for (bytes, admitted, waits, surplus) in [
        (
            OCTOBER,
            412_979,
            (88_420, 54_326),
            [("R0D", 2, 6), ("RD1", 3, 5), ("RDY", 3, 1), ("RJ8", 3, 11), ("RYG", 3, 14)],
        ),
        (
            NOVEMBER,
            396_715,
            (83_151, 50_648),
            [("R0D", 2, 3), ("RD1", 3, 13), ("RDY", 3, 1), ("RJ8", 3, 7), ("RYG", 3, 5)],
        ),
    ] {
        let (expected, left) = from_bytes(bytes);
        let got = from_events(bytes);
        assert_eq!(got, expected);
        let sum = |of: fn(&([u64; 3], u64, u64)) -> u64| got.values().map(of).sum::<u64>();
        assert_eq!((sum(|one| one.1), sum(|one| one.2)), waits);
        let placing = read(bytes).unwrap().placing();
        assert_eq!(placing.placed(Counted::Admissions), sum(|one| one.0.iter().sum()));
        assert_eq!(placing.placed(Counted::Admissions), admitted);
        assert_eq!(placing.placed(Counted::Waits4To12Hours), waits.0);
        assert_eq!(placing.placed(Counted::WaitsOver12Hours), waits.1);
        let unplaced: Vec<(&str, usize, u64)> = placing
            .unplaced
            .iter()
            .map(|one| (one.code.as_str(), usize::from(one.kind.unwrap().number()), one.count))
            .collect();
        assert_eq!(unplaced, surplus);
        assert_eq!(left, surplus.map(|(code, kind, count)| ((code.to_owned(), kind), count)).into());
    }
}

#[test]
fn most_admissions_are_of_those_over_four_hours() {
    let placing = read(OCTOBER).unwrap().placing();
    let sum = |of: fn(&Placed) -> u32| placing.cells.iter().map(|cell| u64::from(of(cell))).sum::<u64>();
    let (over, within) = (sum(|cell| cell.admitted_over), sum(|cell| cell.admitted_within));
    assert!(over > within && within > over / 4, "{over} {within}");
}

#[test]
fn what_fits_nowhere_is_said_to_the_last_patient() {
    // Attendances, over four hours, admissions of types 1, 2 and 3; waits of 4–12 and over 12 hours.
    for (counts, waits, placed, unplaced) in [
        // Long waits go first to the major department; what is left to the other.
        ([(10, 4, 3), (0, 0, 0), (5, 2, 2)], (1, 4), [(3, 0, 0, 3), (0, 0, 0, 0), (2, 0, 1, 1)], ""),
        // Two of four waits have nobody over four hours who was admitted.
        ([(10, 2, 10), (0, 0, 0), (9, 0, 9)], (2, 2), [(2, 8, 0, 2), (0, 0, 0, 0), (0, 9, 0, 0)], "2 4-12"),
        ([(1, 1, 0), (0, 0, 0), (0, 0, 0)], (0, 1), [(0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)], "1 12+"),
        (
            [(7, 7, 9), (3, 0, 4), (0, 0, 1)],
            (0, 0),
            [(7, 0, 0, 0), (0, 3, 0, 0), (0, 0, 0, 0)],
            "2 T1 1 T2 1 T3",
        ),
    ] {
        let columns = |of: fn(&(u32, u32, u32)) -> u32| {
            counts.iter().map(of).map(|n| n.to_string()).collect::<Vec<_>>()
        };
        let (attended, over, admitted) = (columns(|c| c.0), columns(|c| c.1), columns(|c| c.2));
        let row = format!(
            "MSitAE-OCTOBER-2025,RXF,NHS ENGLAND LONDON,NAME,{},0,0,0,{},0,0,0,{},{},{},0",
            attended.join(","),
            over.join(","),
            waits.0,
            waits.1,
            admitted.join(",")
        );
        let table = read(small(&[&row]).as_bytes()).unwrap();
        let placing = table.placing();
        let got: Vec<(u32, u32, u32, u32)> = placing
            .cells
            .iter()
            .map(|c| (c.admitted_over, c.admitted_within, c.waited_4_to_12_hours, c.waited_over_12_hours))
            .collect();
        assert_eq!(got, placed, "{row}");
        let words: Vec<String> = placing
            .unplaced
            .iter()
            .map(|one| match (one.what, one.kind) {
                (Counted::Admissions, Some(kind)) => format!("{} T{}", one.count, kind.number()),
                (Counted::Admissions, None) => panic!("admissions have a type"),
                (Counted::Waits4To12Hours, _) => format!("{} 4-12", one.count),
                (Counted::WaitsOver12Hours, _) => format!("{} 12+", one.count),
            })
            .collect();
        assert_eq!(words.join(" "), unplaced, "{row}");
        // The events agree with the plan.
        let (mut waited, mut admissions) = ((0, 0), 0);
        table.events(1, &mut |event| {
            let says = attendance(&event);
            if says.disposal == Fact::Stated(Disposal::Admitted) {
                admissions += 1;
                let wait = minute(says.departed_at) - minute(says.decided_to_admit_at);
                waited.0 += u32::from((241..=720).contains(&wait));
                waited.1 += u32::from(wait > 720);
            }
        });
        assert_eq!(u64::from(admissions as u32), placing.placed(Counted::Admissions));
        assert_eq!(u64::from(waited.0), placing.placed(Counted::Waits4To12Hours));
        assert_eq!(u64::from(waited.1), placing.placed(Counted::WaitsOver12Hours));
    }
}
