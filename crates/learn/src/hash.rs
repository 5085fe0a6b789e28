//! Hash tables with a random key: no file can make them slow, and nothing depends on their order.

/// A map.
pub type HashMap<K, V> = hashbrown::HashMap<K, V, foldhash::fast::RandomState>;
/// A set.
pub type HashSet<K> = hashbrown::HashSet<K, foldhash::fast::RandomState>;
