//! The ring of packets on disk: what it holds reads back as it was put, within its budget, and what is held stays.

use capture::live::Second;
use capture::store::{Pair, Store, StoreOptions, segments};
use capture::{Frame, Inputs, LinkType, Merge};
use gwcore::time::SECOND;
use gwcore::{Addr, Limits, Ts};

/// An IPv4 packet from 10.0.0.N.
fn packet(n: u8, len: usize) -> Vec<u8> {
    let mut p = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, n, 0x08, 0x00, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0];
    p.extend([10, 0, 0, n, 10, 0, 1, 1]);
    p.resize(len, n);
    p
}

fn frame(data: &[u8], ts: i64) -> Frame<'_> {
    let link = LinkType::ETHERNET;
    Frame { seq: 0, ts: Ts(ts), file: 0, number: 0, interface: 0, link, wire_len: data.len() as u32 + 4, data }
}

#[test]
fn what_was_put_reads_back_at_the_place_that_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring");
    let names = ["eth1".to_owned()];
    let mut store = Store::open(&ring, StoreOptions { budget: 64 << 20, segment: 1 << 20 }).unwrap();
    let mut told = Vec::new();
    // Lost before the first frame was stored: told beside it.
    store.second(&Second { now: Ts(1_499_999_999 * SECOND), dropped: 2, ..Second::default() });
    for n in 0..4_000u32 {
        let data = packet(n as u8, 600 + n as usize % 7);
        let ts = 1_500_000_000 * SECOND + i64::from(n) * 1_000_001;
        told.push((store.put(&frame(&data, ts), "eth1").unwrap(), ts, data));
        if n % 100 == 0 {
            let dropped = u64::from(n == 200) * 5;
            store.second(&Second { now: Ts(ts), dropped, ..Second::default() });
        }
    }
    store.close();
    let files = store.names().to_vec();
    assert!(files.len() == 3 && files[0] == "ring/00000001.pcapng", "{files:?}");
    let inputs = Inputs::find(std::slice::from_ref(&ring), &Limits::default());
    let path = |file: u32| inputs.list[file as usize].path.clone();
    let mut merge = Merge::open(&inputs, &Limits::default());
    for ((file, number), ts, data) in &told {
        let f = merge.next().unwrap();
        assert_eq!(path(f.file), dir.path().join(&files[*file as usize]));
        assert_eq!((f.number, f.ts, f.wire_len as usize), (*number, Ts(*ts), data.len() + 4));
        assert_eq!(f.data, data);
    }
    assert!(merge.next().is_none());
    assert_eq!(merge.losses().iter().map(|l| l.lost).sum::<u64>(), 7);
    assert_eq!(merge.interfaces(), names);
    assert!(merge.finish().iter().all(|r| !r.failed() && r.truncated.is_none()));
    // The index knows who speaks where.
    let all = segments(&ring).unwrap();
    let pair = |n| Pair::of_addrs(Addr::v4([10, 0, 1, 1]), Addr::v4([10, 0, 0, n]));
    assert!(all.iter().all(|s| s.may_hold_pair(pair(7)) && !s.may_hold_pair(Pair::of_macs([0; 6], [1; 6]))));
    assert_eq!(all.iter().map(|s| s.frames.unwrap()).sum::<u64>(), 4_000);
    assert!(all[0].may_hold(Ts(told[5].1), Ts(told[5].1)) && !all[2].may_hold(Ts(told[5].1), Ts(told[5].1)));
}

#[test]
fn the_oldest_make_room_but_not_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { budget: 4 << 20, segment: 1 << 20 };
    let mut store = Store::open(dir.path(), options).unwrap();
    let data = packet(1, 1_000);
    let put = |store: &mut Store, n: i64| {
        for i in 0..n {
            store.put(&frame(&data, (1_500_000_000 + i) * 1_000_000), "eth1").unwrap();
        }
    };
    put(&mut store, 1_100);
    let first = store.names()[0].clone();
    store.hold([first.as_str()].into_iter());
    put(&mut store, 8_000);
    let left = segments(dir.path()).unwrap();
    assert!(left.iter().map(|s| s.bytes).sum::<u64>() <= options.budget, "{left:?}");
    assert_eq!(left[0].number, 1, "held");
    assert!(left[1].number > 4, "{left:?}");
    assert_eq!((store.counts().not_stored, store.counts().held_deleted), (0, 0));
    store.release([first.as_str()].into_iter());
    put(&mut store, 2_000);
    assert!(segments(dir.path()).unwrap()[0].number > 1);
    // The next run goes on behind it.
    let last = segments(dir.path()).unwrap().last().unwrap().number;
    drop(store);
    let mut store = Store::open(dir.path(), options).unwrap();
    put(&mut store, 1);
    store.close();
    assert_eq!(segments(dir.path()).unwrap().last().unwrap().number, last + 1);
}

#[test]
fn frames_without_place_are_counted_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ring = dir.path().join("ring");
    let mut store = Store::open(&ring, StoreOptions::within(1 << 30)).unwrap();
    std::fs::remove_dir(&ring).unwrap();
    let data = packet(1, 100);
    assert!(store.put(&frame(&data, SECOND), "eth1").is_none());
    assert!(store.problem().unwrap().starts_with("packets are not stored: "));
    std::fs::create_dir(&ring).unwrap();
    assert!(store.put(&frame(&data, 2 * SECOND), "eth1").is_none(), "not tried again at once");
    assert!(store.put(&frame(&data, 12 * SECOND), "eth1").is_some());
    assert_eq!((store.counts().frames, store.counts().not_stored), (1, 2));
}
