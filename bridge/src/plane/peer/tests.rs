//! Two peers of ours with each other.
