//! Who serves a turn: this device or the cloud.
