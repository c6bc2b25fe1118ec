//! Pieces of any length to frames of equal length.

/// Samples of a 20 ms frame at 8 kHz; also its G.711 bytes.
pub const FRAME_SAMPLES: usize = 160;

/// Cuts a stream into frames of `N` items and keeps what is left for the next piece.
#[derive(Clone, Debug)]
pub struct Framer<T, const N: usize = FRAME_SAMPLES> {
    rest: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Framer<T, N> {
    /// Returns a framer with nothing in it.
    pub fn new() -> Self {
        Self { rest: [T::default(); N], len: 0 }
    }

    /// Takes a piece and hands each whole frame to `sink`, in order. Nothing is allocated.
    pub fn push(&mut self, mut piece: &[T], mut sink: impl FnMut(&[T; N])) {
        if self.len > 0 {
            let (head, tail) = piece.split_at_checked(N.saturating_sub(self.len)).unwrap_or((piece, &[]));
            self.keep(head);
            piece = tail;
            if self.len < N {
                return;
            }
            sink(&self.rest);
            self.len = 0;
        }
        let (frames, rest) = piece.as_chunks::<N>();
        frames.iter().for_each(&mut sink);
        self.keep(rest);
    }

    /// Returns what is left, filled up with `filler` to a whole frame; `None` if nothing is.
    pub fn flush(&mut self, filler: T) -> Option<[T; N]> {
        if self.len == 0 {
            return None;
        }
        let mut frame = self.rest;
        frame.iter_mut().skip(self.len).for_each(|item| *item = filler);
        self.len = 0;
        Some(frame)
    }

    /// Drops what is left.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Returns how many items are kept for the next frame, fewer than `N`.
    pub const fn pending(&self) -> usize {
        self.len
    }

    /// Appends items that fit to what is kept.
    fn keep(&mut self, items: &[T]) {
        for (kept, item) in self.rest.iter_mut().skip(self.len).zip(items) {
            *kept = *item;
        }
        self.len = self.len.saturating_add(items.len()).min(N);
    }
}

impl<T: Copy + Default, const N: usize> Default for Framer<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_do_not_depend_on_how_the_stream_was_cut(
            stream in proptest::collection::vec(any::<u8>(), 0..2_000),
            cuts in proptest::collection::vec(0_usize..500, 1..40),
        ) {
            let mut framer = Framer::<u8>::new();
            let mut framed = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle().take(stream.len() + cuts.len()) {
                let (piece, tail) = rest.split_at(*cut.min(&rest.len()));
                framer.push(piece, |frame| framed.extend_from_slice(frame));
                rest = tail;
            }
            framer.push(rest, |frame| framed.extend_from_slice(frame));
            prop_assert_eq!(framed.len() % FRAME_SAMPLES, 0);
            prop_assert_eq!(framer.pending(), stream.len() % FRAME_SAMPLES);
            framed.extend(framer.flush(0xff).into_iter().flatten());
            prop_assert_eq!(&framed[..stream.len()], &stream[..]);
            prop_assert!(framed[stream.len()..].iter().all(|byte| *byte == 0xff));
        }
    }

    #[test]
    fn nothing_is_flushed_out_of_an_empty_framer() {
        let mut framer = Framer::<i16, 4>::default();
        framer.push(&[1, 2, 3, 4, 5], |frame| assert_eq!(frame, &[1, 2, 3, 4]));
        framer.clear();
        assert_eq!(framer.flush(0), None);
    }
}
