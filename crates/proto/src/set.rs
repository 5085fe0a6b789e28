//! The set of parsers that a flow may speak: one enum, so that no call is dynamic.

use crate::{Cx, Dir, Hint, Probe, Step};

/// The set of parsers, one enum made by [`crate::protocols!`].
pub trait ParserSet: Sized {
    /// Number of parsers.
    const COUNT: usize;
    /// How sure parser `index` is of these bytes; `No` when the carrier does not fit.
    fn probe(index: usize, head: &[u8], hint: &Hint) -> Probe;
    /// See [`crate::Parser::BEGINS_LATE`].
    fn begins_late(index: usize) -> bool;
    /// A new parser.
    fn start(index: usize) -> Option<Self>;
    /// Name of the protocol.
    fn name(&self) -> &'static str;
    /// Whether it is a utility protocol.
    fn is_ot(&self) -> bool;
    /// See [`crate::Parser::feed`].
    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step;
    /// See [`crate::Parser::gap`].
    fn gap(&mut self, dir: Dir, missing: u64, cx: &mut Cx<'_>) -> Step;
    /// See [`crate::Parser::cut`].
    fn cut(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>);
    /// See [`crate::Parser::unseen`].
    fn unseen(&mut self, dir: Dir, held: &[u8], cx: &mut Cx<'_>) -> bool;
    /// See [`crate::Parser::resync`].
    fn resync(&self, dir: Dir, data: &[u8], hint: &Hint) -> Option<usize>;
    /// See [`crate::Parser::wake`].
    fn wake(&mut self, cx: &mut Cx<'_>);
    /// See [`crate::Parser::close`].
    fn close(&mut self, cx: &mut Cx<'_>);
}

/// Makes the enum of parsers: one line a protocol, in probe order.
#[macro_export]
macro_rules! protocols {
    ($(#[doc = $doc:literal])+ pub enum $set:ident { $($variant:ident: $parser:ty,)+ }) => {
        $(#[doc = $doc])+
        #[allow(clippy::large_enum_variant)]
        pub enum $set { $(#[doc = concat!("`", stringify!($parser), "`")] $variant($parser),)+ }

        impl $crate::ParserSet for $set {
            const COUNT: usize = [$(stringify!($variant)),+].len();

            fn probe(index: usize, head: &[u8], hint: &$crate::Hint) -> $crate::Probe {
                const PROBES: &[(&[$crate::Carrier], fn(&[u8], &$crate::Hint) -> $crate::Probe)] =
                    &[$((<$parser as $crate::Parser>::CARRIERS, <$parser as $crate::Parser>::probe)),+];
                match PROBES.get(index) {
                    Some((carriers, probe)) if carriers.contains(&hint.carrier) => probe(head, hint),
                    _ => $crate::Probe::No,
                }
            }
            fn begins_late(index: usize) -> bool {
                [$(<$parser as $crate::Parser>::BEGINS_LATE),+].get(index) == Some(&true)
            }
            fn start(index: usize) -> Option<Self> {
                const STARTS: &[fn() -> $set] = &[$(|| $set::$variant(<$parser>::default())),+];
                STARTS.get(index).map(|start| start())
            }
            fn name(&self) -> &'static str {
                match self { $($set::$variant(_) => <$parser as $crate::Parser>::NAME),+ }
            }
            fn is_ot(&self) -> bool {
                match self { $($set::$variant(_) => <$parser as $crate::Parser>::IS_OT),+ }
            }
            fn feed(&mut self, dir: $crate::Dir, data: &[u8], cx: &mut $crate::Cx<'_>) -> $crate::Step {
                match self { $($set::$variant(p) => $crate::Parser::feed(p, dir, data, cx)),+ }
            }
            fn gap(&mut self, dir: $crate::Dir, missing: u64, cx: &mut $crate::Cx<'_>) -> $crate::Step {
                match self { $($set::$variant(p) => $crate::Parser::gap(p, dir, missing, cx)),+ }
            }
            fn cut(&mut self, dir: $crate::Dir, data: &[u8], cx: &mut $crate::Cx<'_>) {
                match self { $($set::$variant(p) => $crate::Parser::cut(p, dir, data, cx)),+ }
            }
            fn unseen(&mut self, dir: $crate::Dir, held: &[u8], cx: &mut $crate::Cx<'_>) -> bool {
                match self { $($set::$variant(p) => $crate::Parser::unseen(p, dir, held, cx)),+ }
            }
            fn resync(&self, dir: $crate::Dir, data: &[u8], hint: &$crate::Hint) -> Option<usize> {
                match self { $($set::$variant(p) => $crate::Parser::resync(p, dir, data, hint)),+ }
            }
            fn wake(&mut self, cx: &mut $crate::Cx<'_>) {
                match self { $($set::$variant(p) => $crate::Parser::wake(p, cx)),+ }
            }
            fn close(&mut self, cx: &mut $crate::Cx<'_>) {
                match self { $($set::$variant(p) => $crate::Parser::close(p, cx)),+ }
            }
        }
    };
}
