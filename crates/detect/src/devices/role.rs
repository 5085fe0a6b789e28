//! Roles that follow from behaviour, and the level of the plant that they speak for.

use std::collections::BTreeSet;

use gwcore::OpClass;

use super::{Level, Seen};

/// What only engineering does to a device, in words; reading and operating are not among it.
pub(super) fn engineering(class: OpClass) -> Option<&'static str> {
    Some(match class {
        OpClass::Download => "transfers files or programs to devices",
        OpClass::Upload => "transfers files or programs from devices",
        OpClass::Delete => "deletes files of devices",
        OpClass::Mode => "starts and stops programs",
        _ => return None,
    })
}

/// The roles: those told by protocols, and those that follow.
pub(super) fn roles(seen: &Seen, is_router: bool) -> BTreeSet<&'static str> {
    let mut roles = seen.roles.clone();
    if is_router {
        roles.insert("router");
    }
    if !seen.engineering.is_empty() {
        roles.insert("engineering_station");
    }
    let has = |side: &str| seen.protocols.iter().any(|p| p.ends_with(side));
    if has(" server") {
        roles.insert("server");
    }
    if has(" client") {
        roles.insert("client");
    }
    roles
}

/// The level of the Purdue model: field devices 1, those that poll them 2, engineering and what only serves them 3, the internet 5.
pub(super) fn level(roles: &BTreeSet<&'static str>, seen: &Seen, outside: bool) -> Option<Level> {
    let say = |level, reason: String| Some(Level { level, reason });
    let (master, outstation) = (roles.contains("master"), roles.contains("outstation"));
    if outside {
        return say(5, "has an internet address".into());
    }
    if master && outstation && seen.masters.is_empty() && seen.outstations.is_empty() {
        // It speaks to itself alone.
        return None;
    }
    if master && outstation {
        let (above, below) = (masters(seen.masters.len()), devices(seen.outstations.len()));
        return say(2, format!("is a gateway: answers {above} and polls {below}"));
    }
    if outstation {
        return say(1, format!("answers {} as outstation", masters(seen.masters.len())));
    }
    if roles.contains("publisher") {
        return say(1, "publishes measurements or states on the segment".into());
    }
    if !seen.engineering.is_empty() {
        let deeds: Vec<&str> = seen.engineering.iter().copied().collect();
        return say(3, format!("engineers: {}", deeds.join(", ")));
    }
    if master {
        return say(2, format!("polls or commands {}", devices(seen.outstations.len())));
    }
    None
}

fn devices(n: usize) -> String {
    if n == 1 { "one device".into() } else { format!("{n} devices") }
}

fn masters(n: usize) -> String {
    if n == 1 { "one master".into() } else { format!("{n} masters") }
}
