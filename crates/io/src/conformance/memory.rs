//! Aligned memory.

use super::{Fixture, Suite};
use crate::{ALIGNMENT, Buffer as _, Io, Pool};

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn memory(&self) {
        self.case("memory is aligned and shared by clones", self.aligned())
            .await;
        self.case("a pool fills and lends chunks", self.pooled())
            .await;
        self.case("random numbers differ", self.random()).await;
    }

    async fn aligned(&self) {
        for blocks in [1, 2, 16, 256] {
            let len_bytes = blocks * ALIGNMENT;
            let mut buffer = self.io.allocate(len_bytes);
            assert_eq!(buffer.len(), len_bytes);
            assert_eq!(buffer.as_mut_ptr().as_ptr().addr() % ALIGNMENT, 0);
            buffer.as_mut_slice().fill(7);
            let clone = buffer.clone();
            assert!(!buffer.is_unique(), "a clone is alive");
            assert_eq!(clone.as_mut_ptr(), buffer.as_mut_ptr());
            assert!(clone.as_slice().iter().all(|&byte| byte == 7));
            drop(clone);
            assert!(buffer.is_unique(), "the clone is gone");
        }
    }

    async fn pooled(&self) {
        let pool: Pool<I::Buffer> = Pool::new(2 * ALIGNMENT, 4);
        let mut writer = pool.chunk(|len_bytes| self.io.allocate(len_bytes));
        let taken = writer.append(&[1; 3 * ALIGNMENT], |bytes| bytes[0] = 9);
        assert_eq!(taken, 2 * ALIGNMENT, "what fits is taken");
        let lent = writer.slice(0..2);
        drop(writer);
        pool.reclaim(usize::MAX);
        assert_eq!(&lent[..], &[9, 1], "a slice outlives its writer");
        drop(lent);
        pool.reclaim(usize::MAX);
        assert_eq!(pool.lent_bytes(), 0);
    }

    async fn random(&self) {
        let first = self.io.random();
        let repeats = (0..64).filter(|_| self.io.random() == first).count();
        assert_eq!(repeats, 0, "64 random bits do not repeat soon");
    }
}
