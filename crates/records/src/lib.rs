//! Record batches: views, validation, checksums, compression and building.
