//! Capture files and devices to frames.
