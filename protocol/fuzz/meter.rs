//! An allocator that counts what each thread holds, for the bound of memory.
#![allow(unsafe_code, reason = "an allocator cannot be written without it; it only counts and passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Below zero where a thread frees what another one allocated.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Meter;

#[global_allocator]
static METER: Meter = Meter;

fn grow(bytes: usize) {
    HELD.set(HELD.get().saturating_add_unsigned(bytes));
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn shrink(bytes: usize) {
    HELD.set(HELD.get().saturating_sub_unsigned(bytes));
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counters are thread-local cells without destructors.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        shrink(layout.size());
        grow(new_size);
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

/// The most bytes that `run` held at once on this thread, above what was held before.
pub(crate) fn peak_of(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    run();
    PEAK.get().abs_diff(before)
}

#[test]
fn what_is_held_at_once_is_counted() {
    let peak = peak_of(|| {
        drop(vec![1_u8; 1_000_000]);
        drop(std::hint::black_box(vec![0_u8; 2_000_000]));
    });
    assert!((2_000_000..2_100_000).contains(&peak), "{peak}");
}
