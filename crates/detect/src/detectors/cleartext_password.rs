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
        let Body::Login { proto, user, cleartext: true, accepted } = &fact.body else { return };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{proto}:{user}:{accepted:?}", src.name(), dst.name()),
            severity: Severity::Info,
            attack: &[],
            proto,
            src,
            dst,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("Password in clear text for {user} on {b}");
                let why = match accepted {
                    Some(true) => {
                        format!("{a} logged in to {b} as {user} over {proto}; the password was sent in clear text.")
                    }
                    Some(false) => format!(
                        "{b} refused the log-in of {a} as {user} over {proto}; the password was sent in clear text."
                    ),
                    None => format!("{a} sent the user name {user} and a password to {b} over {proto} in clear text."),
                };
                let outcome = match accepted {
                    Some(true) => ", accepted",
                    Some(false) => ", refused",
                    None => "",
                };
                (title, why, evidence(format!("user {user}{outcome}"), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
