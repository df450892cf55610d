use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Whole {
    http: Http,
    rules: Vec<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Http {
    port: u16,
    max_body: Bytes,
    time_out: Duration,
    token: Option<Secret>,
}

const DEFAULTS: &str = "rules = [1, 2]\n[http]\nport = 8080\nmax_body = \"16MiB\"\ntime_out = \"1m30s\"\n";

fn with(file: &str) -> Result<Whole, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sitrep.toml");
    std::fs::write(&path, file).unwrap();
    load(DEFAULTS, Some(&path), &[])
}

/// The error without the folder of the file.
fn error(file: &str) -> String {
    let text = with(file).unwrap_err().to_string();
    text[text.find("sitrep.toml").unwrap()..].to_owned()
}

#[test]
fn a_file_is_laid_over_the_defaults_table_by_table() {
    let whole = with("rules = [7]\n[http]\nport = 9\n").unwrap();
    let http = Http {
        port: 9,
        max_body: Bytes(16 << 20),
        time_out: Duration(time::Duration::from_secs(90)),
        token: None,
    };
    assert_eq!(whole, Whole { http, rules: vec![7] });
}

#[test]
fn overrides_come_last_and_are_toml_values_or_text() {
    let over = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        load::<Whole>(DEFAULTS, None, &pairs)
    };
    let whole =
        over(&[("http.port", "7"), ("rules", "[]"), ("http.max_body", "1KiB"), ("http.time_out", "\"2s\"")])
            .unwrap();
    assert_eq!((whole.http.port, whole.rules.len(), whole.http.max_body), (7, 0, Bytes(1024)));
    assert_eq!(whole.http.time_out.as_ms(), 2_000);
    let wrong = over(&[("http.prot", "7")]).unwrap_err().to_string();
    assert!(wrong.starts_with("--set: http.prot: unknown field"), "{wrong}");
    let wrong = over(&[("rules", "[1, 300]")]).unwrap_err().to_string();
    assert!(wrong.starts_with("--set: rules[1]: "), "{wrong}");
}

#[test]
fn an_error_names_the_key_and_what_would_be_right() {
    for (file, expected) in [
        (
            "[http]\nprot = 1\n",
            "sitrep.toml: http.prot: unknown field `prot`, expected one of `port`, `max_body`, `time_out`, `token`",
        ),
        ("colour = 1\n", "sitrep.toml: colour: unknown field `colour`, expected `http` or `rules`"),
        ("[http]\nport = \"x\"\n", "sitrep.toml: http.port: invalid type: string \"x\", expected u16"),
        ("[http]\nport = 70000\n", "sitrep.toml: http.port: invalid value: integer `70000`, expected u16"),
        ("rules = [1, 300]\n", "sitrep.toml: rules[1]: invalid value: integer `300`, expected u8"),
        ("http = 3\n", "sitrep.toml: http: invalid type: integer `3`, expected struct Http"),
        (
            "[http]\nmax_body = \"16MB\"\n",
            "sitrep.toml: http.max_body: \"16MB\" is not a size: write \"64KiB\", \"16MiB\" or \"1GiB\"",
        ),
        (
            "[http]\ntime_out = \"4 h\"\n",
            "sitrep.toml: http.time_out: \"4 h\" is not a duration: write \"4h\", \"15m\", \"1h30m\" or \"250ms\"",
        ),
        (
            "[http]\ntime_out = 4\n",
            "sitrep.toml: http.time_out: invalid type: integer `4`, expected a duration such as \"4h\", \"15m\", \"1h30m\" or \"250ms\"",
        ),
        ("[http.token]\n", "sitrep.toml: http.token: a secret is { env = \"NAME\" } or { file = \"/path\" }"),
        (
            "[http.token]\nvalue = \"abc\"\n",
            "sitrep.toml: http.token.value: unknown field `value`, expected `env` or `file`",
        ),
        (
            "[http.token]\nenv = \"SITREP_NOT_SET\"\n",
            "sitrep.toml: http.token: environment variable SITREP_NOT_SET is not set (or not UTF-8)",
        ),
    ] {
        assert_eq!(error(file), expected, "for {file:?}");
    }
    let missing = load::<Whole>("[http]\nport = 1\n", None, &[]).unwrap_err().to_string();
    assert_eq!(missing, "the built-in defaults: http.max_body: missing field `max_body`");
}

#[test]
fn what_is_not_toml_is_said_with_its_line() {
    let text = error("[http]\nport = \n");
    assert!(text.starts_with("sitrep.toml is not TOML: ") && text.contains("line 2"), "{text}");
    let missing = load::<Whole>(DEFAULTS, Some(Path::new("/nowhere/sitrep.toml")), &[]).unwrap_err();
    assert_eq!(missing.to_string(), "configuration file /nowhere/sitrep.toml cannot be read");
}

#[test]
fn durations_and_sizes() {
    for (text, millis) in
        [("0s", 0), ("250ms", 250), ("4h", 14_400_000), ("1d2h3m4s5ms", 93_784_005), ("14d", 1_209_600_000)]
    {
        assert_eq!(text.parse::<Duration>().map(Duration::as_ms), Ok(millis), "{text}");
    }
    for text in
        ["", "4", "h", "4 h", "-4h", "4h ", "4y", "1.5h", "99999999999999999999s", "9999999999999999d", "4H"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text:?}");
    }
    for (text, bytes) in [("0B", 0), ("64KiB", 65_536), ("16MiB", 16_777_216), ("2GiB", 2_147_483_648)] {
        assert_eq!(text.parse::<Bytes>(), Ok(Bytes(bytes)), "{text}");
    }
    for text in ["", "1", "MiB", "1MB", "1 MiB", "1MiB2KiB", "99999999999GiB", "-1B"] {
        assert!(text.parse::<Bytes>().is_err(), "{text:?}");
    }
}

#[test]
fn a_secret_comes_from_a_file_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "hush \r\n").unwrap();
    let whole = with(&format!("[http.token]\nfile = {:?}\n", path)).unwrap();
    let token = whole.http.token.as_ref().unwrap();
    assert_eq!(token.expose(), "hush ");
    assert!(!format!("{whole:?}").contains("hush"));
    std::fs::write(&path, "\n").unwrap();
    assert!(
        error(&format!("[http.token]\nfile = {:?}\n", path)).ends_with("http.token: the secret is empty")
    );
}
