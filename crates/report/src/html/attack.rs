//! Names of the ATT&CK techniques that detectors tag (ATT&CK for ICS v19).

const NAMES: &[(&str, &str)] = &[
    ("T0806", "Brute Force I/O"),
    ("T0809", "Data Destruction"),
    ("T0814", "Denial of Service"),
    ("T0816", "Device Restart/Shutdown"),
    ("T0822", "External Remote Services"),
    ("T0830", "Adversary-in-the-Middle"),
    ("T0836", "Modify Parameter"),
    ("T0843", "Program Download"),
    ("T0845", "Program Upload"),
    ("T0846", "Remote System Discovery"),
    ("T0846.001", "Port Scan"),
    ("T0846.002", "Broadcast Discovery"),
    ("T0848", "Rogue Master"),
    ("T0849", "Masquerading"),
    ("T0858", "Change Operating Mode"),
    ("T0859", "Valid Accounts"),
    ("T0861", "Point & Tag Identification"),
    ("T0864", "Transient Cyber Asset"),
    ("T0866", "Exploitation of Remote Services"),
    ("T0869", "Standard Application Layer Protocol"),
    ("T0872", "Indicator Removal on Host"),
    ("T0878", "Alarm Suppression"),
    ("T0883", "Internet Accessible Device"),
    ("T0885", "Commonly Used Port"),
    ("T0886", "Remote Services"),
    ("T0888", "Remote System Information Discovery"),
    ("T1691.001", "Block Operational Technology Message: Command Message"),
    ("T1691.002", "Block Operational Technology Message: Reporting Message"),
    ("T1692.001", "Unauthorized Message: Command Message"),
    ("T1692.002", "Unauthorized Message: Reporting Message"),
    ("T1694.001", "Insecure Credentials: Default Credentials"),
];

/// The techniques with their names.
pub(super) fn named(ids: &[&'static str]) -> String {
    let one = |id: &&str| match NAMES.iter().find(|(known, _)| known == id) {
        Some((id, name)) => format!("{id} {name}"),
        None => (*id).to_owned(),
    };
    ids.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_a_detector_may_tag_has_its_name() {
        for id in detect::META.iter().flat_map(|m| m.attack) {
            assert!(NAMES.iter().any(|(known, _)| known == id), "`{id}`");
        }
        assert!(NAMES.is_sorted());
        assert_eq!(named(&["T0848", "T0000"]), "T0848 Rogue Master; T0000");
    }
}
