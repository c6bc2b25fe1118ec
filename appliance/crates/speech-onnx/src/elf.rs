//! Whether a file is a whole ELF library for this machine. Pure.
//!
//! The dynamic linker maps a library before it checks it: a file cut short by a full disk or a broken download
//! kills the process with a bus error instead of returning one. So the headers are read first.

/// Why a file is not a usable library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElfError {
    /// The first bytes are not those of an ELF file.
    #[error("it is not a shared library")]
    NotElf,
    /// It was built for another kind of machine.
    #[error("it is built for another kind of machine")]
    OtherMachine,
    /// The file ends before what its headers promise.
    #[error("it is cut short: {found} bytes of {expected}")]
    Truncated {
        /// Length the headers promise, bytes.
        expected: u64,
        /// Length of the file, bytes.
        found: u64,
    },
}

/// Number of bytes of the ELF64 file header.
pub(crate) const HEADER_LEN: usize = 64;

/// Largest number of program header bytes looked at; real libraries have about a dozen headers of 56 bytes.
pub(crate) const MAX_PROGRAM_HEADERS_LEN: u64 = 64 * 1024;

/// Number of bytes of one ELF64 program header.
const PROGRAM_HEADER_LEN: usize = 56;

/// Value of `e_machine` for the machine this program is built for, `None` where it is not known.
/// Source: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") {
    Some(62)
} else if cfg!(target_arch = "aarch64") {
    Some(183)
} else {
    None
};

/// Where the program headers lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgramHeaders {
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Number of bytes.
    pub(crate) len: u64,
}

/// Checks the file header against the length of the file and tells where the program headers lie.
pub(crate) fn check_header(header: &[u8; HEADER_LEN], file_len: u64) -> Result<ProgramHeaders, ElfError> {
    // Magic, 64 bit, little endian.
    if !header.starts_with(&[0x7F, b'E', b'L', b'F']) {
        return Err(ElfError::NotElf);
    }
    if header.get(4..6) != Some(&[2, 1]) || MACHINE.is_some_and(|machine| u16_at(header, 18) != Some(machine)) {
        return Err(ElfError::OtherMachine);
    }
    let (Some(program_offset), Some(section_offset)) = (u64_at(header, 32), u64_at(header, 40)) else {
        return Err(ElfError::NotElf);
    };
    let table_len = |size_at, count_at| {
        let size = u16_at(header, size_at).unwrap_or_default();
        let count = u16_at(header, count_at).unwrap_or_default();
        u64::from(size) * u64::from(count)
    };
    let program_len = table_len(54, 56);
    fits(section_offset, table_len(58, 60), file_len)?;
    fits(program_offset, program_len, file_len)?;
    if program_len > MAX_PROGRAM_HEADERS_LEN {
        return Err(ElfError::NotElf);
    }
    Ok(ProgramHeaders { offset: program_offset, len: program_len })
}

/// Checks that every part of the file that would be mapped is in it.
pub(crate) fn check_segments(program_headers: &[u8], file_len: u64) -> Result<(), ElfError> {
    for header in program_headers.chunks_exact(PROGRAM_HEADER_LEN) {
        let (Some(offset), Some(len)) = (u64_at(header, 8), u64_at(header, 32)) else {
            return Err(ElfError::NotElf);
        };
        fits(offset, len, file_len)?;
    }
    Ok(())
}

fn fits(offset: u64, len: u64, file_len: u64) -> Result<(), ElfError> {
    let expected = offset.saturating_add(len);
    if expected > file_len {
        return Err(ElfError::Truncated { expected, found: file_len });
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.saturating_add(2))?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.saturating_add(8))?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}
