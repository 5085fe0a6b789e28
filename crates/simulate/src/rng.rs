//! A small random generator, so that a seed gives the same capture on every machine and in every release.

/// SplitMix64 (Steele, Lea, Flood 2014): one 64-bit word of state.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The stream called `name` of this seed; streams do not disturb each other.
    pub(crate) fn new(seed: u64, name: &str) -> Rng {
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Rng(mix(seed ^ mix(hash)))
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `low..high`; `low` when the range is empty.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.word() % high.saturating_sub(low).max(1)
    }

    /// A number in 0.0..1.0.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A waiting time of a memoryless process with this mean.
    pub(crate) fn exponential(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.unit()).ln() * mean as f64) as u64
    }

    pub(crate) fn port(&mut self) -> u16 {
        self.between(49_152, 65_000) as u16
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.word() as u8)
    }

    pub(crate) fn vec(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.word() as u8).collect()
    }
}

/// The output function of SplitMix64; also a hash of one word.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_of_seed_zero() {
        let mut rng = Rng(0);
        assert_eq!([rng.word(), rng.word()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn streams_differ_and_ranges_hold() {
        assert_ne!(Rng::new(1, "a").word(), Rng::new(1, "b").word());
        assert_ne!(Rng::new(1, "a").word(), Rng::new(2, "a").word());
        let mut rng = Rng::new(7, "range");
        assert!((0..1_000).all(|_| (3..9).contains(&rng.between(3, 9))));
        assert_eq!(rng.between(4, 4), 4);
    }
}
