/* SPDX-License-Identifier: MIT */
/*
 * Which sanitizer the test is built with: UNDER_TSAN, UNDER_ASAN, and SANITIZED
 * for either, each 0 or 1.
 */
#ifndef HOTPATCH_TEST_SANITIZED_H
#define HOTPATCH_TEST_SANITIZED_H

#ifdef __has_feature
#define HAS_SANITIZER_(name) __has_feature(name)
#else
#define HAS_SANITIZER_(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || HAS_SANITIZER_(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_SANITIZER_(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

#define SANITIZED (UNDER_TSAN || UNDER_ASAN)

#endif
