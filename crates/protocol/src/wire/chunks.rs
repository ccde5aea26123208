//! Bytes in several pieces, for writes without a copy.

use bytes::Bytes;

/// What an [`super::Encoder`] produces: pieces to be sent one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkList {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) len: usize,
}

impl ChunkList {
    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces.
    #[must_use]
    pub fn into_chunks(self) -> Vec<Bytes> {
        self.chunks
    }

    /// All pieces copied into one; for tests and small messages.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.chunks.as_slice() {
            [only] => only.clone(),
            chunks => chunks.concat().into(),
        }
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push(chunk);
        }
    }
}

/// Record batches, as one slice of a frame (decoded) or as slices of log chunks (to be encoded).
///
/// One slice needs no allocation, so that decoding a request allocates nothing for its records.
#[derive(Clone, Debug, Default)]
pub struct Records(Pieces);

#[derive(Clone, Debug)]
enum Pieces {
    One(Bytes),
    Many(Vec<Bytes>),
}

impl Default for Pieces {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

impl Records {
    /// Makes it of pieces, which are sent one after the other.
    #[must_use]
    pub fn from_chunks(chunks: Vec<Bytes>) -> Self {
        Self(Pieces::Many(chunks))
    }

    /// The pieces, in order. Without bytes there may be no piece or an empty one.
    #[must_use]
    pub fn chunks(&self) -> &[Bytes] {
        match &self.0 {
            Pieces::One(bytes) => std::slice::from_ref(bytes),
            Pieces::Many(chunks) => chunks,
        }
    }

    /// Bytes in all pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks().iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks().iter().all(Bytes::is_empty)
    }

    /// All bytes in one piece: without a copy if there is but one piece, as in everything decoded.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Pieces::One(bytes) => bytes,
            Pieces::Many(mut chunks) => match chunks.len() {
                0 => Bytes::new(),
                1 => chunks.swap_remove(0),
                _ => chunks.concat().into(),
            },
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self(Pieces::One(bytes))
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.chunks(), other.chunks());
        ours.iter().flatten().eq(theirs.iter().flatten())
    }
}

impl Eq for Records {}
