/* SPDX-License-Identifier: MIT */
/*
 * What every public header needs: visibility, C++ linkage, attributes.
 */
#ifndef HOTPATCH_API_H
#define HOTPATCH_API_H

#define HOTPATCH_API __attribute__((visibility("default")))
#define HOTPATCH_MUST_USE __attribute__((warn_unused_result))

/* A struct and a function may share a name in C; g++ would warn of it. */
#ifdef __cplusplus
#define HOTPATCH_BEGIN_DECLS                                                   \
	_Pragma("GCC diagnostic push")                                         \
		_Pragma("GCC diagnostic ignored \"-Wshadow\"") extern "C"      \
	{
#define HOTPATCH_END_DECLS                                                     \
	}                                                                      \
	_Pragma("GCC diagnostic pop")
#define HOTPATCH_EXTERN_C extern "C"
#else
#define HOTPATCH_BEGIN_DECLS
#define HOTPATCH_END_DECLS
#define HOTPATCH_EXTERN_C
#endif

#endif
