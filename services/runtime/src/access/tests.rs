//! Tokens and what they open.

use super::*;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap());
    headers
}

fn bearing(token: &str) -> HeaderMap {
    headers("authorization", &format!("Bearer {token}"))
}

fn known(code: &str) -> bool {
    ["ENG", "RXF", "RXF05"].contains(&code)
}

fn access(single: Option<&str>, file: &Path, address: &str) -> Result<Access, AccessError> {
    let metrics = AccessMetrics::new(&Registry::new()).unwrap();
    Access::new(Sources { single, file, address: address.parse().unwrap() }, known, metrics)
}

fn single(token: &str) -> Access {
    access(Some(token), Path::new(""), "0.0.0.0").unwrap()
}

fn row(token: &str, more: &str) -> String {
    format!("[[token]]\nname = \"who\"\nsha256 = \"{}\"\n{more}\n", digest_hex(token))
}

const SENDER: &str = "sources = [\"rxf.*\", \"cad\"]\norgs = [\"RXF\"]";

#[test]
fn only_the_token_opens_the_door() {
    let access = single("s3cret");
    for good in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret "] {
        let grant = access.check(&headers("authorization", good), Scope::Events).unwrap();
        assert!(grant.speaks_as("any") && grant.speaks_for_all() && grant.scopes == Scope::ALL, "{good}");
    }
    for bad in
        ["Bearer s3cre", "Bearer s3crett", "Bearer ", "Bearer", "s3cret", "Basic s3cret", "Token s3cret", ""]
    {
        let denied = access.check(&headers("authorization", bad), Scope::Events).unwrap_err();
        assert_eq!(denied, Denied::Unknown, "{bad}");
    }
    assert_eq!(access.check(&HeaderMap::new(), Scope::Events).unwrap_err(), Denied::Unknown);
    assert_eq!(format!("{access:?}"), "Access { tokens: 1, .. }");
}

#[test]
fn without_a_token_only_this_machine_may_ask_and_no_page_in_its_browser() {
    let none = Path::new("");
    for address in ["127.0.0.1", "127.9.9.9", "::1"] {
        let access = access(None, none, address).unwrap();
        assert!(access.check(&HeaderMap::new(), Scope::Alerts).is_ok());
        for origin in ["https://elsewhere.example", "null"] {
            let denied = access.check(&headers("origin", origin), Scope::Events).unwrap_err();
            assert_eq!(denied, Denied::FromAPage);
        }
    }
    for address in ["0.0.0.0", "::", "10.0.0.1"] {
        assert!(matches!(access(None, none, address), Err(AccessError::NoToken(_))));
        assert!(matches!(access(Some(""), none, address), Err(AccessError::NoToken(_))));
    }
}

#[test]
fn a_token_of_the_file_opens_what_its_row_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let rows = [
        row("one", SENDER),
        row("two", "scopes = [\"alerts\"]"),
        row("three", "sources = [\"*\"]\norgs = [\"*\"]\nscopes = [\"events\", \"alerts\"]"),
    ];
    std::fs::write(&file, rows.concat()).unwrap();
    let access = access(None, &file, "0.0.0.0").unwrap();
    let one = access.check(&bearing("one"), Scope::Events).unwrap();
    for (source, speaks) in [("rxf.epr", true), ("rxf.", true), ("cad", true), ("cad2", false), ("rx", false)]
    {
        assert_eq!(one.speaks_as(source), speaks, "{source}");
    }
    for (path, speaks) in
        [(&["ENG", "RXF", "RXF05"][..], true), (&["RXF"], true), (&["ENG"], false), (&[], false)]
    {
        assert_eq!(one.speaks_for(path.iter().copied()), speaks, "{path:?}");
    }
    assert_eq!(access.check(&bearing("one"), Scope::Alerts).unwrap_err(), Denied::NotForThis(Scope::Alerts));
    assert_eq!(access.check(&bearing("two"), Scope::Events).unwrap_err(), Denied::NotForThis(Scope::Events));
    assert!(access.check(&bearing("two"), Scope::Alerts).is_ok());
    assert!(access.check(&bearing("three"), Scope::Events).unwrap().speaks_for(std::iter::empty()));
    for unknown in ["four", "", "ONE"] {
        assert_eq!(access.check(&bearing(unknown), Scope::Events).unwrap_err(), Denied::Unknown);
    }
    // The digest is no token.
    assert!(access.check(&bearing(&digest_hex("one")), Scope::Events).is_err());
    // A file, even without tokens, is no open door.
    std::fs::write(&file, "token = []").unwrap();
    access.look();
    assert_eq!(access.check(&bearing("one"), Scope::Events).unwrap_err(), Denied::Unknown);
    assert_eq!(access.check(&HeaderMap::new(), Scope::Events).unwrap_err(), Denied::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_without_a_restart_and_a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, row("old", SENDER)).unwrap();
    let access = access(None, &file, "127.0.0.1").unwrap();
    let shutdown = Shutdown::new();
    let watching = tokio::spawn(access.clone().watch(shutdown.clone()));
    let opens = |token: &str| access.check(&bearing(token), Scope::Events).is_ok();
    let failures = || access.0.metrics.failures.get();
    let looked = async || tokio::time::sleep(LOOK * 2).await;

    std::fs::write(&file, row("old", SENDER) + &row("new", SENDER)).unwrap();
    looked().await;
    assert!(opens("old") && opens("new"));
    std::fs::write(&file, row("new", SENDER)).unwrap();
    looked().await;
    assert!(!opens("old") && opens("new") && failures() == 0);
    std::fs::write(&file, "[[token]]\nname = ").unwrap();
    looked().await;
    assert!(opens("new") && failures() > 0);
    // An editor empties a file before it writes it.
    for blank in ["", " \n\n", "# tokens of the trust\n"] {
        let before = failures();
        std::fs::write(&file, blank).unwrap();
        looked().await;
        assert!(opens("new") && failures() > before, "{blank:?}");
    }
    std::fs::remove_file(&file).unwrap();
    looked().await;
    assert!(opens("new"));
    std::fs::write(&file, row("newest", SENDER)).unwrap();
    looked().await;
    assert!(opens("newest") && !opens("new"));
    std::fs::write(&file, "token = []").unwrap();
    looked().await;
    assert!(!opens("newest"));
    shutdown.begin();
    watching.await.unwrap();
}

#[test]
fn a_wrong_file_is_told_with_its_place_and_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let secret = "SECRET9434765919";
    for (text, expected) in [
        (row("a", ""), "token 1 (\"who\"): sources and orgs: "),
        (row("a", SENDER) + &row("a", SENDER), "token 2 (\"who\"): the same sha256"),
        (row("a", "sources = [\"RXF\"]\norgs = [\"*\"]"), "sources: \"RXF\" is no source"),
        (row("a", "sources = [\"a*b\"]\norgs = [\"*\"]"), "sources: "),
        (row("a", "sources = [\"a\"]\norgs = [\"NOPE\"]"), "orgs: \"NOPE\" is not in organisations.csv"),
        (row("a", &format!("{SENDER}\nscopes = [\"admin\"]")), "token[0].scopes[0]: unknown variant"),
        (row("a", &format!("{SENDER}\ntoken = \"{secret}\"")), "token[0].token: unknown field"),
        (format!("[[token]]\nname = \"x\"\nsha256 = \"{secret}\""), "token[0].sha256: write the 64 digits"),
        (row("a", SENDER).replace("who", ""), "name: write"),
        (format!("[[token]]\n{secret}"), "line 2: "),
        ("token = 1".to_owned(), "token: invalid type"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let error = access(None, &file, "127.0.0.1").unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
        assert!(!error.contains(secret), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(access(None, &file, "127.0.0.1"), Err(AccessError::Unreadable { .. })));
}
