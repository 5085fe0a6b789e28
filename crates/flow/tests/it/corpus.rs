//! Against the corpus: the baseline of the Community ID project.

use std::net::IpAddr;

use gwcore::FlowConst;

#[test]
fn community_ids_are_those_of_the_baselines() {
    let Some(folder) = testkit::corpus() else {
        return println!("not checked: no corpus");
    };
    for (name, seed) in [("baseline_deflt", 0), ("baseline_seed1", 1)] {
        let text = std::fs::read_to_string(folder.join(format!("fingerprints/community-id/{name}.json"))).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        for row in &rows {
            let ip = |name: &str| row[name].as_str().unwrap().parse::<IpAddr>().unwrap().into();
            let port = |name: &str| row[name].as_u64().unwrap_or(0) as u16;
            let (src, dst) = (ip("saddr"), ip("daddr"));
            let ip_proto = row["proto"].as_u64().unwrap() as u8;
            let flow = FlowConst {
                src,
                dst,
                src_port: port("sport"),
                dst_port: port("dport"),
                ip_proto,
                ..FlowConst::default()
            };
            assert_eq!(flow::community_id(&flow, seed).as_deref(), row["communityid"].as_str(), "{row}");
        }
        assert!(rows.len() > 20);
    }
}

#[test]
fn community_ids_of_the_published_table() {
    let check = |ip_proto: u8, src: &str, dst: &str, src_port: u16, dst_port: u16, id: &str| {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap().into();
        let flow = FlowConst { src: ip(src), dst: ip(dst), src_port, dst_port, ip_proto, ..FlowConst::default() };
        assert_eq!(flow::community_id(&flow, 0).as_deref(), Some(id));
    };
    check(6, "1.2.3.4", "5.6.7.8", 1122, 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
    check(6, "5.6.7.8", "1.2.3.4", 3344, 1122, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
    check(132, "5.6.7.8", "1.2.3.4", 3344, 1122, "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8=");
    check(1, "1.2.3.4", "5.6.7.8", 8, 0, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0=");
    check(1, "5.6.7.8", "1.2.3.4", 0, 8, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0=");
    check(1, "1.2.3.4", "5.6.7.8", 11, 0, "1:f/YiSyWqczrTgfUCZlBUnvHRcPk=");
    assert_eq!(flow::community_id(&FlowConst::default(), 0), None);
}

#[test]
fn a_seed_changes_the_id() {
    // suricata-verify `community-id-ipv4`, whose configuration has the seed 7.
    let ip = |text: &str| gwcore::Addr::from(text.parse::<IpAddr>().unwrap());
    let (src, dst) = (ip("172.26.0.39"), ip("172.217.14.206"));
    let flow = FlowConst { src, dst, src_port: 35_958, dst_port: 443, ip_proto: 6, ..FlowConst::default() };
    assert_eq!(flow::community_id(&flow, 7).as_deref(), Some("1:IwiTNfuO7aCaamMijl+7/X9uLx0="));
    assert_ne!(flow::community_id(&flow, 0), flow::community_id(&flow, 7));
}
