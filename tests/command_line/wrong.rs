//! Wrong arguments, configuration and files: exit code 2, the key's path or the line, and what would be right.

use std::collections::BTreeMap;

use crate::run::sitrep;
use crate::world::World;

const HEADER: &str = "code,name,level,parent,department_type\nENG,England,nation,,\n";

/// Runs `check` with a file behind a key and looks for a text in what it says. `{file}` is the file's path.
fn check_file(key: &str, content: &[u8], expected: &str) {
    let world = World::new();
    let file = world.write("file", content);
    let set = format!("{key}={file}");
    let arguments = if key == "config" { ["check", "--config", &file] } else { ["check", "--set", &set] };
    let done = sitrep(&arguments);
    let expected = format!("sitrep: {}", expected.replace("{file}", &file));
    assert!(done.err.starts_with(&expected), "of {key}:\n{}is not\n{expected}", done.err);
    assert_eq!((done.code, done.text()), (2, ""), "{expected}");
}

#[test]
fn the_defaults_are_right_and_say_what_would_run() {
    let done = sitrep(&["check"]).well();
    assert_eq!(done.err, "");
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in done.text().lines() {
        let (name, what) = line.split_once("  ").expect("a name and what it is");
        said.entry(name).or_default().push(what.trim());
    }
    assert_eq!(said["windows"], ["1h, 4h, 8h, 24h, today, 7d"]);
    assert_eq!(said["measure"].len(), 16);
    assert!(said["organisations"][0].contains("1 nation, 7 region"), "{said:?}");
    assert!(said["rule"].contains(&"four-hour-type-1"), "{said:?}");
    assert!(said["horizon"][0].starts_with("14 days"), "{said:?}");
}

#[test]
fn every_figure_is_listed_with_whether_it_is_verified() {
    let done = sitrep(&["check"]).well();
    let rows = |kind: &str| -> Vec<&str> {
        let of_kind = |line: &&str| line.split("  ").next() == Some(kind);
        done.text().lines().filter(of_kind).map(|line| line[kind.len()..].trim()).collect()
    };
    for definition in &domain::measures::MEASURES {
        let name = format!("{}: ", definition.name);
        let found = rows("measure").into_iter().find(|row| row.starts_with(&name)).expect(definition.name);
        assert!(found.ends_with(&format!(": {}", definition.defined)), "{found}");
    }
    // As many rows as the files have, each with its state, and both states among them.
    let count =
        |text: &str, key: &str| text.lines().filter(|line| line.trim_start().starts_with(key)).count();
    let (standards, targets) =
        (include_str!("../../config/standards.toml"), include_str!("../../config/targets.toml"));
    let steps = targets.matches("verified = ").count();
    for (kind, expected) in [("standard", count(standards, "[[standard]]")), ("target", steps)] {
        let (rows, mut states) = (rows(kind), [0, 0]);
        for row in &rows {
            match row.rsplit(": ").next() {
                Some("verified") => states[0] += 1,
                Some("UNVERIFIED") => states[1] += 1,
                other => panic!("{other:?} of {row}"),
            }
        }
        assert_eq!(rows.len(), expected, "{kind}");
        assert!(states.iter().all(|count| *count > 0), "{kind}: {states:?}");
    }
    let frameworks = rows("framework").join("\n");
    assert!(frameworks.starts_with("acute-2023-24: OPEL 2023/24, acute, 9 parameters, levels up to 11, 22, 33, 44 (verified): UNVERIFIED\n"), "{frameworks}");
    for told in ["acute-2023-24: UNVERIFIED bands of handover", "acute-2024-26: not computed"] {
        assert!(frameworks.contains(told), "{told}: {frameworks}");
    }
}

#[test]
fn a_wrong_key_of_the_configuration_is_named() {
    for (content, expected) in [
        (
            "[http]\nlisen = \"127.0.0.1:1\"\n",
            "{file}: http.lisen: unknown field `lisen`, expected one of `listen`, `max_body`, `buffer`, `connections`, `connections_per_peer`, `writes`, `turn`, `post_events`, `body_time`, `tokens`, `token`, `tls`\n",
        ),
        ("htp = 1\n", "{file}: htp: unknown field `htp`, expected one of `data`, `organisations`,"),
        (
            "[http]\nlisten = 8080\n",
            "{file}: http.listen: write an address and a port, such as \"127.0.0.1:8080\"\n",
        ),
        ("[http]\nlisten = \"here\"\n", "{file}: http.listen: write an address and a port, such as"),
        (
            "[restate]\ndelay = \"4 hours\"\n",
            "{file}: restate.delay: \"4 hours\" is not a duration: write \"4h\", \"15m\", \"1h30m\" or \"250ms\"\n",
        ),
        (
            "[restate]\ndelay = 10\n",
            "{file}: restate.delay: invalid type: integer `10`, expected a duration such as \"4h\", ",
        ),
        ("[alert]\nmax_age = \"0s\"\n", "alert.max_age: must be at least \"1m\""),
        ("[freshness]\nsource = \"0s\"\n", "freshness.source: must be at least \"1m\"\n"),
        ("[store]\nminutes = \"0s\"\n", "store.minutes: must be at least \"1h\"\n"),
        ("[checkpoint]\nevery = \"0s\"\n", "checkpoint.every: must be at least \"100ms\"\n"),
        (
            "[restate]\nbudget = 0\n",
            "{file}: restate.budget: invalid value: integer `0`, expected a nonzero u64\n",
        ),
        (
            "[kafka.properties]\n\"group.id\" = \"x\"\n",
            "kafka.properties.group.id cannot be changed: leave it out\n",
        ),
        ("[ledger]\nhorizon = \"1m\"\n", "ledger.horizon: must be from \"1h\" to \"60d\"\n"),
        ("[http]\nmax_body = \"16MB\"\n", "{file}: http.max_body: \"16MB\" is not a size: write \"64KiB\","),
        ("[http]\nbuffer = \"8MiB\"\n", "http.buffer: must be at least http.max_body (16777216 bytes)\n"),
        (
            "[kafka]\npartitions = -1\n",
            "{file}: kafka.partitions: invalid value: integer `-1`, expected u32\n",
        ),
        ("data = 3\n", "{file}: data: invalid type: integer `3`, expected path string\n"),
        ("log = \"lowd\"\n", "log: the log filter \"lowd\" is not one, such as info or info,runtime=debug\n"),
        ("[influx]\nurl = \"nonsense\"\n", "influx.url: the store's address is wrong: "),
        ("[measures]\nwindows = []\n", "measures.windows: from 1 to 40 windows\n"),
        (
            "[measures]\nwindows = [\"4h\", \"4y\"]\n",
            "measures.windows: \"4y\" is no window: write today, 90m, 4h or 7d, at most ",
        ),
        (
            "[measures]\nexclude_disposals = [\"discharge\"]\n",
            "measures.exclude_disposals: \"discharge\" is none of admitted, died, discharged, left, streamed, transferred\n",
        ),
        ("[http\n", "{file} is not TOML: TOML parse error at line 1, column 6\n"),
        ("alert = { rules = \"/nowhere/rules.toml\" }", "/nowhere/rules.toml cannot be read: No such file"),
        ("standards = \"/nowhere/standards.toml\"", "/nowhere/standards.toml cannot be read: No such file"),
        ("organisations = \"/nowhere/orgs.csv\"", "/nowhere/orgs.csv cannot be read: No such file"),
    ] {
        check_file("config", content.as_bytes(), expected);
    }
}

#[test]
fn a_secret_is_named_in_the_configuration_and_never_said() {
    check_file(
        "config",
        b"[http]\ntoken = \"s3cret\"\n",
        "{file}: http.token: a secret is not written here but named: { env = \"NAME\" } or { file = \"/path\" }\n",
    );
    let not_set = "{file}: http.token: environment variable SITREP_NOT_SET is not set (or not UTF-8)\n";
    check_file("config", b"[http]\ntoken = { env = \"SITREP_NOT_SET\" }\n", not_set);
    let unknown = "{file}: http.token.value: unknown field `value`, expected `env` or `file`\n";
    check_file("config", b"[http]\ntoken = { value = \"s3cret\" }\n", unknown);
    let world = World::new();
    let file = world.write("token", b"s3cret\n");
    let set = format!("http.token={{ file = \"{file}\" }}");
    let done = sitrep(&["check", "--set", &set]).well();
    assert!(done.text().contains("; 1 token") && !done.text().contains("s3cret"), "{}", done.text());
}

#[test]
fn a_wrong_table_of_organisations_is_told_with_its_row() {
    let unknown = "the columns are code, name, level, parent, department_type\n";
    let with = |rows: &str| format!("{HEADER}{rows}").into_bytes();
    for (content, expected) in [
        (Vec::new(), format!("the header must hold the column code once; {unknown}")),
        (b"S1,x,site,ENG,1\n".to_vec(), format!("column 1 of the header is unknown; {unknown}")),
        (
            b"code,name,level,parent\n".to_vec(),
            format!("the header must hold the column department_type once; {unknown}"),
        ),
        (
            with("X,x,hospital,ENG,\n"),
            "row 2 (X): level \"hospital\" is none of site, service, trust, system, region, nation\n"
                .to_owned(),
        ),
        (with("X,x,trust,ENG,\nX,y,trust,ENG,\n"), "row 3: code \"X\" stands twice\n".to_owned()),
        (with("X!,x,trust,ENG,\n"), "row 2: code \"X!\" must be 1 to 16 of A–Z, a–z, 0–9 and -\n".to_owned()),
        (with("X,\"x\ty\",trust,ENG,\n"), "row 2 (X): the name holds a control character\n".to_owned()),
        (with("X,x,trust,ENX,\n"), "row 2 (X): parent \"ENX\" is not in the table\n".to_owned()),
        (
            with("X,x,trust,ENG,\nY,y,system,X,\n"),
            "row 3 (Y): a system must have a parent of a higher level\n".to_owned(),
        ),
        (with("X,x,trust,,\n"), "row 2 (X): a trust must have a parent of a higher level\n".to_owned()),
        (
            with("X,x,site,ENG,6\n"),
            "row 2 (X): department_type must be 1 to 5 for a site and empty for everything else\n".to_owned(),
        ),
        (
            with("X,x,trust,ENG,1\n"),
            "row 2 (X): department_type must be 1 to 5 for a site and empty for everything else\n".to_owned(),
        ),
        (with("X,x,trust,ENG\n"), "not a table of organisations: CSV error: record 2 (line: 3, ".to_owned()),
        (
            [HEADER.as_bytes(), b"X,\xff,trust,ENG,\n"].concat(),
            "not a table of organisations: CSV parse error: record 2 (line 3, field: 1, ".to_owned(),
        ),
    ] {
        check_file("organisations", &content, &format!("{{file}}: {expected}"));
    }
}

#[test]
fn a_wrong_rule_is_told_with_its_key() {
    let shipped = include_str!("../../config/alerts.toml");
    for (right, wrong, expected) in [
        (
            "breach = \"< 0.50\"",
            "breach = \"< 0,50\"",
            "breach: \"< 0,50\" is not a condition: write <, <=, >",
        ),
        (
            "ae_four_hour.within /",
            "ae_four_hour.wihtin /",
            "value: ae_four_hour has no field \"wihtin\": one of departed,",
        ),
        (
            "channels = [\"log\"]",
            "channels = [\"pagr\"]",
            "channels: channel \"pagr\" is not there; there are: log\n",
        ),
        ("hold = \"30m\"", "hold = \"30\"", "hold: \"30\" is not a duration: write \"4h\""),
        ("severity = ", "severety = ", "severety: unknown field `severety`, expected one of `id`,"),
        ("window = \"4h\"", "window = \"5h\"", "series.window: \"5h\" is not published: one of 1h, 4h, 8h,"),
        ("level = \"site\"", "level = \"ward\"", "level: "),
    ] {
        assert!(shipped.contains(right), "{right} is in the shipped rules");
        let expected = format!("{{file}}: rule \"four-hour-type-1\" {expected}");
        check_file("alert.rules", shipped.replacen(right, wrong, 1).as_bytes(), &expected);
    }
    check_file("alert.rules", b"[alerts\n", "{file}: alerts: TOML parse error at line 1, column 8\n");
}

#[test]
fn a_wrong_standard_is_told_with_its_key() {
    let standard = "scales = [\"opel\"]\n[[standard]]\nid = \"a\"\ntitle = \"A\"\nkind = \"share\"\nbetter = \"higher\"\n\
                    period = \"month\"\nreports = \"trust\"\ndue = 30\nsource = \"somebody\"\nverified = true\n";
    let world = World::new();
    let set = format!("standards={}", world.write("standards.toml", standard.as_bytes()));
    // The targets as shipped are of standards that this table does not have.
    let targets = format!("targets={}", world.write("targets.toml", b""));
    let done = sitrep(&["check", "--set", &set, "--set", &targets]).well();
    assert!(done.text().contains("standard        a: A "), "{}", done.text());
    for (content, expected) in [
        (
            standard.replace("share", "shore"),
            "standard \"a\" kind: \"shore\" is none of share, count, mean\n",
        ),
        (
            standard.replace("scales", "scale"),
            "standards scale: unknown field `scale`, expected `scales` or `standard`\n",
        ),
        (standard.replace("title = \"A\"\n", ""), "standard \"a\" title: missing field `title`\n"),
        (
            format!("{standard}dues = 3\n"),
            "standard \"a\" dues: unknown field `dues`, expected one of `id`, `title`,",
        ),
        (
            standard.replace("\"trust\"", "[\"RXF\", \"NOWHERE\"]"),
            "reports of the standard \"a\": \"NOWHERE\" is not a code in organisations.csv\n",
        ),
        ("scales = [".to_owned(), "standards: TOML parse error at line 1, column "),
    ] {
        check_file("standards", content.as_bytes(), &format!("{{file}}: {expected}"));
    }
}

#[test]
fn a_wrong_group_or_target_is_told_with_its_row() {
    check_file(
        "groups",
        b"group,name,member\nG,Gee,RXF\nG,Gee,NOWHERE\n",
        "{file}: row 2 (G): member \"NOWHERE\" is not in organisations.csv\n",
    );
    let targets = include_str!("../../config/targets.toml");
    let (right, wrong) = ("{ from = 2010-07-01,", "{ from = 2004-12-31,");
    assert!(targets.contains(right), "{right}");
    let overlap = "{file}: target 1 steps: step 2 begins on 2004-12-31, when step 1 still holds: steps stand by their days and share none\n";
    check_file("targets", targets.replacen(right, wrong, 1).as_bytes(), overlap);
}

#[test]
fn a_wrong_framework_is_told_with_its_parameter() {
    let shipped = include_str!("../../config/opel/acute-2023-24.toml");
    let weights = "[[weights]]\nsystem = \"QWO\"\nmembers = { RXF = 0.25, RAE = 0.5 }\nsource = \"s\"\nverified = false\n";
    let weighted = format!("{shipped}\n{weights}");
    for (right, wrong, expected) in [
        (
            "{ from = 15, to = 20,",
            "{ from = 16, to = 20,",
            "parameter \"handover\" bands: gap between 15 and 16: each band begins where",
        ),
        (
            "{ from = 15, to = 20,",
            "{ from = 14, to = 20,",
            "parameter \"handover\" bands: overlap from 14 to 15: each band begins where",
        ),
        ("RAE = 0.5", "RAE = 0.7", "weights 1 members: add up to 0.95, and must add up to 1\n"),
    ] {
        assert!(weighted.contains(right), "{right}");
        let world = World::new();
        let text = if right.starts_with("RAE") { weighted.clone() } else { shipped.to_owned() };
        let file = world.write("framework.toml", text.replacen(right, wrong, 1).as_bytes());
        let done = sitrep(&["check", "--set", &format!("opel=[\"{file}\"]")]);
        let expected = format!("sitrep: {file}: {expected}");
        assert!(done.err.starts_with(&expected), "{}is not\n{expected}", done.err);
        assert_eq!((done.code, done.text()), (2, ""), "{expected}");
    }
}

#[test]
fn a_wrong_argument_is_told_with_what_would_be_right() {
    let replay = "replay --events - --from 2026-01-01T00:00:00Z --until 2026-01-01T01:00:00Z";
    let instant = "write an instant with its offset, such as 2025-10-01T00:00:00Z\n";
    for (arguments, expected) in [
        (
            "check --set data".to_owned(),
            "--set data: write KEY=VALUE, such as http.listen=127.0.0.1:8081\n".to_owned(),
        ),
        (
            "check --set http.lisen=1".to_owned(),
            "--set: http.lisen: unknown field `lisen`, expected one of".to_owned(),
        ),
        (
            "check --config nowhere.toml".to_owned(),
            "configuration file nowhere.toml cannot be read: No such file".to_owned(),
        ),
        (
            "replay --events - --from 2026-01-01 --until 2026-01-02T00:00:00Z".to_owned(),
            format!("--from 2026-01-01: {instant}"),
        ),
        (
            "replay --events - --from 2026-01-01T00:00:00Z --until 2026-01-01T01:00:00".to_owned(),
            format!("--until 2026-01-01T01:00:00: {instant}"),
        ),
        (
            "replay --events - --from 2026-01-02T00:00:00Z --until 2026-01-01T01:00:00Z".to_owned(),
            "--until is before --from\n".to_owned(),
        ),
        (
            "aggregate --backfill --from 2026-01-02T00:00:00Z --until 2026-01-01T01:00:00Z".to_owned(),
            "--until is before --from\n".to_owned(),
        ),
        (
            "simulate --from 1999-01-01T00:00:00Z".to_owned(),
            format!("--from 1999-01-01T00:00:00Z: {instant}"),
        ),
        (
            "replay --events nowhere --from 2026-01-01T00:00:00Z --until 2026-01-01T01:00:00Z".to_owned(),
            "nowhere cannot be read: No such file".to_owned(),
        ),
        (
            format!("{replay} --step 7m"),
            "--step 7m: write minutes that divide 24 h, such as 1m, 15m or 1h\n".to_owned(),
        ),
        (format!("{replay} --step 0m"), "--step 0m: write minutes that divide".to_owned()),
        (format!("{replay} --step 30s"), "--step 30s: write minutes that divide".to_owned()),
        (
            format!("{replay} --only four_hour"),
            "--only four_hour: a replay makes no such measure; it makes ae_four_hour, ae_arrivals, "
                .to_owned(),
        ),
        (
            format!("{replay} --levels ward"),
            "--levels ward: no such level; there are site, service, trust, system, region, nation, group\n"
                .to_owned(),
        ),
        (
            format!("{replay} --windows 4"),
            "--windows: \"4\" is no window: write today, 90m, 4h or 7d".to_owned(),
        ),
        (
            "simulate --from 2026-01-01T00:00:00Z --faults fire".to_owned(),
            "--faults fire: no such fault; there are late, duplicate, disordered, corrected, void, "
                .to_owned(),
        ),
        (
            "simulate --from 2026-01-01T00:00:00Z --size nan".to_owned(),
            "size must be a number above 0 and".to_owned(),
        ),
        (
            "simulate --from 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z".to_owned(),
            "until (2026-01-01T00:00:00Z) must be after from (2026-01-02T00:00:00Z)\n".to_owned(),
        ),
        ("import nowhere.csv".to_owned(), "nowhere.csv cannot be read: No such file".to_owned()),
        ("board --store nowhere".to_owned(), "nowhere holds no store (file ".to_owned()),
    ] {
        let done = sitrep(&arguments.split(' ').collect::<Vec<_>>());
        let expected = format!("sitrep: {expected}");
        assert!(done.err.starts_with(&expected), "{arguments}:\n{}is not\n{expected}", done.err);
        assert_eq!((done.code, done.text()), (2, ""), "{arguments}");
    }
}

#[test]
fn what_clap_refuses_is_a_fault_of_usage_too() {
    let (from, until) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
    for arguments in [
        &[][..],
        &["frob"],
        &["check", "--frob"],
        &["replay"],
        &["up", "--seed", "3"],
        &["simulate"],
        // Without --backfill it would go live.
        &["aggregate", "--from", from, "--until", until],
        &["aggregate", "--partial"],
    ] {
        let done = sitrep(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.err);
        assert!(done.err.contains("Usage: sitrep"), "{}", done.err);
    }
    assert!(sitrep(&["--help"]).well().text().contains("sitrep up --demo"));
}

#[test]
fn a_place_that_cannot_be_written_is_a_failure() {
    let replay =
        ["replay", "--events", "-", "--from", "2026-01-01T00:00:00Z", "--until", "2026-01-01T01:00:00Z"];
    let done = sitrep(&[&replay[..], &["--out", "/nowhere/points"]].concat());
    assert!(
        done.err
            .ends_with("sitrep: /nowhere/points cannot be made: No such file or directory (os error 2)\n")
    );
    assert_eq!(done.code, 1);
}
