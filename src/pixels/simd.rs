//! Loops over pixels, compiled twice: for the baseline and for AVX2, chosen at run time. The loops are plain
//! Rust that the compiler vectorises; what is done to a pixel is a closure.
#![allow(unsafe_code, reason = "island: calls functions compiled for AVX2 after asking the processor")]

/// Defines a function whose body is compiled for the baseline and for AVX2.
macro_rules! dispatched {
    ($(#[$doc:meta])* $vis:vis fn $name:ident<$($t:ident),*>($($arg:ident: $ty:ty),* $(,)?)
        where $($bound:ident: $limit:path),+; $body:block) => {
        $(#[$doc])*
        #[inline]
        $vis fn $name<$($t),*>($($arg: $ty),*) where $($bound: $limit),+ {
            #[inline(always)]
            fn portable<$($t),*>($($arg: $ty),*) where $($bound: $limit),+ $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2")]
                fn avx2<$($t),*>($($arg: $ty),*) where $($bound: $limit),+ {
                    portable($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
                    // SAFETY: the processor has what the function was compiled for (BMI2 implies BMI1).
                    return unsafe { avx2($($arg),*) };
                }
            }
            portable($($arg),*)
        }
    };
}

dispatched! {
    /// `to[i] = f(from[i])` for the shorter of the two.
    pub fn map<A, B, F>(from: &[A], to: &mut [B], f: F) where A: Copy, F: Fn(A) -> B; {
        for (to, from) in to.iter_mut().zip(from) {
            *to = f(*from);
        }
    }
}

dispatched! {
    /// `items[i] = f(items[i])`.
    pub fn update<A, F>(items: &mut [A], f: F) where A: Copy, F: Fn(A) -> A; {
        for item in items {
            *item = f(*item);
        }
    }
}

dispatched! {
    /// `to[i] = f(a[i], b[i], c[i])` for the shortest of the four.
    pub fn map3<A, B, C, F>(a: &[A], b: &[B], c: &[B], to: &mut [C], f: F)
        where A: Copy, B: Copy, F: Fn(A, B, B) -> C;
    {
        for (((to, a), b), c) in to.iter_mut().zip(a).zip(b).zip(c) {
            *to = f(*a, *b, *c);
        }
    }
}

dispatched! {
    /// `(to_1[i], to_2[i]) = f(a[i], b[i])` for the shortest of the four.
    pub fn map2<A, B, F>(a: &[A], b: &[A], to_1: &mut [B], to_2: &mut [B], f: F)
        where A: Copy, F: Fn(A, A) -> (B, B);
    {
        for (((to_1, to_2), a), b) in to_1.iter_mut().zip(to_2).zip(a).zip(b) {
            (*to_1, *to_2) = f(*a, *b);
        }
    }
}

/// Four bytes a pixel to three: the fourth is dropped, or with `reverse` blue comes first.
pub fn pack_3(from: &[[u8; 4]], to: &mut [[u8; 3]], reverse: bool) {
    #[cfg(target_arch = "x86_64")]
    let done = if is_x86_feature_detected!("ssse3") {
        // SAFETY: the processor has what the function was compiled for.
        unsafe { x86::pack_3(from, to, reverse) }
    } else {
        0
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    for (to, &[r, g, b, _]) in to[done..].iter_mut().zip(&from[done..]) {
        *to = if reverse { [b, g, r] } else { [r, g, b] };
    }
}

/// Three bytes a pixel to four: the fourth is 255, and with `reverse` the first is that of red.
pub fn unpack_3(from: &[[u8; 3]], to: &mut [[u8; 4]], reverse: bool) {
    #[cfg(target_arch = "x86_64")]
    let done = if is_x86_feature_detected!("ssse3") {
        // SAFETY: the processor has what the function was compiled for.
        unsafe { x86::unpack_3(from, to, reverse) }
    } else {
        0
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    for (to, &[r, g, b]) in to[done..].iter_mut().zip(&from[done..]) {
        *to = if reverse { [b, g, r, 255] } else { [r, g, b, 255] };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Four pixels at a time; answers how many pixels are done. Never writes behind `to`.
    #[target_feature(enable = "ssse3")]
    pub fn pack_3(from: &[[u8; 4]], to: &mut [[u8; 3]], reverse: bool) -> usize {
        let order = if reverse {
            _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)
        } else {
            _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1)
        };
        let count = from.len().min(to.len());
        let (from, to) = (from[..count].as_flattened(), to[..count].as_flattened_mut());
        let mut done = 0;
        // The four bytes too many are of pixels still to come.
        while let (Some(from), Some(to)) =
            (from.get(4 * done..4 * done + 16), to.get_mut(3 * done..3 * done + 16))
        {
            // SAFETY: both slices are 16 bytes long.
            unsafe {
                let pixels = _mm_loadu_si128(from.as_ptr().cast());
                _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_shuffle_epi8(pixels, order));
            }
            done += 4;
        }
        done
    }

    /// The same the other way. Never reads behind `from`.
    #[target_feature(enable = "ssse3")]
    pub fn unpack_3(from: &[[u8; 3]], to: &mut [[u8; 4]], reverse: bool) -> usize {
        let order = if reverse {
            _mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1)
        } else {
            _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1)
        };
        let opaque = _mm_set1_epi32(0xff00_0000_u32 as i32);
        let count = from.len().min(to.len());
        let (from, to) = (from[..count].as_flattened(), to[..count].as_flattened_mut());
        let mut done = 0;
        while let (Some(from), Some(to)) =
            (from.get(3 * done..3 * done + 16), to.get_mut(4 * done..4 * done + 16))
        {
            // SAFETY: both slices are 16 bytes long.
            unsafe {
                let pixels = _mm_shuffle_epi8(_mm_loadu_si128(from.as_ptr().cast()), order);
                _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_or_si128(pixels, opaque));
            }
            done += 4;
        }
        done
    }
}
