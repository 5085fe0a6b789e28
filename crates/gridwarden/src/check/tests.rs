//! Tests of the checks: all problems at once, each with its place and what was meant.

use super::*;

fn said(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_the_desk_takes_is_known_here() {
    let text = "[respond]\npropose = \"live\"\nmirror_seconds = 30\nvalues = { minutes = \"30\" }\n";
    assert!(said(config(text)).is_empty(), "{:?}", said(config(text)));
    let wrong = said(config("[respond]\npropose = \"always\"\n"));
    assert!(wrong[0].contains("always"), "{wrong:?}");
}

#[test]
fn a_configuration_tells_all_its_problems() {
    let text = "[retention]\nday = 30\nlake_mb = \"much\"\n[retention.kinds.modbus]\ndays = -1\n[respnd]\n\
        [[destination]]\nname = \"siem\"\nkind = \"splunk-hec\"\nurll = \"https://x\"\n";
    let all = said(config(text));
    let has = |part: &str| assert!(all.iter().any(|l| l.contains(part)), "{part}: {all:#?}");
    has("2:1: there is no `day` in `retention`: did you mean `days`?");
    has("3:11: `retention.lake_mb` must be a whole number");
    has("5:8: `retention.kinds.modbus.days` must be a whole number");
    has("6:2: there is no `respnd` here: did you mean `respond`?");
    has("10:1: ");
    assert!(all.iter().any(|l| l.starts_with("10:1:") && l.contains("urll")), "{all:#?}");
    assert_eq!(
        said(config("[retention.kinds.modbuz]\ndays = 1\n")),
        ["1:18: there is no kind of record `modbuz`: did you mean `modbus`?"]
    );
    assert_eq!(said(config("[retention]\ndays = 30\n")), [""; 0]);
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let all = said(config("[retention]\ndays = \n"));
    assert!(all[0].starts_with("2:"), "{all:?}");
}

#[test]
fn a_site_file_tells_addresses_masters_and_point_lists() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[device]]\nname = \"Front end\"\naddresses = [\"10.0.0.1\", \"10.0.0\"]\n[[device]]\nname = \"RTU\"\n\
        addresses = [\"10.0.0.1\"]\nmasters = [\"Frontend\"]\ncritcal = true\npoints = \"rtu.csv\"\n";
    let path = dir.path().join("site.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(dir.path().join("rtu.csv"), "proto,table,unit_id,address,name\nmodbus,coil,one,7,x\n").unwrap();
    let all = said(file(&path, None, true).unwrap().unwrap().1);
    assert_eq!(
        all,
        [
            "3:26: `10.0.0` is neither an IP nor a MAC address",
            "6:14: `10.0.0.1` is declared twice",
            "7:12: the master `Frontend` is not declared: did you mean `Front end`?",
            "8:1: there is no `critcal` in `device`: did you mean `critical`?",
            "9:10: `rtu.csv` has 1 problems, the first: 2:13: `unit_id` is `one`, not a whole number",
        ]
    );
}

#[test]
fn point_lists_tell_every_line() {
    let all = said(lists::points(
        "proto,table,unit_id,adress,name,scale,states\nmodbuz,coil,1,7,a,x,0=open\nmodbus,coil,1,,b,1,open\n",
    ));
    assert_eq!(
        all,
        [
            "1:1: the heading has no `address`",
            "1:21: there is no column `adress`: did you mean `address`?",
            "2:1: there is no protocol `modbuz`: did you mean `modbus`?",
            "2:19: `scale` is `x`, not a number",
            "3:20: the state `open` is not of the form 0=open",
        ]
    );
    let twice = "proto,table,unit_id,address,name\nmodbus,coil,1,7,a\nmodbus,coil,1,7,b\n";
    assert_eq!(said(lists::points(twice)), ["3:1: the point stands in line 2 already"]);
}

#[test]
fn windows_playbooks_and_rules_have_places() {
    let all = said(lists::maintenance("start,end,asset\nyesterday,2026-01-01T00:00:00Z,x\n2,1,y\n"));
    assert!(all[0].starts_with("2:1: ") && all[1].starts_with("3:3: ") && all[1].contains("ends before"), "{all:?}");
    let all = said(lists::playbook("{\"type\": \"playbook\",\n \"spec_version\": \"cacao-1.0\", \"priority\": 200 }"));
    assert!(all.iter().any(|l| l.starts_with("2:18: spec_version")), "{all:?}");
    assert!(all.iter().any(|l| l.starts_with("2:43: priority")), "{all:?}");
    let all = said(lists::playbook("{\"type\": }"));
    assert!(all[0].starts_with("1:10: "), "{all:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.yml");
    std::fs::write(&path, "title: x\nlogsource: {category: y}\n").unwrap();
    assert!(!lists::rules(&path).unwrap().is_empty());
    assert_eq!(guess(Path::new("a.csv"), "proto,table,unit_id"), Some(What::Points));
    assert_eq!(guess(Path::new("a.bin"), "x"), None);
}

#[test]
fn every_shipped_playbook_is_right() {
    for (name, _) in respond::playbook::shipped::ALL {
        let text = serde_json::to_string_pretty(&respond::playbook::shipped::document(name).unwrap()).unwrap();
        assert_eq!(said(lists::playbook(&text)), [""; 0], "{name}");
    }
}
