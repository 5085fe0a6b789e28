//! A substation that never was: realistic captures with labels, sharing no code with the parsers.
