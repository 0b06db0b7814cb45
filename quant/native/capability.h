// Which variant of the kernels this CPU can run. One number for both libraries, so that they choose alike.
#pragma once

// Clang does not know the pragma by which the files of the variants choose their instructions.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define X86_VARIANTS
#endif

// In ascending order: every CPU that runs one variant runs those before it.
enum Capability { PORTABLE = 0, AVX2 = 1, AVX512 = 2 };

static inline int best_capability() {
#ifdef X86_VARIANTS
    // By name, and the files of the variants ask for no more: GCC before 12 knows no levels like x86-64-v3 here.
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return AVX512;
    if (avx2) return AVX2;
#endif
    return PORTABLE;
}
