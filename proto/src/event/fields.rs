//! The fields of an event: each name (JSON) with its number (protobuf), once. The order is that of the tables in
//! spec 1, which also decides ties of stamps; a number is never changed or used again.

/// The fields of one object of an event.
pub(crate) trait Field: Copy {
    /// Every field with its number.
    const ALL: &'static [(u32, &'static str)];
    /// Bits of the numbers that must be there.
    const KEYS: u64;
    /// Bits of the numbers of which at least one must be there; 0: there are none.
    const FACTS: u64;
    /// What is wrong where none of them is there.
    const NO_FACT: &'static str;

    /// The field of that name.
    fn from_name(name: &str) -> Option<Self>;
    /// The field of that number.
    fn from_number(number: u32) -> Option<Self>;
    /// Its number, 1 to 62.
    fn number(self) -> u32;
    /// Its name.
    fn name(self) -> &'static str;
}

/// The number of the list of retracted facts.
pub(crate) const RETRACTED: u32 = 63;

macro_rules! fields {
    ($(#[$doc:meta])* $set:ident, $no_fact:literal,
     keys { $($key:ident = $key_number:literal $key_name:literal),* $(,)? }
     facts { $($fact:ident = $fact_number:literal $fact_name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $set { $($key,)* $($fact,)* }

        impl Field for $set {
            const ALL: &'static [(u32, &'static str)] =
                &[$(($key_number, $key_name),)* $(($fact_number, $fact_name),)*];
            const KEYS: u64 = 0 $(| 1 << $key_number)*;
            const FACTS: u64 = 0 $(| 1 << $fact_number)*;
            const NO_FACT: &'static str = $no_fact;

            #[inline]
            fn from_name(name: &str) -> Option<$set> {
                match name {
                    $($key_name => Some($set::$key),)*
                    $($fact_name => Some($set::$fact),)*
                    _ => None,
                }
            }

            #[inline]
            fn from_number(number: u32) -> Option<$set> {
                match number {
                    $($key_number => Some($set::$key),)*
                    $($fact_number => Some($set::$fact),)*
                    _ => None,
                }
            }

            #[inline]
            fn number(self) -> u32 {
                match self { $($set::$key => $key_number,)* $($set::$fact => $fact_number,)* }
            }

            fn name(self) -> &'static str {
                match self { $($set::$key => $key_name,)* $($set::$fact => $fact_name,)* }
            }
        }
    };
}

fields! {
    /// Of an event.
    EventField, "exactly one of attendance, ambulance, beds, standard, escalation, heartbeat must be there",
    keys { Id = 1 "id", Source = 2 "source", RecordedAt = 3 "recorded_at" }
    facts {
        Attendance = 4 "attendance", Ambulance = 5 "ambulance", Beds = 6 "beds", Standard = 7 "standard",
        Escalation = 8 "escalation", Heartbeat = 9 "heartbeat",
    }
}

fields! {
    /// Of an attendance (spec 1.2).
    AttendanceField, "states no fact: at least one beside site and ref must be there",
    keys { Site = 1 "site", Reference = 2 "ref" }
    facts {
        DepartmentType = 3 "department_type", Planned = 4 "planned", Child = 5 "child", Acuity = 6 "acuity",
        ArrivalMode = 7 "arrival_mode", Ambulance = 8 "ambulance", ArrivedAt = 9 "arrived_at",
        AssessedAt = 10 "assessed_at", TreatedAt = 11 "treated_at", ReferredAt = 12 "referred_at",
        DecidedToAdmitAt = 13 "decided_to_admit_at", ClockStoppedAt = 14 "clock_stopped_at",
        DepartedAt = 15 "departed_at", Disposal = 16 "disposal", Location = 17 "location", Void = 18 "void",
    }
}

fields! {
    /// Of the journey that an attendance names.
    JourneyNameField, "",
    keys { Service = 1 "service", Reference = 2 "ref" }
    facts {}
}

fields! {
    /// Of a move within the department.
    LocationField, "",
    keys { Area = 1 "area", Since = 2 "since" }
    facts {}
}

fields! {
    /// Of an ambulance journey (spec 1.3).
    JourneyField, "states no fact: at least one beside service and ref must be there",
    keys { Service = 1 "service", Reference = 2 "ref" }
    facts {
        Category = 3 "category", CallAt = 4 "call_at", ClockStartedAt = 5 "clock_started_at",
        RespondedAt = 6 "responded_at", Destination = 7 "destination", ArrivedAt = 8 "arrived_at",
        HandedOverAt = 9 "handed_over_at", ClearedAt = 10 "cleared_at", Void = 11 "void",
    }
}

fields! {
    /// Of a bed state (spec 1.4).
    BedsField, "states no fact: at least one beside site and as_of must be there",
    keys { Site = 1 "site", AsOf = 2 "as_of" }
    facts {
        Open = 3 "open", Occupied = 4 "occupied", EscalationOpen = 5 "escalation_open",
        NoCriteriaToReside = 6 "no_criteria_to_reside",
    }
}

fields! {
    /// Of a return for a periodic standard (spec 1.5).
    ReturnField, "states no fact: at least one beside standard, org and period_start must be there",
    keys { Standard = 1 "standard", Org = 2 "org", PeriodStart = 3 "period_start" }
    facts { Met = 4 "met", Total = 5 "total", Count = 6 "count", TotalS = 7 "total_s", P90S = 8 "p90_s" }
}

fields! {
    /// Of a declared escalation (spec 1.6).
    EscalationField, "states no fact: level must be there, a number or null",
    keys { Org = 1 "org", Scale = 2 "scale", Since = 3 "since" }
    facts { Level = 4 "level" }
}

fields! {
    /// Of a heartbeat: none.
    HeartbeatField, "",
    keys {}
    facts {}
}
