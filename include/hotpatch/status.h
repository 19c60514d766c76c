/* SPDX-License-Identifier: MIT */
/*
 * Status codes: one for each cause, the same in the API, the command and its
 * JSON. Code, name and text come from the one list below, so they cannot
 * drift apart.
 */
#ifndef HOTPATCH_STATUS_H
#define HOTPATCH_STATUS_H

#include <hotpatch/api.h>

/* X(name, value, text). Values are never renumbered; new ones go last. */
#define HOTPATCH_STATUS_MAP(X)                                                 \
	X(OK, 0, "done")                                                       \
	X(E_ARGUMENT, -1, "an argument is out of range")                       \
	X(E_NO_MEMORY, -2, "out of memory")                                    \
	X(E_BUSY, -3, "another transition is running")                         \
	X(E_STATE, -4, "the patch's state forbids this")                       \
	X(E_IN_SECTION, -5, "the caller is inside a section")                  \
	X(E_IN_CALLBACK, -6, "the caller is code that the library runs")       \
	X(E_TIMEOUT, -7, "not reached in time")                                \
	X(E_STALLED, -8, "tasks did not leave the old code by the deadline")   \
	X(E_RETAINED, -9, "the code stays mapped")                             \
	X(E_SECOND_COPY, -10, "another copy of the library is running")        \
	X(E_UNSUPPORTED, -11, "not supported here")                            \
	X(E_NOT_FOUND, -12, "no such file")                                    \
	X(E_PERMISSION, -13, "permission denied")                              \
	X(E_NOT_REGULAR, -14, "not a regular file")                            \
	X(E_TOO_LARGE, -15, "larger than the limit")                           \
	X(E_IO, -16, "reading failed")                                         \
	X(E_NOT_ELF, -17, "not an ELF file")                                   \
	X(E_TRUNCATED, -18, "the file ends before its contents do")            \
	X(E_MACHINE, -19, "built for another machine")                         \
	X(E_NOT_BUNDLE, -20, "an ELF file, but not a bundle")                  \
	X(E_NOTE, -21, "a note of the bundle is malformed")                    \
	X(E_FORMAT, -22, "the bundle's format is newer than this library")     \
	X(E_NO_TARGET, -23, "the bundle names no target build")                \
	X(E_WRONG_TARGET, -24, "the bundle is for another build")              \
	X(E_NO_SLOT, -25, "the target has no such patchable function")         \
	X(E_PROTOTYPE, -26, "the prototypes differ")                           \
	X(E_DUPLICATE, -27, "the bundle names a function twice")               \
	X(E_AMBIGUOUS, -28, "the target has several functions of this name")   \
	X(E_CONFLICT, -29, "an active patch excludes it")                      \
	X(E_REQUIRES, -30, "a patch that it requires is not active")           \
	X(E_ALREADY, -31, "it is already so")                                  \
	X(E_NOEXEC, -32, "the private directory is mounted noexec")            \
	X(E_STORE, -33, "the private copy could not be written")               \
	X(E_LOAD, -34, "the dynamic loader refused the bundle")                \
	X(E_CONSTRUCTOR, -35, "the bundle has constructors")                   \
	X(E_SWAPPED, -36, "what was loaded is not what was verified")          \
	X(E_RESTART, -37, "the fix needs a restart")                           \
	X(E_NO_PATCH, -38, "no such patch")                                    \
	X(E_UNREACHABLE, -39, "the process cannot be reached")                 \
	X(E_PROTOCOL, -40, "the control protocol was violated")                \
	X(E_LIMIT, -41, "a limit is reached")                                  \
	X(E_USAGE, -42, "the command was not understood")                      \
	X(E_NO_PROCESS, -43, "no process matched")                             \
	X(E_UNSIGNED, -44, "the bundle has no signature")                      \
	X(E_SIGNATURE, -45, "the signature is malformed")                      \
	X(E_SIGNATURE_LEGACY, -46, "the signature is of the old kind")         \
	X(E_UNTRUSTED_KEY, -47, "signed by a key that is not trusted")         \
	X(E_REVOKED_KEY, -48, "signed by a key that was revoked")              \
	X(E_FORGED, -49, "the signature does not fit the bytes")               \
	X(E_EXPIRED, -50, "the bundle has expired")                            \
	X(E_REPLAYED, -51, "a newer bundle was accepted before")               \
	X(E_NOT_RECORDED, -52, "this bundle was never accepted before")        \
	X(E_KEY, -53, "a key is malformed")                                    \
	X(E_UNSAFE_PATH, -54, "others may change what lies there")             \
	X(E_PASSWORD, -55, "the password is wrong or missing")                 \
	X(E_IMPORT, -56, "an import is not there")                             \
	X(E_IMPORT_TYPE, -57, "an import has another type")                    \
	X(E_NOT_SEALED, -58, "the bundle is not sealed for this build")        \
	X(E_SEAL, -59, "it cannot be hotpatched as it is")                     \
	X(E_SEAL_ROOM, -60, "the bundle has no room for its seal")             \
	X(E_NO_DEBUG, -61, "debugging information is missing or broken")       \
	X(E_PREPARE, -64, "the bundle's prepare refused")                      \
	X(E_STATE_UNKNOWN, -65, "it does not know an installed state")         \
	X(E_STATE_OLDER, -66, "a newer version of a state is installed")       \
	X(E_RENDEZVOUS, -67, "the tasks did not meet in time")                 \
	X(E_QUEUE, -68, "too many changes wait already")                       \
	X(E_NO_SHADOW, -73, "the object has no such shadow")                   \
	X(E_SHADOW_TYPE, -74, "the shadow is of another size or type")         \
	X(E_SHADOW_CONSTRUCTOR, -75, "the shadow's constructor refused")       \
	X(E_SHADOW_STALE, -76, "the shadow belongs to an object that is gone") \
	X(E_NO_MODULE, -77, "no such module is loaded")                        \
	X(E_NO_FUNCTION, -78, "the module has no such function")               \
	X(E_IMMUTABLE, -79, "the function cannot be redirected")               \
	X(E_FOREIGN, -80, "the code is not what its file has")                 \
	X(E_NO_ROOM, -81, "no address is free where a jump could lead")        \
	X(E_TEXT, -82, "the system refuses to change code")                    \
	X(E_OVERLAP, -83, "another function's jump needs these bytes")         \
	X(E_IN_USE, -84, "a patch replaces the function")                      \
	X(E_PREPARED, -85, "the host prepared the function itself")            \
	X(E_SEVERAL, -90, "several processes matched")                         \
	X(E_LOG, -95, "the log cannot be written")                             \
	X(E_LOG_BROKEN, -96, "the log was changed by somebody else")           \
	X(E_DAMAGED, -100, "a list of the private directory is damaged")       \
	X(E_QUARANTINED, -101, "the bundle is in quarantine")                  \
	X(E_DIVERGED, -102, "what is active is not what is desired")           \
	X(E_SWITCHED_OFF, -103, "a file switches off what is desired")         \
	X(E_UNHEALTHY, -110, "the process was not well with the patch")        \
	X(E_INTERRUPTED, -111, "interrupted before the end")                   \
	X(E_CANARY, -130, "a share of the tasks cannot have it alone")         \
	X(E_NO_CANARY, -131, "the patch has no open canary")

enum hotpatch_status {
#define HOTPATCH_STATUS_ENUM_(name, value, text) HOTPATCH_##name = value,
	HOTPATCH_STATUS_MAP(HOTPATCH_STATUS_ENUM_)
#undef HOTPATCH_STATUS_ENUM_
};

/**
 * struct hotpatch_error - why something was refused
 * @status:    the cause
 * @os_error:  the errno behind it, or 0
 * @object:    what it is about: a file, a function, a patch, a thread
 * @sentence:  one sentence for people, with the object's name
 *
 * The caller owns it. A function that fails fills all of it; one that
 * succeeds leaves it alone. Texts that do not fit end in "...".
 */
struct hotpatch_error {
	enum hotpatch_status status;
	int os_error;
	char object[128];
	char sentence[256];
};

HOTPATCH_BEGIN_DECLS

/**
 * hotpatch_status_name() - the code's name, "E_BUSY" for HOTPATCH_E_BUSY
 * @status: any value
 *
 * Context: any, also a signal handler.
 * Return:  a static string; "E_UNKNOWN" for a value that is not in the list.
 */
HOTPATCH_API const char *hotpatch_status_name(enum hotpatch_status status);

/**
 * hotpatch_status_text() - what the code means, without the object's name
 * @status: any value
 *
 * Context: any, also a signal handler.
 * Return:  a static string.
 */
HOTPATCH_API const char *hotpatch_status_text(enum hotpatch_status status);

HOTPATCH_END_DECLS

#endif
