//! Every buffer and table that traffic can fill: its name, default, meaning when hit, and a counter of how often it was.

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $default:literal, $key:literal, $fixed:literal;)+) => {
        /// A named limit. Its documentation states the unit and what happens when it is reached.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(usize)]
        pub enum Limit { $($(#[doc = $doc])+ $name,)+ }

        impl Limit {
            /// All limits in table order.
            pub const ALL: &'static [Limit] = &[$(Limit::$name),+];

            /// The name used in configuration, counters and documentation.
            pub fn key(self) -> &'static str { match self { $(Limit::$name => $key),+ } }

            /// The default value.
            pub fn default_value(self) -> usize { match self { $(Limit::$name => $default),+ } }

            /// The documentation sentence.
            pub fn doc(self) -> &'static str { match self { $(Limit::$name => concat!($($doc),+)),+ } }

            /// Whether `scaled` leaves it alone (nesting, folds and open files are meaning, not memory).
            pub fn is_fixed(self) -> bool { match self { $(Limit::$name => $fixed),+ } }
        }
    };
}

limits! {
    /// Capture files open at once; the others wait closed (count).
    OpenFiles = 64, "open_files", true;
    /// Largest frame accepted from a file, in bytes; a longer record is skipped and named.
    FrameBytes = 262_144, "frame_bytes", true;
    /// Interfaces described in one pcapng section; frames of further ones are skipped and counted.
    Interfaces = 4_096, "interfaces_per_section", true;
    /// Different interface names of the whole input; further ones are all called `other`.
    InterfaceNames = 4_096, "interface_names", false;
    /// Pairs of address and name kept from the name resolution blocks of one file; further ones are counted.
    ResolvedNames = 4_096, "resolved_names_per_file", false;
    /// Bytes of frames held while those of several interfaces in one file are put in order of time; beyond it the oldest goes on.
    OrderBytes = 16_777_216, "order_bytes", false;
    /// Window of a zstd stream in bytes, rounded down to a power of two; a file that asks for more cannot be read.
    ZstdWindowBytes = 134_217_728, "zstd_window_bytes", true;
    /// Encapsulations decoded in one frame; deeper ones are left undecoded with the reason `too_deep`.
    TunnelDepth = 16, "tunnel_depth", true;
    /// Datagrams under reassembly; the oldest is given up.
    FragmentDatagrams = 4_096, "fragment_datagrams", false;
    /// Fragments kept of one datagram; further ones give the datagram up.
    FragmentsPerDatagram = 256, "fragments_per_datagram", false;
    /// Bytes held in all datagrams under reassembly; the oldest datagrams are given up.
    FragmentBytes = 8_388_608, "fragment_bytes", false;
    /// Recent frames remembered to recognise mirrored twins; older ones are forgotten (count).
    TwinFrames = 4_096, "twin_frames", false;
    /// Flows alive in one of the 32 shards; the least worthy is ended early (short and idle first, long-lived OT sessions last).
    Flows = 65_536, "flows_per_shard", false;
    /// Bytes held out of order in one direction of a TCP session; beyond it the hole becomes a gap.
    ReassemblyBytes = 1_048_576, "reassembly_bytes_per_direction", false;
    /// Segments held out of order in one direction of a TCP session; beyond it the hole becomes a gap.
    ReassemblySegments = 1_024, "reassembly_segments_per_direction", false;
    /// Bytes held out of order in one shard; beyond it the session that asks gets a gap.
    ReassemblyShardBytes = 16_777_216, "reassembly_bytes_per_shard", false;
    /// Bytes of delivered stream kept per direction to compare overlaps with; older overlaps are not compared.
    OverlapHistory = 4_096, "overlap_history_bytes", false;
    /// Bytes of delivered stream kept in one shard to compare overlaps with, shared by its sessions; overwritten ones are not compared.
    OverlapShardBytes = 524_288, "overlap_bytes_per_shard", false;
    /// Address pairs in one shard whose checksum history is kept; the oldest is forgotten.
    ChecksumSources = 4_096, "checksum_sources", false;
    /// Segments with a wrong checksum that wait for a verdict, per source; further ones are left out.
    ChecksumWaiting = 16, "checksum_waiting", false;
    /// Bytes of one direction looked at before a protocol is given up as unknown.
    ProbeBytes = 2_048, "probe_bytes", false;
    /// Bytes of unconsumed stream kept for a parser in one direction; beyond it the parser is told of a lost position.
    ParserBytes = 1_048_576, "parser_bytes_per_direction", false;
    /// Requests waiting for their answer in one flow; the oldest is emitted unanswered.
    Pending = 1_024, "pending_per_flow", false;
    /// Link address pairs of one flow whose fragments and selections are followed; the least recently begun is forgotten.
    LinkPairs = 256, "link_pairs_per_flow", false;
    /// Different request shapes remembered per flow to leave out repeats; forgotten ones are written again.
    Repeats = 256, "repeats_per_flow", false;
    /// Child rows of one record; the rest is counted.
    ChildRows = 2_048, "child_rows", true;
    /// Nesting of one value; deeper parts are left undecoded.
    Nesting = 32, "nesting", true;
    /// Anomaly rows of one reason and flow before they are folded into one with a count.
    AnomalyFold = 8, "anomaly_fold", true;
    /// Bytes of one text cell; longer text is cut (and ends in an ellipsis).
    TextBytes = 1_024, "text_bytes", true;
    /// Bytes of one decompressed body that are hashed and typed; the rest is counted.
    InflatedBytes = 4_194_304, "inflated_bytes", false;
    /// Points aggregated per shard and minute; further new points are counted, not aggregated.
    Points = 65_536, "points_per_shard", false;
    /// Devices in the inventory; beyond it those are forgotten that sent something and were never answered, then others, the longest silent
    /// first and those that speak a protocol of the plant last (count of addresses forgotten).
    Devices = 131_072, "devices", false;
    /// Internet addresses whose names are kept for the inventory; that of the one first named longest ago is forgotten.
    InternetNames = 16_384, "internet_names", false;
    /// Open findings; beyond it those that were silent the longest are closed (count of closings).
    Findings = 65_536, "findings", false;
    /// Closed findings that a run keeps which writes them at its end; beyond it new ones are counted, not listed.
    FindingsKept = 262_144, "findings_kept", false;
    /// Sources a detector follows at once; beyond it those go first that did not prove to be part of the plant, then those not heard for the
    /// longest time (count of those forgotten).
    DetectorSources = 65_536, "detector_sources", false;
    /// Polls whose answers are compared with their earlier ones; the one begun longest ago is forgotten.
    PollTracks = 1_024, "poll_tracks", false;
    /// Entries learned into a baseline, and as many values; further new ones are counted, and what is new of their kind is not told.
    BaselineKeys = 1_048_576, "baseline_keys", false;
    /// Bytes buffered in columns before the largest kind is written as a row group.
    RowGroupBytes = 33_554_432, "row_group_bytes", false;
    /// State kept for address pairs across flows (per shard); the oldest is forgotten.
    PairStates = 4_096, "pair_states", false;
    /// Pairs of devices and protocols that the report lists; further ones are counted.
    ReportTalks = 16_384, "report_talks", false;
    /// Points that the report lists; further ones are counted.
    ReportPoints = 16_384, "report_points", false;
    /// Kinds of command (source, device, function, point) that the report lists; further ones are counted.
    ReportCommands = 4_096, "report_commands", false;
    /// GOOSE control blocks followed in one flow; the one silent longest is forgotten and is new when it speaks again.
    ControlBlocks = 64, "control_blocks_per_flow", false;
    /// Publishers whose messages are compared with those before; beyond it those heard for less than a minute go first, then those not heard for
    /// the longest time (count of those forgotten).
    Publishers = 4_096, "publishers", false;
    /// Hosts and publishers that `simulate --onto` looks for in a foreign capture; further ones take no part in an attack.
    SiteHosts = 4_096, "site_hosts", false;
    /// Connections that `simulate --onto` follows in a foreign capture; further ones are not attacked.
    SiteConnections = 16_384, "site_connections", false;
    /// Different polls, and as many commands, that `simulate --onto` keeps of a master with one outstation; further ones are not imitated.
    SiteExchanges = 64, "site_exchanges", false;
}

/// The limits in force: the defaults, or the defaults divided by one number.
#[derive(Clone, Debug)]
pub struct Limits {
    values: Vec<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { values: Limit::ALL.iter().map(|l| l.default_value()).collect() }
    }
}

impl Limits {
    /// Every limit divided by `divisor`, rounded up to 1; the fixed ones stay.
    pub fn scaled(divisor: usize) -> Self {
        let divisor = divisor.max(1);
        let value = |l: &Limit| {
            if l.is_fixed() { l.default_value() } else { (l.default_value() / divisor).max(1) }
        };
        Limits { values: Limit::ALL.iter().map(value).collect() }
    }

    /// The value of one limit.
    #[inline]
    pub fn get(&self, limit: Limit) -> usize {
        self.values.get(limit as usize).copied().unwrap_or(1)
    }

    /// Sets one limit (at least 1).
    pub fn set(&mut self, limit: Limit, value: usize) {
        if let Some(v) = self.values.get_mut(limit as usize) {
            *v = value.max(1);
        }
    }
}

/// How often each limit was hit.
#[derive(Clone, Debug)]
pub struct LimitHits {
    counts: Vec<u64>,
}

impl Default for LimitHits {
    fn default() -> Self {
        LimitHits { counts: vec![0; Limit::ALL.len()] }
    }
}

impl LimitHits {
    /// Counts one more hit.
    #[inline]
    pub fn hit(&mut self, limit: Limit) {
        self.hit_by(limit, 1);
    }

    /// Counts `n` more hits.
    pub fn hit_by(&mut self, limit: Limit, n: u64) {
        if let Some(c) = self.counts.get_mut(limit as usize) {
            *c = c.saturating_add(n);
        }
    }

    /// How often `limit` was hit.
    pub fn count(&self, limit: Limit) -> u64 {
        self.counts.get(limit as usize).copied().unwrap_or(0)
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &LimitHits) {
        for (limit, n) in Limit::ALL.iter().zip(&other.counts) {
            self.hit_by(*limit, *n);
        }
    }

    /// Limits that were hit, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL.iter().zip(&self.counts).filter(|(_, n)| **n > 0).map(|(l, n)| (*l, *n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_is_rounded_up_to_one_and_fixed_ones_stay() {
        let l = Limits::scaled(100);
        assert_eq!(l.get(Limit::ChecksumWaiting), 1);
        assert_eq!(l.get(Limit::Flows), 655);
        assert_eq!(l.get(Limit::Nesting), 32);
    }

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = Limit::ALL.iter().map(|l| l.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Limit::ALL.len());
    }
}
