//! How large things may be. Every bound of the protocol has its name here.
//!
//! Senders keep to the `SENT` bounds, receivers accept up to the wider `RECEIVED` ones, so that a later release may
//! send a little more without being refused by an earlier one.

/// The longest payload that is published, in bytes, after compression. Mosquitto and every managed broker carry it.
pub const MAX_SENT_LEN: usize = 128 * 1024;

/// The longest payload that is looked at, in bytes. Longer ones are refused before anything is read.
pub const MAX_RECEIVED_LEN: usize = 256 * 1024;

/// The longest JSON text that a compressed payload may unfold to, in bytes. Decompression stops here.
pub const MAX_UNPACKED_LEN: usize = 1024 * 1024;

/// Largest window a zstd frame may ask for, as a power of two: 2 MiB, what level 3 uses for an input of unknown length.
pub const MAX_ZSTD_WINDOW_LOG: u32 = 21;

/// From this length on a payload is compressed, in bytes. Below it the header of a frame eats what it saves.
pub const MIN_COMPRESSED_LEN: usize = 512;

/// The longest event as JSON, in bytes. One event alone always fits a publish.
pub const MAX_EVENT_LEN: usize = 64 * 1024;

/// The longest `data` of an event as JSON, in bytes: leaves room for the fields around it.
pub const MAX_DATA_LEN: usize = MAX_EVENT_LEN - 1024;

/// The most events that one batch may carry.
pub const MAX_BATCH_EVENTS: usize = 1024;

/// The most announced gaps that one batch may carry.
pub const MAX_BATCH_SKIPPED: usize = 64;

/// The most events that a device puts in one batch unless told otherwise.
pub const DEFAULT_BATCH_EVENTS: usize = 64;

/// The length at which a device closes a batch unless told otherwise, in bytes of JSON before compression.
pub const DEFAULT_BATCH_LEN: usize = 32 * 1024;

/// The most batches of one stream that a device sends beyond the watermark. The gateway's workers take them in any order;
/// what comes further ahead may be left unstored, to be sent again.
pub const MAX_BATCHES_UNDER_WAY: usize = 32;

/// How much of a bad event or payload is kept to be looked at by a person, in bytes.
pub const MAX_QUARANTINED_LEN: usize = 8 * 1024;

/// The largest number in any envelope: 2^53 - 1, exact in every JSON reader and in a signed 64-bit column (RFC 8259,
/// section 6). As milliseconds it is the year 287396.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The longest device or command name, in bytes.
pub const MAX_ID_LEN: usize = 64;

/// The longest [`Word`](crate::Word) or [`Kind`](crate::Kind), in bytes.
pub const MAX_WORD_LEN: usize = 64;

/// The longest short text (a version, the name of a board, a phone number), in bytes.
pub const MAX_SHORT_LEN: usize = 256;

/// The longest explanation for people (why a command failed), in bytes.
pub const MAX_DETAIL_LEN: usize = 4 * 1024;

/// The longest spoken or logged text (a transcript, a log line), in bytes.
pub const MAX_TEXT_LEN: usize = 16 * 1024;

/// The longest topic of ours, in bytes: prefix, device, `cmd`, command, `request`.
pub const MAX_TOPIC_LEN: usize = 10 + MAX_ID_LEN + 5 + MAX_ID_LEN + 8;
