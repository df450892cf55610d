//! What a token may say of what.

use super::*;

/// Rows of tokens, and what each may say of what.
#[tokio::test]
async fn a_token_says_only_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let row = |name: &str, more: &str| {
        let digest = digest_hex(name);
        format!("[[token]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n{more}\n")
    };
    let rows = [
        row("trust", "sources = [\"rxf.epr\"]\norgs = [\"RXF\"]"),
        row("service", "sources = [\"rxf.*\"]\norgs = [\"RX8\"]"),
        row("other source", "sources = [\"rxf.pas\"]\norgs = [\"*\"]"),
        row("nation", "sources = [\"*\"]\norgs = [\"ENG\"]"),
        row("all", "sources = [\"*\"]\norgs = [\"*\"]"),
        row("alerts", "scopes = [\"alerts\"]"),
    ];
    std::fs::write(&file, rows.concat()).unwrap();
    let at = "2026-11-21T14:05:00Z";
    let attendance = |site: &str| json!({"attendance": {"site": site, "ref": "A", "arrived_at": at}});
    let journey = json!({"ambulance": {"service": "RX8", "ref": "J", "destination": "RXF05"}});
    let mentions =
        json!({"attendance": {"site": "RXF05", "ref": "A", "ambulance": {"service": "RX8", "ref": "J"}}});
    let beds = json!({"beds": {"site": "RXF05", "as_of": at, "open": 1}});
    let national = json!({"escalation": {"org": "ENG", "scale": "opel", "since": at, "level": 3}});
    let own = json!({"escalation": {"org": "RXF", "scale": "opel", "since": at, "level": 3}});
    let (denied, unknown) = (Some("not_allowed"), Some("unknown_place"));
    for (statement, of_trust, of_service, of_nation) in [
        (attendance("RXF05"), None, denied, None),
        (attendance("NOPE"), denied, denied, denied),
        (journey, denied, None, None),
        (mentions, None, denied, None),
        (beds, None, denied, None),
        (national, denied, denied, None),
        (own, None, denied, None),
        (json!({"heartbeat": {}}), None, None, None),
    ] {
        for (token, expected) in [
            ("trust", of_trust),
            ("service", of_service),
            ("nation", of_nation),
            ("other source", denied),
            ("all", if statement == attendance("NOPE") { unknown } else { None }),
        ] {
            let mut door = door();
            let access = access(None, &file, &Registry::new());
            door.let_in(access);
            let bearer = format!("Bearer {token}");
            let headers = [JSON, ("authorization", bearer.as_str())];
            let (status, _, answer) = door.send(&headers, event(1, statement.clone())).await;
            assert_eq!(status, 200, "{token} {statement}");
            let reason = answer["refused"][0]["reason"].as_str();
            assert_eq!(reason, expected, "{token} {statement}");
            if reason == denied && token != "other source" {
                // A misspelt code is not looked for among permissions.
                let detail = answer["refused"][0]["detail"].as_str().unwrap();
                let misspelt = statement == attendance("NOPE");
                assert_eq!(detail.contains("is not in organisations.csv"), misspelt, "{detail}");
            }
            assert_eq!(door.refusals().len(), usize::from(expected.is_some()));
        }
    }
    let mut door = door();
    door.let_in(access(None, &file, &Registry::new()));
    for (bearer, status) in [("Bearer alerts", 403), ("Bearer nobody", 401)] {
        let (answered, ..) = door.send(&[JSON, ("authorization", bearer)], arrival(1)).await;
        assert_eq!(answered, status, "{bearer}");
    }
    assert_eq!(door.appended(), []);
}
