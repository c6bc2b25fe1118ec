//! Libraries that are not there, not whole, or not ONNX Runtime.

use std::path::Path;

use speech_onnx::{Runtime, RuntimeError};

use crate::support;

#[test]
fn a_library_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = Runtime::load(&folder.path().join("libonnxruntime.so")).unwrap_err();
    assert!(matches!(error, RuntimeError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("make setup"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_no_library_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libonnxruntime.so");
    for content in [b"".as_slice(), b"\x7FELF", b"<html>not found</html>", &[0; 4_096]] {
        std::fs::write(&path, content).unwrap();
        let error = Runtime::load(&path).unwrap_err();
        assert!(matches!(error, RuntimeError::Damaged { .. }), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_cut_short_is_an_error_before_it_is_mapped() {
    let whole = support::library();
    if !whole.is_file() {
        println!("skipped: there is no {}", whole.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libonnxruntime.so");
    let bytes = std::fs::read(&whole).unwrap();
    for len in [63, 64, 4_096, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let error = Runtime::load(&path).unwrap_err();
        assert!(matches!(error, RuntimeError::Damaged { .. }), "{len}: {error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn another_library_is_an_error_and_the_right_one_loads_after_it() {
    let folders = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/lib"];
    let other = folders.iter().map(|folder| Path::new(folder).join("libm.so.6")).find(|path| path.is_file());
    let Some(other) = other else {
        println!("skipped: there is no libm.so.6");
        return;
    };
    let error = Runtime::load(&other).unwrap_err();
    let expected = matches!(error, RuntimeError::Incompatible { .. } | RuntimeError::OtherLoaded { .. });
    assert!(expected, "{error}");
    let Some(runtime) = support::runtime() else { return };
    assert!(runtime.library().is_absolute());
    let again = Runtime::load(&support::library()).unwrap();
    assert_eq!(again.library(), runtime.library());
    let error = Runtime::load(&other).unwrap_err();
    assert!(matches!(error, RuntimeError::OtherLoaded { .. }), "{error}");
}
