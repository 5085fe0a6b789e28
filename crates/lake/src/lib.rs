//! Records to Parquet files.
