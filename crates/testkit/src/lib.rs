//! Packet builders and the golden runner on which all fixtures stand.
