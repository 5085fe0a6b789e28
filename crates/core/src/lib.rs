//! Vocabulary: packet time, addresses, schemas, columns, facts, findings and limits.
