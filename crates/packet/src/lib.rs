//! Frames to packets: link, network and tunnel decoding, and defragmentation.
