//! Packets to flows and stream chunks: flow table, timers, TCP reassembly.
