//! Restarts: the state that is saved is the state that works; nothing is told twice but what was under way.

use std::collections::BTreeSet;

use super::*;

type Disk = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn save(alerter: &mut Alerter, disk: &mut Disk) {
    for change in alerter.take_changes() {
        let place = (change.kind, change.key);
        match change.value {
            Some(value) => drop(disk.insert(place, value)),
            None => drop(disk.remove(&place)),
        }
    }
}

fn restore(disk: &Disk, rules: &str) -> Alerter {
    let pieces = disk.iter().map(|((kind, key), value)| (*kind, key.as_slice(), value.as_slice()));
    let (rules, organisations) = (testing::rules(rules), testing::organisations());
    Alerter::restore(rules, organisations, testing::config(""), testing::metrics(), pieces).unwrap()
}

type Step = Box<dyn Fn(&mut Drill)>;

/// Half an hour of trouble, one step at a time; each step is a minute or less.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (minute, letter) in "CBBuBBBBsBbBBCBCsCCCBBCBBBBBBBCCC".chars().enumerate() {
        let minute = minute as u32;
        steps.push(Box::new(move |drill: &mut Drill| {
            let (within, departed) = match letter {
                'B' | 's' => (70, 100),
                'b' => (77, 100),
                'u' => (0, 3),
                _ => (90, 100),
            };
            let mut record = four_hour("S1", M + minute, 1, within, departed);
            record.freshness.stale = letter == 's';
            drill.publish(&record);
        }));
        if minute % 7 == 3 {
            steps.push(Box::new(move |drill: &mut Drill| {
                drill.publish(&four_hour("S1", M + minute, 2, 60, 100));
            }));
        }
        match minute {
            6 => steps.push(Box::new(|drill: &mut Drill| {
                drill.answers.insert(
                    "am".to_owned(),
                    Outcome::Later { after_ms: Some(90_000), reason: String::new() },
                );
            })),
            10 => steps.push(Box::new(|drill: &mut Drill| {
                drill.answers.insert("am".to_owned(), Outcome::Refused { reason: "400".to_owned() });
            })),
            12 => steps.push(Box::new(|drill: &mut Drill| drill.answers.clear())),
            26 => steps.push(Box::new(|drill: &mut Drill| {
                if let Some(episode) = drill.alerter.open.keys().next().cloned() {
                    drill.command(Action::Acknowledge, &episode);
                }
            })),
            _ => {}
        }
        steps.push(Box::new(|drill: &mut Drill| drill.pass(20)));
    }
    steps.push(Box::new(|drill: &mut Drill| drill.pass(900)));
    steps
}

#[test]
fn a_restart_at_any_step_changes_nothing() {
    let steps = steps();
    let mut plain = Drill::new(RULES);
    for step in &steps {
        step(&mut plain);
    }
    let kinds: BTreeSet<&str> = plain.told.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(kinds.len() >= 4, "the story is worth telling: {:?}", plain.told);
    for at in 0..=steps.len() {
        let (mut drill, mut disk) = (Drill::new(RULES), Disk::new());
        for (index, step) in steps.iter().enumerate() {
            step(&mut drill);
            save(&mut drill.alerter, &mut disk);
            if index == at || at == steps.len() {
                drill.alerter = restore(&disk, RULES);
            }
        }
        assert_eq!(drill.told, plain.told, "restarted after step {at}");
        assert_eq!(drill.written, plain.written, "restarted after step {at}");
    }
}

/// Killed after step `crash` with a checkpoint of step `saved`; the log is read again from there. What was told after
/// the checkpoint is told again under the same key, and nothing else; nothing is missing.
#[test]
fn a_crash_repeats_only_what_the_checkpoint_does_not_know() {
    let steps = steps();
    let mut plain = Drill::new(RULES);
    for step in &steps {
        step(&mut plain);
    }
    for saved in (0..steps.len()).step_by(3) {
        for lost in [1, 2, 5] {
            let (mut drill, mut disk) = (Drill::new(RULES), Disk::new());
            let (mut kept, mut now_ms, mut answers) = (0, 0, BTreeMap::new());
            let crash = (saved + lost).min(steps.len() - 1);
            for (index, step) in steps[..=crash].iter().enumerate() {
                step(&mut drill);
                if index == saved {
                    save(&mut drill.alerter, &mut disk);
                    (kept, now_ms, answers) = (drill.told.len(), drill.now_ms, drill.answers.clone());
                }
            }
            let before = drill.told.split_off(kept);
            (drill.alerter, drill.now_ms, drill.answers) = (restore(&disk, RULES), now_ms, answers);
            for step in &steps[saved + 1..] {
                step(&mut drill);
            }
            assert_eq!(drill.told, plain.told, "saved {saved} lost {lost}");
            assert_eq!(drill.told[kept..kept + before.len()], before, "the same again, under the same key");
        }
    }
}

#[test]
fn what_was_under_way_is_sent_again_with_the_same_key_and_what_was_taken_is_not() {
    let (mut drill, mut disk) = (Drill::new(RULES), Disk::new());
    for minute in 0..2 {
        drill.minute(minute, 70, 100);
    }
    let now_ms = i64::from(M + 2) * 60_000 + 2_000;
    drill.alerter.on_minute(&four_hour("S1", M + 2, 1, 70, 100), now_ms);
    drill.alerter.prepare(now_ms);
    assert!(drill.alerter.has_urgent_changes(), "saved before it is sent");
    save(&mut drill.alerter, &mut disk);
    assert!(!drill.alerter.has_urgent_changes());
    let first = drill.alerter.take_due(now_ms);
    let mut again = restore(&disk, RULES);
    assert_eq!(again.tick(now_ms), first);
    again.delivered(first[0].id, &Outcome::Taken, now_ms);
    assert!(again.has_urgent_changes(), "saved soon after it was taken");
    save(&mut again, &mut disk);
    assert_eq!(restore(&disk, RULES).tick(now_ms + 1_000), []);
}

#[test]
fn transitions_are_kept_until_the_topic_has_them() {
    let (mut alerter, mut disk) = (alerter(RULES), Disk::new());
    let now_ms = i64::from(M) * 60_000;
    alerter.on_minute(&four_hour("S1", M, 1, 70, 100), now_ms);
    save(&mut alerter, &mut disk);
    let mut again = restore(&disk, RULES);
    assert_eq!(
        again.records().map(|(number, record)| (number, record.to.as_str())).collect::<Vec<_>>(),
        [(1, "pending")]
    );
    again.recorded(1);
    save(&mut again, &mut disk);
    let mut again = restore(&disk, RULES);
    assert_eq!(again.records().count(), 0);
    again.on_minute(&four_hour("S1", M + 1, 1, 90, 100), now_ms + 60_000);
    assert_eq!(again.records().map(|(number, _)| number).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_withdrawn_rule_or_organisation_ends_its_episodes_and_an_edited_rule_does_not() {
    let edited = RULES.replace("summary = \"", "summary = \"new ").replace("hold = \"2m\"", "hold = \"9m\"");
    let edited = edited.replace("severity = \"warning\"", "severity = \"page\"");
    for (rules, told, last) in [
        (edited, vec![], "3 pending>firing 0.700"),
        (
            RULES.replace("id = \"low\"", "id = \"other\""),
            vec!["am resolved 2 0.700"],
            "3 firing>withdrawn 0.700",
        ),
        (
            RULES.replace("level = \"site\"", "level = \"site\"\norgs = [\"S2\"]"),
            vec!["am resolved 2 0.700"],
            "3 firing>withdrawn 0.700",
        ),
        (
            RULES.replace("window = \"4h\"", "window = \"8h\""),
            vec!["am resolved 2 0.700"],
            "3 firing>withdrawn 0.700",
        ),
    ] {
        let mut disk = Disk::new();
        let mut drill = firing();
        save(&mut drill.alerter, &mut disk);
        drill.alerter = restore(&disk, &rules);
        drill.pass(1);
        assert_eq!(drill.told(), told);
        assert_eq!(drill.written.last().unwrap(), last);
        save(&mut drill.alerter, &mut disk);
        drill.alerter = restore(&disk, &rules);
        drill.pass(1);
        assert_eq!(drill.told(), [""; 0], "once");
    }
}

#[test]
fn the_labels_of_an_open_episode_survive_an_edit() {
    let mut disk = Disk::new();
    let mut drill = firing();
    save(&mut drill.alerter, &mut disk);
    let edited =
        RULES.replace("severity = \"warning\"", "severity = \"page\"").replace("({within}", "NEW ({within}");
    let mut alerter = restore(&disk, &edited);
    let mut notices = Vec::new();
    for minute in 4..20 {
        let now_ms = i64::from(M + minute) * 60_000 + 2_000;
        alerter.on_minute(&four_hour("S1", M + minute, 1, 71, 100), now_ms);
        for delivery in alerter.tick(now_ms) {
            alerter.delivered(delivery.id, &Outcome::Taken, now_ms);
            notices.push(delivery.notice);
        }
    }
    assert!(!notices.is_empty());
    for notice in notices {
        assert_eq!(notice.severity.as_str(), "warning");
        assert!(notice.summary.contains("NEW"), "the words are the new ones: {}", notice.summary);
    }
}

#[test]
fn a_piece_that_cannot_be_read_is_an_error_and_no_panic() {
    let mut drill = firing();
    let mut disk = Disk::new();
    save(&mut drill.alerter, &mut disk);
    let keys: Vec<(u8, Vec<u8>)> = disk.keys().cloned().collect();
    assert!(keys.len() >= 2);
    let restored = |disk: &Disk| {
        let pieces = disk.iter().map(|((kind, key), value)| (*kind, key.as_slice(), value.as_slice()));
        let (rules, organisations) = (testing::rules(RULES), testing::organisations());
        Alerter::restore(rules, organisations, testing::config(""), testing::metrics(), pieces).map(|_| ())
    };
    for key in keys {
        let value = disk[&key].clone();
        for cut in 0..value.len() {
            disk.insert(key.clone(), value[..cut].to_vec());
            assert!(restored(&disk).is_err(), "{key:?} cut at {cut}");
        }
        disk.insert(key, value);
    }
    disk.insert((9, vec![]), vec![]);
    let message = restored(&disk).unwrap_err().to_string();
    assert!(message.ends_with("(kind 9) cannot be read: a newer version wrote it"), "{message}");
}

#[test]
fn after_a_save_that_failed_everything_is_saved() {
    let mut drill = firing();
    let (mut all, mut disk) = (Disk::new(), Disk::new());
    save(&mut drill.alerter, &mut all);
    drill.alerter.mark_all_changed();
    save(&mut drill.alerter, &mut disk);
    all.retain(|_, value| !value.is_empty());
    assert_eq!(disk, all);
}
