//! Minutes that a promoted model finds unlike a device's clean days. Who scores stands right of this crate (`models`); here is what it is called.

use gwcore::{Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;

pub(super) static META: Meta = Meta {
    id: "unusual-window",
    number: 90,
    finds: "A minute of a device, or of a client with its server, scored above the threshold of a promoted model.",
    innocent: "Work that was not in the days the model learned from: maintenance, a new device, a season, another shift.",
    call: "the owner of the device, then whoever promoted the model",
    attack: &[],
    needs: "a promoted model (`gridwarden models promote`)",
    severity: Severity::Medium,
};

/// Takes no facts: a model does.
pub(super) struct UnusualWindow;

impl UnusualWindow {
    pub(super) fn new(_: &Setup) -> Self {
        UnusualWindow
    }
}

impl Detector for UnusualWindow {
    fn wants(&self) -> FactKinds {
        FactKinds::NONE
    }
    fn fact(&mut self, _: &Fact, _: &FlowConst, _: &mut Look<'_>) {}
}
