//! Call markup.

use telephony::markup::{MAX_DOCUMENT_BYTES, ReadError, WriteError, read};

/// Reads bytes as a document; what is understood is written and understood the same.
pub fn markup(bytes: &[u8]) {
    let Ok(document) = std::str::from_utf8(bytes) else { return };
    match read(document) {
        Ok(response) => match response.write() {
            Ok(written) => {
                assert!(written.len() <= MAX_DOCUMENT_BYTES);
                assert_eq!(read(&written).as_ref(), Ok(&response), "{written}");
            }
            // Escapes may make it longer than what came; of parameters the writer knows a limit that the reader does not.
            Err(error) => assert!(matches!(error, WriteError::TooLarge { .. } | WriteError::ParameterTooLong { .. })),
        },
        Err(error) => points_into(document, &error),
    }
}

/// Checks that an error points into the document.
fn points_into(document: &str, error: &ReadError) {
    match error {
        ReadError::TooLarge { bytes } => assert!(*bytes == document.len() && *bytes > MAX_DOCUMENT_BYTES),
        ReadError::Root => {}
        ReadError::Xml { at, .. } | ReadError::TooComplex { at } => assert!(*at <= document.len()),
        ReadError::UnknownElement { at, .. }
        | ReadError::UnknownAttribute { at, .. }
        | ReadError::BadAttribute { at, .. }
        | ReadError::UnexpectedText { at, .. }
        | ReadError::Missing { at, .. } => {
            assert_eq!(document.as_bytes().get(*at), Some(&b'<'), "no element at {at}: {error}");
        }
    }
}
