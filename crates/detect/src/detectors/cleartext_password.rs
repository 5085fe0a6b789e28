//! A password sent readably. The user's name is kept, the password never.

use gwcore::{Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "cleartext-password",
    number: 9,
    finds: "A user name and password went over the line readably.",
    innocent: "An old device that offers nothing better.",
    call: "the owner of the device",
    attack: &["T0859"],
    needs: "the log-in in clear text",
    severity: Severity::Info,
};

/// Stateless.
pub(super) struct CleartextPassword;

impl CleartextPassword {
    pub(super) fn new(_: &Setup) -> Self {
        CleartextPassword
    }
}

impl Detector for CleartextPassword {
    fn wants(&self) -> FactKinds {
        FactKinds::LOGIN
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Login { proto, user, cleartext: true, .. } = &fact.body else { return };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{proto}:{user}", src.name(), dst.name()),
            severity: Severity::Info,
            attack: &[],
            proto,
            src,
            dst,
            words: &|site| {
                let title = format!("Readable password for {user} on {}", site.name(&dst));
                let why = format!(
                    "{} logged in to {} as {user} over {proto} with a readable password.",
                    site.name(&src),
                    site.name(&dst)
                );
                (title, why, evidence(format!("user {user}"), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
