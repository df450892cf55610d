//! What people ask of episodes (spec 3.0, 4.2). Each command may come twice.

use contract::alert::{Action, AlertRecord, Command, Silence};
use domain::alert::outbox::Kind;

use super::{Alerter, Watch, WatchKey, state};
use crate::metrics::CommandOutcome;

impl Alerter {
    /// Takes a record of the alerts topic, read at `now_ms` (wall clock, Unix milliseconds). Transitions are our own and
    /// change nothing.
    pub fn on_record(&mut self, record: &AlertRecord, now_ms: i64) {
        let is_done = match record {
            AlertRecord::Transition(_) => return,
            AlertRecord::Command(command) => self.command(command, now_ms),
            AlertRecord::Silence(silence) => self.silence(silence, now_ms),
        };
        let outcome = if is_done { CommandOutcome::Done } else { CommandOutcome::NoEffect };
        self.metrics.commands.of(outcome).inc();
    }

    fn command(&mut self, command: &Command, now_ms: i64) -> bool {
        let Some(key) = self.open.get(&command.episode).cloned() else { return false };
        let Some(mut watch) = self.taken(&key) else { return false };
        let is_done = match command.action {
            Action::Acknowledge => self.acknowledge(&key, &mut watch, &command.by, now_ms),
            Action::Close => self.close(&key, &mut watch, &command.by, now_ms),
        };
        self.put_back(key, watch);
        is_done
    }

    fn acknowledge(&mut self, key: &WatchKey, watch: &mut Watch, by: &str, now_ms: i64) -> bool {
        let Some(mut episode) = watch.episode.take_if(|episode| episode.acknowledged_by.is_none()) else {
            return false;
        };
        episode.acknowledged_by = Some(by.to_owned());
        let same = state(watch.track.now);
        self.write_record(key, watch, &episode.key, (same, same), by, now_ms);
        if !self.is_silenced(key, now_ms) {
            for channel in episode.told.iter().map(|told| told.channel.clone()).collect::<Vec<_>>() {
                self.tell(key, watch, &mut episode, Kind::Acknowledged, &channel, now_ms);
            }
        }
        watch.episode = Some(episode);
        true
    }

    fn close(&mut self, key: &WatchKey, watch: &mut Watch, by: &str, now_ms: i64) -> bool {
        let newest_ms = watch.track.newest.map_or(0, |minute| i64::from(minute.0) * 60_000);
        let is_silent = now_ms.saturating_sub(newest_ms) > self.config.max_age.as_ms();
        let was = watch.track.now;
        let Some(transition) = watch.track.close(is_silent) else { return false };
        self.happened(key, watch, was, transition, by, now_ms);
        true
    }

    fn silence(&mut self, silence: &Silence, now_ms: i64) -> bool {
        let is_useless = silence.until.0 <= now_ms || self.silences.contains(silence);
        if is_useless || self.silences.len() >= self.config.silences {
            return false;
        }
        self.silences.push(silence.clone());
        self.changed.common = true;
        self.changed.urgent = true;
        true
    }
}
