//! ATT&CK for ICS: which tactic a technique belongs to, in the order in which an intrusion usually goes (specs/attack-ics.md, v19).

/// A tactic, from the first foothold to the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tactic {
    /// TA0108.
    InitialAccess,
    /// TA0104.
    Execution,
    /// TA0110.
    Persistence,
    /// TA0111.
    PrivilegeEscalation,
    /// TA0103.
    Evasion,
    /// TA0102.
    Discovery,
    /// TA0109.
    LateralMovement,
    /// TA0100.
    Collection,
    /// TA0101.
    CommandAndControl,
    /// TA0107.
    InhibitResponse,
    /// TA0106.
    ImpairControl,
    /// TA0105.
    Impact,
}

impl Tactic {
    /// Id and name as MITRE gives them.
    pub fn named(self) -> (&'static str, &'static str) {
        match self {
            Tactic::InitialAccess => ("TA0108", "Initial Access"),
            Tactic::Execution => ("TA0104", "Execution"),
            Tactic::Persistence => ("TA0110", "Persistence"),
            Tactic::PrivilegeEscalation => ("TA0111", "Privilege Escalation"),
            Tactic::Evasion => ("TA0103", "Evasion"),
            Tactic::Discovery => ("TA0102", "Discovery"),
            Tactic::LateralMovement => ("TA0109", "Lateral Movement"),
            Tactic::Collection => ("TA0100", "Collection"),
            Tactic::CommandAndControl => ("TA0101", "Command and Control"),
            Tactic::InhibitResponse => ("TA0107", "Inhibit Response Function"),
            Tactic::ImpairControl => ("TA0106", "Impair Process Control"),
            Tactic::Impact => ("TA0105", "Impact"),
        }
    }
}

/// Name and tactic of a technique; of several tactics the first that MITRE lists, except
/// unauthorised messages, which count as impairing control, not as evasion. None for an id that is not in the table.
pub fn technique(id: &str) -> Option<(&'static str, Tactic)> {
    let at = TECHNIQUES.binary_search_by(|t| t.0.cmp(id)).ok()?;
    Some((TECHNIQUES[at].1, TECHNIQUES[at].2))
}

/// Id, name, tactic; sorted by id.
const TECHNIQUES: &[(&str, &str, Tactic)] = &[
    ("T0800", "Activate Firmware Update Mode", Tactic::InhibitResponse),
    ("T0801", "Monitor Process State", Tactic::Collection),
    ("T0802", "Automated Collection", Tactic::Collection),
    ("T0806", "Brute Force I/O", Tactic::ImpairControl),
    ("T0807", "Command-Line Interface", Tactic::Execution),
    ("T0809", "Data Destruction", Tactic::InhibitResponse),
    ("T0811", "Data from Information Repositories", Tactic::Collection),
    ("T0813", "Denial of Control", Tactic::Impact),
    ("T0814", "Denial of Service", Tactic::InhibitResponse),
    ("T0815", "Denial of View", Tactic::Impact),
    ("T0816", "Device Restart/Shutdown", Tactic::InhibitResponse),
    ("T0817", "Drive-by Compromise", Tactic::InitialAccess),
    ("T0819", "Exploit Public-Facing Application", Tactic::InitialAccess),
    ("T0820", "Exploitation for Evasion", Tactic::Evasion),
    ("T0821", "Modify Controller Tasking", Tactic::Execution),
    ("T0822", "External Remote Services", Tactic::InitialAccess),
    ("T0823", "Graphical User Interface", Tactic::Execution),
    ("T0826", "Loss of Availability", Tactic::Impact),
    ("T0827", "Loss of Control", Tactic::Impact),
    ("T0828", "Loss of Productivity and Revenue", Tactic::Impact),
    ("T0829", "Loss of View", Tactic::Impact),
    ("T0830", "Adversary-in-the-Middle", Tactic::Collection),
    ("T0831", "Manipulation of Control", Tactic::Impact),
    ("T0832", "Manipulation of View", Tactic::Impact),
    ("T0834", "Native API", Tactic::Execution),
    ("T0835", "Manipulate I/O Image", Tactic::InhibitResponse),
    ("T0836", "Modify Parameter", Tactic::ImpairControl),
    ("T0837", "Loss of Protection", Tactic::Impact),
    ("T0838", "Modify Alarm Settings", Tactic::InhibitResponse),
    ("T0840", "Network Connection Enumeration", Tactic::Discovery),
    ("T0842", "Network Sniffing", Tactic::Discovery),
    ("T0843", "Program Download", Tactic::LateralMovement),
    ("T0843.001", "Program Download: Download All", Tactic::LateralMovement),
    ("T0843.002", "Program Download: Online Edit", Tactic::LateralMovement),
    ("T0843.003", "Program Download: Program Append", Tactic::LateralMovement),
    ("T0845", "Program Upload", Tactic::Collection),
    ("T0846", "Remote System Discovery", Tactic::Discovery),
    ("T0846.001", "Remote System Discovery: Port Scan", Tactic::Discovery),
    ("T0846.002", "Remote System Discovery: Broadcast Discovery", Tactic::Discovery),
    ("T0846.003", "Remote System Discovery: Multicast Discovery", Tactic::Discovery),
    ("T0847", "Replication Through Removable Media", Tactic::InitialAccess),
    ("T0848", "Rogue Master", Tactic::InitialAccess),
    ("T0849", "Masquerading", Tactic::Evasion),
    ("T0851", "Rootkit", Tactic::Evasion),
    ("T0852", "Screen Capture", Tactic::Collection),
    ("T0853", "Scripting", Tactic::Execution),
    ("T0858", "Change Operating Mode", Tactic::Execution),
    ("T0859", "Valid Accounts", Tactic::Persistence),
    ("T0860", "Wireless Compromise", Tactic::InitialAccess),
    ("T0861", "Point & Tag Identification", Tactic::Collection),
    ("T0862", "Supply Chain Compromise", Tactic::InitialAccess),
    ("T0863", "User Execution", Tactic::Execution),
    ("T0864", "Transient Cyber Asset", Tactic::InitialAccess),
    ("T0865", "Spearphishing Attachment", Tactic::InitialAccess),
    ("T0866", "Exploitation of Remote Services", Tactic::InitialAccess),
    ("T0867", "Lateral Tool Transfer", Tactic::LateralMovement),
    ("T0868", "Detect Operating Mode", Tactic::Collection),
    ("T0869", "Standard Application Layer Protocol", Tactic::CommandAndControl),
    ("T0871", "Execution through API", Tactic::Execution),
    ("T0872", "Indicator Removal on Host", Tactic::Evasion),
    ("T0873", "Project File Infection", Tactic::Persistence),
    ("T0873.001", "Project File Infection: Siemens Project File Format", Tactic::Persistence),
    ("T0874", "Hooking", Tactic::Execution),
    ("T0877", "I/O Image", Tactic::Collection),
    ("T0878", "Alarm Suppression", Tactic::InhibitResponse),
    ("T0879", "Damage to Property", Tactic::Impact),
    ("T0880", "Loss of Safety", Tactic::Impact),
    ("T0881", "Service Stop", Tactic::InhibitResponse),
    ("T0882", "Theft of Operational Information", Tactic::Impact),
    ("T0883", "Internet Accessible Device", Tactic::InitialAccess),
    ("T0884", "Connection Proxy", Tactic::CommandAndControl),
    ("T0885", "Commonly Used Port", Tactic::CommandAndControl),
    ("T0886", "Remote Services", Tactic::InitialAccess),
    ("T0887", "Wireless Sniffing", Tactic::Discovery),
    ("T0888", "Remote System Information Discovery", Tactic::Discovery),
    ("T0889", "Modify Program", Tactic::Persistence),
    ("T0890", "Exploitation for Privilege Escalation", Tactic::PrivilegeEscalation),
    ("T0892", "Change Credential", Tactic::InhibitResponse),
    ("T0893", "Data from Local System", Tactic::Collection),
    ("T0894", "System Binary Proxy Execution", Tactic::Evasion),
    ("T0895", "Autorun Image", Tactic::Execution),
    ("T1691", "Block Operational Technology Message", Tactic::InhibitResponse),
    ("T1691.001", "Block Operational Technology Message: Command Message", Tactic::InhibitResponse),
    ("T1691.002", "Block Operational Technology Message: Reporting Message", Tactic::InhibitResponse),
    ("T1692", "Unauthorized Message", Tactic::ImpairControl),
    ("T1692.001", "Unauthorized Message: Command Message", Tactic::ImpairControl),
    ("T1692.002", "Unauthorized Message: Reporting Message", Tactic::ImpairControl),
    ("T1693", "Modify Firmware", Tactic::Persistence),
    ("T1693.001", "Modify Firmware: System Firmware", Tactic::Persistence),
    ("T1693.002", "Modify Firmware: Module Firmware", Tactic::Persistence),
    ("T1694", "Insecure Credentials", Tactic::Persistence),
    ("T1694.001", "Insecure Credentials: Default Credentials", Tactic::Persistence),
    ("T1694.002", "Insecure Credentials: Hardcoded Credentials", Tactic::Persistence),
    ("T1695", "Block Communications", Tactic::InhibitResponse),
    ("T1695.001", "Block Communications: Serial COM", Tactic::InhibitResponse),
    ("T1695.002", "Block Communications: Ethernet", Tactic::InhibitResponse),
    ("T1695.003", "Block Communications: Wi-Fi", Tactic::InhibitResponse),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        assert!(TECHNIQUES.windows(2).all(|w| w[0].0 < w[1].0) && TECHNIQUES.len() > 90);
        assert_eq!(technique("T1692.001"), Some(("Unauthorized Message: Command Message", Tactic::ImpairControl)));
        assert_eq!(technique("T0846").unwrap().1.named().1, "Discovery");
        assert_eq!(technique("T0855"), None);
    }

    #[test]
    fn every_technique_that_a_detector_names_is_known() {
        for meta in detect::META {
            for id in meta.attack {
                assert!(technique(id).is_some(), "{id} of {}", meta.id);
            }
        }
    }
}
