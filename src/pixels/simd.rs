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
