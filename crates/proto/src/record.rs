//! The `anomaly` kind: something wrong with the traffic, whatever the protocol.

use gwcore::{Sym, Text};

gwcore::record! {
    /// Something wrong with the traffic: broken bytes are evidence, not errors.
    pub struct Anomaly, AnomalyColumns = "anomaly", Event {
        /// Protocol or layer that noticed it.
        proto: Sym,
        /// What is wrong, a fixed word.
        reason: Sym,
        /// Particulars.
        detail: Option<Text>,
        /// Occurrences this row stands for.
        count: u64,
    }
}
