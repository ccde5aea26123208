//! Zstandard frames (RFC 8878), one after the other, as all of Kafka's clients read them.
//!
//! The window is limited to 128 MiB, which is the library's own limit and that of Kafka's clients; memory for it is
//! touched only as far as data really comes.

use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

use crate::cursor::Malformed;

/// Decompresses step by step.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    input: InBuffer<'a>,
    /// Whether a frame has begun and not ended.
    is_inside: bool,
    data: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Begins; `context` is to be used for these frames from now on.
    pub(super) fn new(data: &'a [u8], context: &mut DCtx<'static>) -> Result<Self, Malformed> {
        let reset = context.reset(ResetDirective::SessionOnly);
        reset.or(Err(Malformed::Compression))?;
        Ok(Self {
            input: InBuffer::around(data),
            is_inside: false,
            data,
        })
    }

    /// Fills `block` as far as it can; 0 at the end.
    pub(super) fn next(
        &mut self,
        context: &mut DCtx<'static>,
        block: &mut [u8],
    ) -> Result<usize, Malformed> {
        let mut output = OutBuffer::around(block);
        while output.pos() < output.capacity() {
            let is_fed = self.input.pos() < self.data.len();
            if !is_fed && !self.is_inside {
                break;
            }
            let (read_before, written_before) = (self.input.pos(), output.pos());
            let left = context
                .decompress_stream(&mut output, &mut self.input)
                .or(Err(Malformed::Compression))?;
            self.is_inside = left != 0;
            if self.is_inside && self.input.pos() == read_before && output.pos() == written_before {
                // No progress with room left: the frame is cut.
                return Err(Malformed::Compression);
            }
        }
        Ok(output.pos())
    }
}
