//! The allocator of the two programs.
//!
//! A command allocates some thousand times, in one thread as a rule, and ends after milliseconds. A
//! general allocator spends a fifth of the instructions of a `run` on that: on its lock and on
//! merging free neighbours. This one keeps a list of free blocks for each of 60 sizes, and
//! takes what these do not have from the end of a chunk. But for the last block of a chunk, a block
//! never changes its size while it is in use or free, so nothing has to be merged. Rust gives the
//! size of a block back when it is freed, so a block has no header.
//!
//! Memory is used again for blocks of the same size only, and given back to the kernel only if it
//! is larger than [`LARGEST`]; for a process that lives long and whose sizes change all the time
//! there are better ones. The library has none.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// All blocks are aligned to this, as malloc(3) does it.
const ALIGN: usize = 16;
/// Up to here sizes are multiples of [`ALIGN`], from here on there are four between a power of two
/// and the next one.
const FINE: usize = 512;
const FINE_CLASSES: usize = FINE / ALIGN;
/// What is larger is a mapping of its own.
const LARGEST: usize = 64 << 10;
const CLASSES: usize = FINE_CLASSES + 4 * (LARGEST / FINE).ilog2() as usize;
/// The first chunk is in the program itself, where it costs no system call, and no memory before it
/// is used.
const FIRST_CHUNK: usize = 512 << 10;
const CHUNK: usize = 1 << 20;
/// The alignment of a mapping.
const PAGE: usize = 4096;

/// The allocator: `#[global_allocator] static A: Allocator = Allocator::new();`.
pub struct Allocator {
    locked: AtomicBool,
    heap: UnsafeCell<Heap>,
    first: FirstChunk,
}

#[repr(align(16))]
struct FirstChunk(UnsafeCell<[u8; FIRST_CHUNK]>);

// SAFETY: what is in the cells is only used under the lock.
unsafe impl Sync for Allocator {}

impl fmt::Debug for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allocator").finish_non_exhaustive()
    }
}

struct Heap {
    free: [*mut Free; CLASSES],
    /// What is left of the newest chunk.
    next: *mut u8,
    end: *mut u8,
    /// From here to the end of the chunk nothing was ever stored: all of it is zero.
    untouched: *mut u8,
    first_is_used: bool,
}

/// What is in a block that is free.
struct Free {
    next: *mut Free,
}

/// The list for blocks of this size, at least 1, and their true size. `None`: it is too large.
#[inline]
fn class_of(size: usize) -> Option<(usize, usize)> {
    if size <= FINE {
        let class = size.saturating_sub(1) / ALIGN;
        return Some((class, (class + 1) * ALIGN));
    }
    if size > LARGEST {
        return None;
    }
    let below = size - 1;
    let power = below.ilog2();
    let quarter = (below >> (power - 2)) & 3;
    let class = FINE_CLASSES + 4 * (power - FINE.ilog2()) as usize + quarter;
    Some((class, (quarter + 5) << (power - 2)))
}

impl Heap {
    /// A block of this class, and whether all of it is zero.
    ///
    /// # Safety
    /// `first` is the first chunk of this heap; class and size are of [`class_of`].
    #[inline]
    unsafe fn take(&mut self, first: *mut u8, class: usize, size: usize) -> (*mut u8, bool) {
        let Some(free) = self.free.get_mut(class) else {
            return (ptr::null_mut(), false);
        };
        if !free.is_null() {
            let block = *free;
            // SAFETY: it is a free block, which begins with such a value.
            *free = unsafe { (*block).next };
            return (block.cast(), false);
        }
        if self.end.addr() - self.next.addr() < size && !self.add_chunk(first) {
            return (ptr::null_mut(), false);
        }
        let block = self.next;
        let zero = block.addr() >= self.untouched.addr();
        // SAFETY: as much is left of the chunk; a new one is larger than every class.
        self.next = unsafe { block.add(size) };
        (block, zero)
    }

    /// Takes a block back. What is larger than a page is mostly a buffer with room to spare: it is
    /// kept for the next one, and what lies behind it stays untouched.
    ///
    /// # Safety
    /// The block is of this heap, class and size, and nothing uses it any more.
    #[inline]
    unsafe fn give(&mut self, block: *mut u8, class: usize, size: usize) {
        if size <= PAGE && block.addr() + size == self.next.addr() {
            self.untouched = self.untouched.max(self.next);
            // SAFETY: the block is the last one of the chunk.
            self.next = unsafe { self.next.sub(size) };
        } else if let Some(free) = self.free.get_mut(class) {
            let block: *mut Free = block.cast();
            // SAFETY: a block has room for this and is aligned to 16.
            unsafe { (*block).next = *free };
            *free = block;
        }
    }

    /// Gives the last block of the chunk another size where it is. Not if a free block has that
    /// size: a program that does so again and again would get more and more of them.
    ///
    /// # Safety
    /// The block is of this heap and has the size `from`.
    #[inline]
    unsafe fn resize_last(&mut self, block: *mut u8, from: usize, class: usize, to: usize) -> bool {
        let fits = block.addr() + from == self.next.addr()
            && self.end.addr() - block.addr() >= to
            && self.free.get(class).is_some_and(|free| free.is_null());
        if fits {
            self.untouched = self.untouched.max(self.next);
            // SAFETY: it ends where the block does, which is in the chunk before and after.
            self.next = unsafe { self.next.sub(from).add(to) };
        }
        fits
    }

    #[cold]
    #[inline(never)]
    fn add_chunk(&mut self, first: *mut u8) -> bool {
        let (chunk, size) = if self.first_is_used {
            (map(CHUNK), CHUNK)
        } else {
            self.first_is_used = true;
            (first, FIRST_CHUNK)
        };
        if chunk.is_null() {
            return false;
        }
        self.next = chunk;
        self.untouched = chunk;
        // SAFETY: its end.
        self.end = unsafe { chunk.add(size) };
        true
    }
}

impl Allocator {
    /// An allocator that has given out nothing.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "it is for a static, which needs a constant"
    )]
    pub const fn new() -> Self {
        Self {
            locked: AtomicBool::new(false),
            heap: UnsafeCell::new(Heap {
                free: [ptr::null_mut(); CLASSES],
                next: ptr::null_mut(),
                end: ptr::null_mut(),
                untouched: ptr::null_mut(),
                first_is_used: false,
            }),
            first: FirstChunk(UnsafeCell::new([0; FIRST_CHUNK])),
        }
    }

    /// Does something with the heap and the address of its first chunk, alone.
    #[inline]
    fn locked<T>(&self, act: impl FnOnce(&mut Heap, *mut u8) -> T) -> T {
        while self.locked.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        // SAFETY: nothing else has the lock, and `act` does not allocate.
        let result = act(unsafe { &mut *self.heap.get() }, self.first.0.get().cast());
        self.locked.store(false, Ordering::Release);
        result
    }

    #[inline]
    fn allocate(&self, layout: Layout) -> (*mut u8, bool) {
        match class_of(layout.size()) {
            Some((class, size)) if layout.align() <= ALIGN => {
                // SAFETY: the first chunk is ours.
                self.locked(|heap, first| unsafe { heap.take(first, class, size) })
            }
            _ if layout.align() > PAGE => (ptr::null_mut(), false),
            _ => (map(layout.size()), true),
        }
    }
}

// SAFETY: a block is in use or free and never both, has the size and alignment that was asked for,
// and no method panics.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout).0
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (block, zero) = self.allocate(layout);
        if !zero && !block.is_null() {
            // SAFETY: the block has this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout.size()) {
            Some((class, size)) if layout.align() <= ALIGN => {
                // SAFETY: the caller gives back a block of this size.
                self.locked(|heap, _| unsafe { heap.give(block, class, size) });
            }
            _ => {
                // SAFETY: the mapping that `map` has made for this size.
                unsafe { libc::munmap(block.cast(), layout.size()) };
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, to: usize) -> *mut u8 {
        let small = layout.align() <= ALIGN;
        match (class_of(layout.size()), class_of(to)) {
            (Some((from, _)), Some((class, _))) if small && from == class => return block,
            (Some((_, from)), Some((class, to))) if small => {
                // SAFETY: the caller has a block of this size.
                let resized =
                    self.locked(|heap, _| unsafe { heap.resize_last(block, from, class, to) });
                if resized {
                    return block;
                }
            }
            (None, None) => {
                // SAFETY: the mapping that `map` has made for this size, which nothing else uses.
                let moved =
                    unsafe { libc::mremap(block.cast(), layout.size(), to, libc::MREMAP_MAYMOVE) };
                return if moved == libc::MAP_FAILED {
                    ptr::null_mut()
                } else {
                    moved.cast()
                };
            }
            _ => {}
        }
        // SAFETY: the caller promises that this size and alignment are a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(to, layout.align()) };
        let new = self.allocate(wanted).0;
        if !new.is_null() {
            // SAFETY: two blocks, of at least this size; the old one is then free.
            unsafe {
                ptr::copy_nonoverlapping(block, new, layout.size().min(to));
                self.dealloc(block, layout);
            }
        }
        new
    }
}

/// A new mapping; null if there is no memory.
fn map(size: usize) -> *mut u8 {
    // SAFETY: a new private mapping, wherever the kernel puts it.
    let mapped = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        ptr::null_mut()
    } else {
        mapped.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static ALLOCATOR: Allocator = Allocator::new();

    #[test]
    fn a_class_has_room_and_not_much_more() {
        let mut last = (0, 0);
        for size in 1..=LARGEST {
            let (class, room) = class_of(size).unwrap();
            assert!(room >= size && room % ALIGN == 0, "{size}: {room}");
            assert!(room <= ALIGN.max(size + size / 4 + ALIGN), "{size}: {room}");
            assert!(class < CLASSES);
            // The next class begins where the room of this one ends.
            assert!(
                (class, room) == last || (class == last.0 + 1 || size == 1) && size == last.1 + 1
            );
            last = (class, room);
        }
        assert_eq!(last, (CLASSES - 1, LARGEST));
        assert_eq!(class_of(LARGEST + 1), None);
    }

    /// A block in use, all of its bytes the same.
    struct Used {
        at: *mut u8,
        layout: Layout,
        byte: u8,
    }

    impl Used {
        fn fill(&self) {
            // SAFETY: a block of this size, which is ours.
            unsafe { self.at.write_bytes(self.byte, self.layout.size()) };
        }

        fn holds(&self, size: usize, byte: u8) -> bool {
            // SAFETY: as many bytes of the block are initialised.
            let bytes = unsafe { std::slice::from_raw_parts(self.at, size) };
            bytes.iter().all(|its| *its == byte)
        }
    }

    proptest! {
        /// Nothing that is in use changes, whatever else is allocated, resized and freed.
        #[test]
        fn blocks_in_use_keep_their_content(
            steps in prop::collection::vec(
                (0..4_u8, any::<prop::sample::Index>(), 1..100_000_usize, 0..17_u32, 0..8_u32),
                1..60,
            ),
        ) {
            let mut used: Vec<Used> = Vec::new();
            for (number, (what, which, size, shift, align)) in steps.into_iter().enumerate() {
                let size = (size >> shift).max(1);
                let byte = u8::try_from(number % 255 + 1).unwrap();
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                if what < 2 || used.is_empty() {
                    // SAFETY: the size is not 0.
                    let at = unsafe {
                        match what {
                            0 => ALLOCATOR.alloc_zeroed(layout),
                            _ => ALLOCATOR.alloc(layout),
                        }
                    };
                    prop_assert!(!at.is_null() && at.addr() % layout.align() == 0);
                    let block = Used { at, layout, byte };
                    prop_assert!(what != 0 || block.holds(size, 0), "not zero");
                    block.fill();
                    used.push(block);
                } else if what == 2 {
                    let block = which.get(&used);
                    let (index, layout) = (which.index(used.len()), block.layout);
                    // SAFETY: a block of this layout; the size is not 0.
                    let at = unsafe { ALLOCATOR.realloc(block.at, layout, size) };
                    prop_assert!(!at.is_null() && at.addr() % layout.align() == 0);
                    let new = Layout::from_size_align(size, layout.align()).unwrap();
                    let moved = Used { at, layout: new, byte: block.byte };
                    prop_assert!(moved.holds(size.min(layout.size()), block.byte));
                    moved.fill();
                    used[index] = moved;
                } else {
                    let block = used.swap_remove(which.index(used.len()));
                    prop_assert!(block.holds(block.layout.size(), block.byte));
                    // SAFETY: a block of this layout, not used any more.
                    unsafe { ALLOCATOR.dealloc(block.at, block.layout) };
                }
            }
            for block in used {
                prop_assert!(block.holds(block.layout.size(), block.byte));
                // SAFETY: as above.
                unsafe { ALLOCATOR.dealloc(block.at, block.layout) };
            }
        }
    }

    #[test]
    fn what_is_done_again_and_again_needs_no_more_memory() {
        static OWN: Allocator = Allocator::new();
        let left = || OWN.locked(|heap, _| heap.end.addr() - heap.next.addr());
        let round = |keep: &mut Vec<(*mut u8, Layout)>| {
            for (from, to) in [
                (16, 1024),
                (1024, 16),
                (700, 900),
                (48, 48),
                (30_000, 20),
                (8, 60_000),
            ] {
                let layout = Layout::from_size_align(from, 8).unwrap();
                let new = Layout::from_size_align(to, 8).unwrap();
                // SAFETY: a block of the layout that it has; no size is 0.
                let block = unsafe { OWN.realloc(OWN.alloc(layout), layout, to) };
                keep.push((block, new));
            }
            for (block, layout) in keep.drain(..) {
                // SAFETY: a block of this layout, not used any more.
                unsafe { OWN.dealloc(block, layout) };
            }
        };
        let mut keep = Vec::new();
        for _ in 0..10 {
            round(&mut keep);
        }
        let before = left();
        for _ in 0..1000 {
            round(&mut keep);
        }
        assert_eq!(left(), before);
    }

    #[test]
    fn threads_do_not_get_the_same_block() {
        std::thread::scope(|scope| {
            for byte in 1..=4 {
                scope.spawn(move || {
                    for size in 1..200 {
                        let layout = Layout::from_size_align(size, 8).unwrap();
                        // SAFETY: the size is not 0.
                        let at = unsafe { ALLOCATOR.alloc(layout) };
                        let block = Used { at, layout, byte };
                        block.fill();
                        std::thread::yield_now();
                        assert!(block.holds(size, byte));
                        // SAFETY: a block of this layout, not used any more.
                        unsafe { ALLOCATOR.dealloc(block.at, layout) };
                    }
                });
            }
        });
    }
}
