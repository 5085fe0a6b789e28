//! A family of features: one statement of name, unit, meaning and source from which columns, models' schemas and the reference page derive.

use std::borrow::Cow;

use gwcore::{Addr, Ts, Uid};

/// Whether a feature is a number or one of a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number; absent where it cannot be measured.
    Number,
    /// A word.
    Word,
}

/// One feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Column name.
    pub name: Cow<'static, str>,
    /// Type.
    pub ty: Type,
    /// Unit; empty for a count or a share.
    pub unit: Cow<'static, str>,
    /// What it means, and when it is absent.
    pub doc: Cow<'static, str>,
    /// What it is computed from, and whose definition it is.
    pub source: Cow<'static, str>,
}

/// Features that describe one kind of thing.
#[derive(Clone, Debug)]
pub struct Family {
    /// Name, as after `--family`.
    pub name: &'static str,
    /// Rises whenever a feature is added, removed or defined anew: a model made for another version does not load.
    pub version: u32,
    /// What it describes.
    pub doc: &'static str,
    /// What a row stands for.
    pub row: &'static str,
    /// Features, in the order of their columns.
    pub features: Vec<Feature>,
}

/// A value of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// It could not be measured.
    Null,
    /// A number.
    Number(f64),
    /// A word.
    Word(&'static str),
}

/// Names a row by time and addresses. None of it is ever a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    /// Beginning of what the row describes.
    pub ts: Ts,
    /// End of it.
    pub end: Ts,
    /// The device, or the originator or client: an IP address, or a MAC address in 16 bytes.
    pub src: Addr,
    /// The responder or server; none where the row is about one device.
    pub dst: Addr,
    /// The conversation, where the row is about one.
    pub uid: Option<Uid>,
    /// The last frame that went into it, by file and number; 0 for none. What a finding points to.
    pub frame: (u32, u64),
}

/// One row of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about.
    pub identity: Identity,
    /// One value a feature, in their order.
    pub values: Vec<Value>,
}

/// States a family of numbers: a struct with one field a feature, and its [`Family`].
macro_rules! family {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident = $text:literal, version $version:literal, $row:literal {
            $($(#[doc = $fdoc:literal])+ $field:ident [$unit:literal] $source:literal,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $fdoc])+ pub $field: Option<f64>,)+
        }

        impl $name {
            /// The family's definition.
            pub fn family() -> $crate::Family {
                use $crate::family::{Feature, Type};
                $crate::Family {
                    name: $text,
                    version: $version,
                    doc: concat!($($doc),+).trim_ascii(),
                    row: $row,
                    features: vec![$(Feature {
                        name: stringify!($field).into(),
                        ty: Type::Number,
                        unit: $unit.into(),
                        doc: concat!($($fdoc),+).trim_ascii().into(),
                        source: $source.into(),
                    }),+],
                }
            }

            /// The values in the order of the features.
            pub fn values(&self) -> Vec<$crate::Value> {
                vec![$(self.$field.map_or($crate::Value::Null, $crate::Value::Number)),+]
            }
        }
    };
}
pub(crate) use family;

/// An address as a person reads it: a MAC address where there is no IP.
pub fn address(a: Addr) -> String {
    match a.0 {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..] => a.to_string(),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, m @ ..] if m != [0; 6] => gwcore::Mac(m).to_string(),
        _ => a.to_string(),
    }
}
