//! Records to text: NDJSON, Zeek logs and EVE.
