//! From where an attack acts: a strange device, one that every day shows, or the master itself.

use std::fmt;
use std::str::FromStr;

/// Who acts in an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `new`: a device that no benign day shows.
    #[default]
    New,
    /// `known`: a device of the site, with its own address and the habits of its stack.
    Known,
    /// `master`: the front end itself, within its own sessions where the protocol allows.
    Master,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::New, Role::Known, Role::Master];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Role::New => "new",
            Role::Known => "known",
            Role::Master => "master",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that stands for nothing, with those that stand for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} is called `{}`, there are `{}`", self.what, self.name, self.known.join("`, `"))
    }
}

impl std::error::Error for UnknownName {}

/// The one of `all` that has this name.
pub(crate) fn parse<T: Copy>(
    what: &'static str,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
    name: &str,
) -> Result<T, UnknownName> {
    let found = all.iter().copied().find(|item| name_of(*item) == name);
    let known = || all.iter().map(|item| name_of(*item)).collect();
    found.ok_or_else(|| UnknownName { what, name: name.to_owned(), known: known() })
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Role, UnknownName> {
        parse("actor", &Role::ALL, Role::name, name)
    }
}
