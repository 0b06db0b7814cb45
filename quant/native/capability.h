// Which variant of the kernels this CPU can run. One number for both libraries, so that they choose alike.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define X86_VARIANTS
#endif

// In ascending order: every CPU that runs one variant runs those before it.
enum Capability { PORTABLE = 0, AVX2 = 1, AVX512 = 2 };

static inline int best_capability() {
#ifdef X86_VARIANTS
    if (__builtin_cpu_supports("x86-64-v4")) return AVX512;
    if (__builtin_cpu_supports("x86-64-v3")) return AVX2;
#endif
    return PORTABLE;
}
