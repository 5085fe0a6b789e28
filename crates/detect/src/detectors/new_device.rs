//! A device that the baseline has never seen: a MAC address on the segment, or an IP address.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, Thing, things};
use crate::fold::Sighting;
use crate::novelty::Novelty;

pub(super) static META: Meta = Meta {
    id: "new-device",
    number: 40,
    finds: "A device appeared that was never seen while the baseline was learned.",
    innocent: "A replaced device, a technician's laptop, a spare taken into service, a new address from DHCP.",
    call: "the network engineer, then whoever has work on site",
    attack: &["T0864"],
    needs: "a baseline",
    severity: Severity::Low,
};

/// Compares devices with the baseline.
pub(super) struct NewDevice {
    novelty: Option<Novelty>,
}

impl NewDevice {
    pub(super) fn new(setup: &Setup) -> Self {
        NewDevice { novelty: Novelty::new(setup, Class::Device) }
    }
}

impl Detector for NewDevice {
    fn wants(&self) -> FactKinds {
        (FactKinds::FLOW_START | FactKinds::CLAIM | FactKinds::FLOW_END).only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Some(novelty) = &self.novelty else { return };
        if !matches!(fact.body, Body::FlowStart | Body::Claim { .. } | Body::FlowEnd { .. }) {
            return;
        }
        // An end is told as its MAC first, then its address: a new MAC with a known address is a replacement, and one finding.
        let mut mac_is_new = false;
        things(fact, flow, &mut |t| {
            if t.class != Class::Device {
                return;
            }
            let is_new = novelty.is_new(&t) && novelty.site.device(&t.from).is_none();
            let is_mac = t.from.addr.is_none();
            if is_new && (is_mac || !mac_is_new) {
                see(novelty, &t, fact, flow, look);
            }
            mac_is_new = is_mac && is_new;
        });
    }
}

fn see(novelty: &Novelty, t: &Thing, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
    let end = t.from;
    look.see(&Sighting {
        dedup_key: end.name(),
        basis: Basis::Learned,
        attack: &["T0864"],
        src: end,
        words: &|site| {
            let title = format!("New device {}", site.name(&end));
            let why =
                format!("New device {}: it does not appear in the {} learned.", site.name(&end), novelty.learned());
            let mut e = novelty.evidence(end.name(), None).naming(novelty.device_in_packet(&end));
            if let Some(v) = crate::oui::vendor(end.mac) {
                e.more.insert("vendor".into(), v.into());
            }
            (title, why, e)
        },
        ..Sighting::of(&META, fact, flow)
    });
}
