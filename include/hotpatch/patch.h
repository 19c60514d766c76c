/* SPDX-License-Identifier: MIT */
/*
 * Patches: open a bundle, apply it, look, wait, revert it. Every function here
 * may read files, take the engine's lock or call the dynamic loader, so none
 * is async-signal-safe, and none belongs on a request's path; tasks in
 * sections are never made to wait.
 *
 * Nothing here starts a thread. A transition is moved on by the tasks that
 * pass safe points and by every call of hotpatch_poll() and
 * hotpatch_patch_wait(); deadlines and unmapping need one of these two, which
 * the control server calls by itself.
 */
#ifndef HOTPATCH_PATCH_H
#define HOTPATCH_PATCH_H

#include <hotpatch/api.h>
#include <hotpatch/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

/* A patch in this process. The handle counts references; the patch lives on
 * while it is active, whoever holds a handle. */
struct hotpatch_patch;

#define HOTPATCH_NAME_SIZE 64	  /* a patch's name with its NUL */
#define HOTPATCH_BUILD_ID_SIZE 41 /* 20 bytes in hexadecimal with the NUL */
#define HOTPATCH_KEY_ID_SIZE 17	  /* 8 bytes in hexadecimal with the NUL */

/* X(NAME, text) */
#define HOTPATCH_STATE_MAP(X)                                                  \
	X(LOADED, "loaded")	  /* mapped, nothing visible */                \
	X(STAGED, "staged")	  /* next targets written, nothing visible */  \
	X(APPLYING, "applying")	  /* tasks move to it */                       \
	X(ACTIVE, "active")	  /* every task sees it */                     \
	X(REVERTING, "reverting") /* tasks move away from it */                \
	X(REVERTED, "reverted")	  /* no task sees it; not yet unmapped */      \
	X(CLOSED, "closed")	  /* unmapped */                               \
	X(RETAINED, "retained")	  /* could not be unmapped, with a reason */   \
	X(FAILED, "failed")	  /* undone before anything was visible */

enum hotpatch_state {
#define HOTPATCH_STATE_ENUM_(name, text) HOTPATCH_##name,
	HOTPATCH_STATE_MAP(HOTPATCH_STATE_ENUM_)
#undef HOTPATCH_STATE_ENUM_
};

/** hotpatch_state_name() - "active" for HOTPATCH_ACTIVE; any context */
HOTPATCH_API const char *hotpatch_state_name(enum hotpatch_state state);

enum hotpatch_signature_policy {
	HOTPATCH_SIGNATURES_DEFAULT, /* required if a key is trusted, else off */
	HOTPATCH_SIGNATURES_OFF,     /* nobody looks for a signature */
	HOTPATCH_SIGNATURES_PREFERRED, /* one that is there has to be good */
	HOTPATCH_SIGNATURES_REQUIRED,  /* only signed bundles */
};

/**
 * struct hotpatch_config - where and how patches are loaded, and from whom
 * @size:          sizeof(struct hotpatch_config)
 * @directory:     for private copies of bundles, absolute; made with mode 0700
 *                 if missing; NULL for one of the library's own choice. No
 *                 part of it is a link, and others may write to none, unless
 *                 it is sticky. Processes of one user may share it.
 * @key_directory: absolute, or NULL; each file *.pub in it is a trusted key of
 *                 minisign's format, and its file "revoked" lists ids of keys
 *                 that are trusted no more, one a line. Directory and files
 *                 belong to this user or root and nobody else may write there.
 *                 It is read at every opening.
 * @keys:          of @key_count, trusted too: the second line of a key's file
 * @key_count:     how many
 * @revoked:       of @revoked_count, ids of keys that are not trusted
 * @revoked_count: how many
 * @signatures:    what is asked of a bundle; everything but off wants a key and
 *                 a @directory, because what was accepted is remembered there
 */
struct hotpatch_config {
	size_t size;
	const char *directory;
	const char *key_directory;
	const char *const *keys;
	size_t key_count;
	const char *const *revoked;
	size_t revoked_count;
	enum hotpatch_signature_policy signatures;
};

/**
 * hotpatch_configure() - set what differs from the defaults
 * @config: copied
 * @err:    or NULL
 *
 * Context: any thread, before the first bundle is opened.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ARGUMENT for a relative or too long
 *          directory, or a policy without a key or a directory; HOTPATCH_E_KEY,
 *          HOTPATCH_E_UNSAFE_PATH, HOTPATCH_E_LIMIT, HOTPATCH_E_NOT_FOUND,
 *          HOTPATCH_E_PERMISSION, HOTPATCH_E_NOT_REGULAR, HOTPATCH_E_TOO_LARGE
 *          or HOTPATCH_E_IO for the keys; HOTPATCH_E_UNSUPPORTED if built
 *          without signatures; HOTPATCH_E_STATE after a bundle was opened;
 *          HOTPATCH_E_NO_MEMORY; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_configure(const struct hotpatch_config *config,
		   struct hotpatch_error *err);

/**
 * struct hotpatch_open_options - how to load a bundle
 * @size:               sizeof(struct hotpatch_open_options)
 * @allow_constructors: run the bundle's constructors; they are first tried in
 *                      a forked child, which has @rehearsal_ms to return
 * @rehearsal_ms:       milliseconds; 0 means 2,000
 * @signature_path:     of the detached signature; NULL for the bundle's own
 *                      path and ".minisig"; the last component must not be a
 *                      link
 * @signature_fd:       points to a descriptor of it, which stays open; goes
 *                      before @signature_path; NULL for none
 * @rollback:           load it although a signed bundle with a higher sequence
 *                      was accepted before, if these very contents were, too
 * @forgive:            load it although it is in quarantine, and take it out
 * @check_only:         only judge it, against other patches too: nothing is
 *                      mapped, remembered or run, and there is a handle with
 *                      HOTPATCH_E_ALREADY alone
 * @canary:             with @check_only: could it be shown to some first, too?
 *                      HOTPATCH_E_CANARY, as hotpatch_patch_apply() has it
 */
struct hotpatch_open_options {
	size_t size;
	bool allow_constructors;
	unsigned int rehearsal_ms;
	const char *signature_path;
	const int *signature_fd;
	bool rollback;
	bool forgive;
	bool check_only;
	bool canary;
};

/**
 * hotpatch_patch_open() - verify and load a bundle; nothing becomes visible
 * @path:    the bundle; the last component must not be a link
 * @options: or NULL
 * @patch:   receives a handle, to be given back with hotpatch_patch_close()
 * @err:     which step failed on which object, or NULL
 *
 * The signature is judged first, before anything of the file is believed; then
 * what its notes say; then the code is mapped. A signed bundle is accepted, and
 * its sequence remembered for the key and the first target's name, when it is
 * mapped, whether it is applied or not.
 *
 * Context: any thread outside a section and outside the library's callbacks;
 *          blocks on files and the dynamic loader; not async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY with a handle of the patch that
 *          has the same contents and is loaded, active or on its way; the
 *          file's faults E_NOT_FOUND, E_PERMISSION, E_NOT_REGULAR,
 *          E_TOO_LARGE, E_IO, E_NOT_ELF, E_TRUNCATED, E_MACHINE,
 *          E_NOT_BUNDLE, E_NOTE, E_FORMAT, E_DUPLICATE, E_RESTART,
 *          E_CONSTRUCTOR; what does not fit this process E_NO_TARGET,
 *          E_WRONG_TARGET, E_NO_SLOT, E_AMBIGUOUS, E_PROTOTYPE, E_CONFLICT
 *          for the name of another patch, and for one with constructors what
 *          hotpatch_patch_apply() says of other patches; what it redirects
 *          E_NO_FUNCTION, E_AMBIGUOUS, E_NOT_SEALED, E_PREPARED, E_IMMUTABLE,
 *          E_FOREIGN, E_NO_MODULE, E_TEXT, E_UNSUPPORTED; the signature's own
 *          E_UNSIGNED, E_SIGNATURE, E_SIGNATURE_LEGACY, E_UNTRUSTED_KEY,
 *          E_REVOKED_KEY, E_FORGED, and those of the keys E_KEY,
 *          E_UNSAFE_PATH, E_LIMIT; E_QUARANTINED if a process ended while it
 *          was on probation, E_DAMAGED if that cannot be known; what is too old
 *          E_EXPIRED, E_REPLAYED, E_NOT_RECORDED; the loading's own E_STORE,
 *          E_UNSAFE_PATH, E_NOEXEC, E_LOAD, E_SWAPPED, E_NO_MEMORY; the
 *          caller's E_ARGUMENT, E_IN_SECTION, E_IN_CALLBACK, E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_open(const char *path,
		    const struct hotpatch_open_options *options,
		    struct hotpatch_patch **patch, struct hotpatch_error *err);

/**
 * hotpatch_patch_open_fd() - the same for an open file
 * @fd:   readable regular file; read from its start, stays open
 * @name: what to call it in errors
 *
 * No signature lies beside it: a signed bundle comes with one in @options.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status hotpatch_patch_open_fd(
	int fd, const char *name, const struct hotpatch_open_options *options,
	struct hotpatch_patch **patch, struct hotpatch_error *err);

/**
 * hotpatch_patch_close() - give a handle back
 * @patch: NULL does nothing
 *
 * The last handle of a patch that is only loaded unloads it. An active patch
 * stays active and can be found again by its name.
 *
 * Context: any thread outside a section; may block on the dynamic loader.
 */
HOTPATCH_API void hotpatch_patch_close(struct hotpatch_patch *patch);

/**
 * hotpatch_patch_find() - a handle of the patch of this name
 * @name:  as in HOTPATCH_BUNDLE()
 * @patch: receives the handle
 *
 * Return: HOTPATCH_OK; HOTPATCH_E_NO_PATCH if none is known by that name:
 *         closed and failed patches are forgotten with their last handle.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_find(const char *name, struct hotpatch_patch **patch);

enum hotpatch_policy {
	HOTPATCH_REVERSE, /* go back */
	HOTPATCH_WAIT,	  /* go on waiting */
	HOTPATCH_FORCE,	  /* settle; keep all old code for good */
};

#define HOTPATCH_CANARY_WHOLE 10000u /* of a share */
#define HOTPATCH_CANARY_KEYS 64u     /* at most */

/**
 * struct hotpatch_canary - which tasks see a patch before all do
 * @size:      sizeof(struct hotpatch_canary)
 * @share:     of HOTPATCH_CANARY_WHOLE, how much of the work: of all keys of
 *             tasks (hotpatch_task_key()) that part, by a hash of the key and
 *             the patch's name. Keys that are in stay in as it is raised. 0 is
 *             nobody but @keys
 * @keys:      of @key_count, those that are in whatever the share; copied
 * @key_count: how many, at most HOTPATCH_CANARY_KEYS
 */
struct hotpatch_canary {
	size_t size;
	unsigned int share;
	const uint64_t *keys;
	size_t key_count;
};

/**
 * struct hotpatch_apply_options - how to move the tasks
 * @size:           sizeof(struct hotpatch_apply_options)
 * @deadline_ms:    from now, for the drain; 0 means none
 * @policy:         what to do when it passes; a transition that was turned
 *                  round by it has no deadline any more
 * @turn_ms:        how long to wait while another transition runs; 0 means
 *                  not at all
 * @adopt_sleepers: let a thread that sleeps in a system call, with nothing of
 *                  the old code on its stack, count as moved when the deadline
 *                  passes, before the policy strikes. Its section may have run
 *                  old code before: one view a section is then not kept for
 *                  it. Each use is an event.
 * @rendezvous_ms:  of a bundle with HOTPATCH_RENDEZVOUS: how long tasks may
 *                  be made to wait for one another; 0 means 100
 * @probation_ms:   how long the patch is watched once it is active, and taken
 *                  back if the process is not well; 0 means not at all. See
 *                  health.h; a revert takes no notice of this and what follows
 * @health_interval_ms: how often the host's function is asked; 0 means 100
 * @health_errors:  of 10,000 requests that were reported, how many more may
 *                  fail than before; with less than 1,000, those that are
 *                  missing count as good ones. 0 means any
 * @health_latency_percent: how long requests may take on average, in percent of
 *                  what they took before; 0 means any. Compared as soon as
 *                  there are 100 latencies on both sides
 * @health_tail_percent: the same for what 99 of 100 requests do not exceed
 * @canary:         of an apply: whom to show it before all; NULL for all at
 *                  once. @deadline_ms counts from when it comes to all
 *
 * Before is from when a patch became active or was reverted last, or from the
 * process's start, until this apply.
 */
struct hotpatch_apply_options {
	size_t size;
	unsigned int deadline_ms;
	enum hotpatch_policy policy;
	unsigned int turn_ms;
	bool adopt_sleepers;
	unsigned int rendezvous_ms;
	unsigned int probation_ms;
	unsigned int health_interval_ms;
	unsigned int health_errors;
	unsigned int health_latency_percent;
	unsigned int health_tail_percent;
	const struct hotpatch_canary *canary;
};

/**
 * hotpatch_patch_apply() - begin to move every task to @patch
 * @patch:   opened by hotpatch_patch_open(); must be loaded
 * @options: or NULL
 * @err:     which step failed on which object, or NULL
 *
 * All replacements become visible together or none does. The patches that its
 * bundle replaces go in the same transition. A patch whose revert is still
 * draining is turned round.
 *
 * A bundle's prepare, and before_revert of those that it replaces, run in the
 * calling thread before anything is visible; see HOTPATCH_PREPARE(). What is
 * owed afterwards is run by whoever moves things on; if the change fails, it
 * has returned when this returns. Other changes get HOTPATCH_E_BUSY, or their
 * turn, until the last callback has returned.
 *
 * With a canary the change stays open, and the patch applying, until it comes
 * to all by hotpatch_patch_canary() or is reverted. In each section and from
 * one safe point to the next a task has the patch or not, as it was chosen when
 * that began; callers in no section have it not. Its commit is not due yet.
 *
 * Functions that the bundle redirects are so from before the first callback on,
 * all or none; a change that fails gives them back.
 *
 * Context: any thread outside a section; serialised with other changes; does
 *          not block, except for @turn_ms, callbacks, redirects (files and the
 *          dynamic loader) and, if the bundle wants it, the rendezvous; not
 *          async-signal-safe.
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY if it is active or applying;
 *          HOTPATCH_E_BUSY while another transition runs; HOTPATCH_E_STATE if
 *          it was reverted or failed; HOTPATCH_E_CONFLICT, HOTPATCH_E_REQUIRES
 *          for other patches; HOTPATCH_E_STATE_UNKNOWN,
 *          HOTPATCH_E_STATE_OLDER; HOTPATCH_E_IMPORT, HOTPATCH_E_IMPORT_TYPE
 *          for what it uses of them; HOTPATCH_E_PREPARE if the bundle refuses;
 *          HOTPATCH_E_RENDEZVOUS if tasks were late, and then it can be tried
 *          again; HOTPATCH_E_CANARY for one of a bundle that is not consistent
 *          per task, or that replaces one of a rendezvous, or while the patch
 *          is reverting; HOTPATCH_E_NO_SLOT if a function's module has
 *          gone; of redirects HOTPATCH_E_OVERLAP, HOTPATCH_E_NO_ROOM,
 *          HOTPATCH_E_TEXT and what opening says of them;
 *          HOTPATCH_E_NO_MEMORY; HOTPATCH_E_ARGUMENT; HOTPATCH_E_IN_SECTION;
 *          HOTPATCH_E_IN_CALLBACK; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_apply(struct hotpatch_patch *patch,
		     const struct hotpatch_apply_options *options,
		     struct hotpatch_error *err);

/**
 * hotpatch_patch_revert() - begin to move every task away from @patch
 *
 * Works in any order. A patch that is still applying is turned round: the same
 * transition goes back, and patches that it was to replace stay.
 *
 * Context, parameters: as hotpatch_patch_apply().
 * Return:  as there; HOTPATCH_E_ALREADY if it is reverting, reverted or
 *          closed; HOTPATCH_E_REQUIRES if an active patch requires it;
 *          HOTPATCH_E_STATE if it was never applied; HOTPATCH_E_RENDEZVOUS if
 *          tasks were late: it is active still, and its commit ran again.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_revert(struct hotpatch_patch *patch,
		      const struct hotpatch_apply_options *options,
		      struct hotpatch_error *err);

/**
 * hotpatch_patch_canary() - change whom a canary takes, or let it come to all
 * @patch:  applied with a canary that is still open
 * @canary: whom it takes from now on; NULL for all, for good
 * @err:    or NULL
 *
 * Raised or lowered as often as one likes; a share of 0 without keys stops it
 * and keeps it open. Tasks choose anew at their next outermost enter or safe
 * point, also back: what began with the patch ends with it. To all, it is the
 * transition of any apply, with the options of that.
 *
 * A canary is taken back by hotpatch_patch_revert(). A process that forks
 * while one is open has a child where it is reverted.
 *
 * Context: as hotpatch_patch_apply().
 * Return:  HOTPATCH_OK; HOTPATCH_E_ALREADY if it takes just these, or has come
 *          to all; HOTPATCH_E_NO_CANARY; HOTPATCH_E_ARGUMENT for a share
 *          or a list that is too large; HOTPATCH_E_UNSUPPORTED if the kernel
 *          refuses its barrier: the share is changed, but until the next change
 *          the count of tasks may miss some; HOTPATCH_E_IN_SECTION;
 *          HOTPATCH_E_IN_CALLBACK; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_canary(struct hotpatch_patch *patch,
		      const struct hotpatch_canary *canary,
		      struct hotpatch_error *err);

enum hotpatch_goal {
	HOTPATCH_DRAINED,  /* its transition is over, and so are callbacks */
	HOTPATCH_UNMAPPED, /* and it was reverted and unmapped */
	HOTPATCH_HEALTHY,  /* it is active, and its probation is over */
};

/**
 * hotpatch_patch_wait() - move things on until @patch gets there
 * @goal:       how far
 * @timeout_ms: from now; negative means no limit
 * @err:        on HOTPATCH_E_TIMEOUT it names the first task in the way
 *
 * Sleeps on a futex that adopting tasks wake; looks by itself every few
 * milliseconds for tasks that came to rest without a word.
 *
 * Context: any thread outside a section; blocks.
 * Return:  HOTPATCH_OK; HOTPATCH_E_TIMEOUT, nothing changed;
 *          HOTPATCH_E_STALLED if the deadline turned the transition round;
 *          HOTPATCH_E_RETAINED if @goal is unmapped and the code has to stay;
 *          HOTPATCH_E_UNHEALTHY if @goal is healthy and it was taken back;
 *          HOTPATCH_E_STATE if @goal cannot come, such as unmapped for an
 *          active patch; HOTPATCH_E_IN_SECTION, because it would wait for
 *          itself; HOTPATCH_E_IN_CALLBACK; HOTPATCH_E_SECOND_COPY.
 */
HOTPATCH_API HOTPATCH_MUST_USE enum hotpatch_status
hotpatch_patch_wait(struct hotpatch_patch *patch, enum hotpatch_goal goal,
		    int timeout_ms, struct hotpatch_error *err);

/**
 * hotpatch_poll() - move things on without waiting
 *
 * Settles a drained transition, runs the callbacks that are owed, applies the
 * policy of a missed deadline, asks how the process is while a patch is on
 * probation, runs the destructors of shadows that were detached, unmaps what is
 * proven unreachable, gives back what was redirected for patches that went, and
 * looks for modules of which patches redirect functions.
 *
 * Context: any thread; does nothing inside a section or a callback; does not
 *          wait for tasks, but may call the dynamic loader.
 * Return:  how many things are under way: transitions, patches on probation,
 *          patches not yet unmapped, without those that are retained for good,
 *          and shadows that wait for their destructor as one.
 */
HOTPATCH_API unsigned int hotpatch_poll(void);

/**
 * struct hotpatch_patch_info - what is known of a patch
 * @state:        now
 * @name:         from the bundle
 * @sequence:     from the bundle
 * @build_id:     of the bundle itself
 * @path:         of the private copy that is mapped
 * @key_id:       of the key that signed it, as minisign shows it; "" if nobody
 *                vouched for it
 * @functions:    replacements in the bundle
 * @bound:        of these, those whose module is loaded
 * @mapped_bytes: address space of the image, 0 once closed
 * @generation:   that its last transition made, 0 if none
 * @status:       why it was reversed, taken back, retained or failed; else
 *                HOTPATCH_OK
 * @reason:       the same as a sentence, else ""
 * @still_runs:   of an active patch: the function whose original body a thread
 *                is still in, because it is a loop that never returned, told
 *                by where threads entered their sections; else ""
 * @callback:     which of its callbacks is running, such as "prepare", or ""
 * @open_us:      microseconds that opening took
 * @drain_us:     from the start of its last transition until drained
 * @unmap_us:     from the start of the revert until unmapped
 * @probation_ms: how much of its probation is left, 0 if it is on none
 * @canary:       its canary is open
 * @canary_share: of HOTPATCH_CANARY_WHOLE
 * @canary_keys:  how many keys are in whatever the share
 * @canary_tasks: tasks that have it at this moment, in an open section
 */
struct hotpatch_patch_info {
	enum hotpatch_state state;
	char name[HOTPATCH_NAME_SIZE];
	uint64_t sequence;
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	char path[256];
	char key_id[HOTPATCH_KEY_ID_SIZE];
	unsigned int functions;
	unsigned int bound;
	size_t mapped_bytes;
	uint64_t generation;
	enum hotpatch_status status;
	char reason[256];
	char still_runs[128];
	char callback[16];
	uint64_t open_us;
	uint64_t drain_us;
	uint64_t unmap_us;
	uint64_t probation_ms;
	bool canary;
	unsigned int canary_share;
	unsigned int canary_keys;
	unsigned int canary_tasks;
};

/** hotpatch_patch_info() - fill @info; any thread */
HOTPATCH_API void hotpatch_patch_info(const struct hotpatch_patch *patch,
				      struct hotpatch_patch_info *info);

/**
 * hotpatch_patch_list() - the known patches, in the order of becoming active
 * @infos: array of @size
 *
 * Patches that are not active come after, in the order in which they came.
 * Return: how many there are, which may be more than @size.
 */
HOTPATCH_API size_t hotpatch_patch_list(struct hotpatch_patch_info *infos,
					size_t size);

/**
 * struct hotpatch_state_info - a state that patches have installed
 * @id:      as declared with HOTPATCH_STATE()
 * @version: the highest that is installed
 * @patches: how many share it
 * @patch:   the newest of them
 */
struct hotpatch_state_info {
	char id[HOTPATCH_NAME_SIZE];
	uint32_t version;
	unsigned int patches;
	char patch[HOTPATCH_NAME_SIZE];
};

/** hotpatch_state_list() - as hotpatch_patch_list(), for installed states */
HOTPATCH_API size_t hotpatch_state_list(struct hotpatch_state_info *infos,
					size_t size);

/**
 * struct hotpatch_slot_info - one patchable function
 * @module:       base name of its module's file
 * @name:         the function; a static one as "file.c:name"
 * @prototype:    as spelled at its definition
 * @patch:        name of the patch whose code new sections run, "" for the
 *                original
 * @replacements: active patches that replace it
 * @redirected:   nobody prepared it; it is one because it was redirected
 * @build_id:     of the module or bundle whose code new sections run
 * @module_build_id: of its module
 * @moving:       tasks are moving from one body to another
 * @previous:     while they do, as @patch, for those that have not moved
 */
struct hotpatch_slot_info {
	char module[HOTPATCH_NAME_SIZE];
	char name[128];
	char prototype[256];
	char patch[HOTPATCH_NAME_SIZE];
	unsigned int replacements;
	bool redirected;
	char build_id[HOTPATCH_BUILD_ID_SIZE];
	char module_build_id[HOTPATCH_BUILD_ID_SIZE];
	bool moving;
	char previous[HOTPATCH_NAME_SIZE];
};

/** hotpatch_slot_list() - as hotpatch_patch_list(), for functions */
HOTPATCH_API size_t hotpatch_slot_list(struct hotpatch_slot_info *infos,
				       size_t size);

/**
 * struct hotpatch_blocker - a task that the open transition waits for
 * @thread:     its thread's id; 0 for a fiber that no thread runs
 * @name:       of the thread or fiber
 * @generation: of its view
 * @age_ms:     how long it has been in the way, from the transition's start
 * @asleep:     in a system call, so that its stack could be read
 * @function:   innermost function of the old view on its stack, or ""
 * @advice:     what would help, one sentence
 */
struct hotpatch_blocker {
	int thread;
	char name[16];
	uint64_t generation;
	uint64_t age_ms;
	bool asleep;
	char function[128];
	char advice[128];
};

/**
 * hotpatch_blocker_list() - who is in the way of the open transition
 * @blockers: array of @size
 *
 * Context: any thread; reads /proc.
 * Return:  how many there are, which may be more than @size; 0 without an open
 *          transition.
 */
HOTPATCH_API size_t hotpatch_blocker_list(struct hotpatch_blocker *blockers,
					  size_t size);

/**
 * struct hotpatch_process_info - the library in this process
 * @status:      HOTPATCH_OK, or why the library refuses to work here
 * @membarrier:  the kernel's barrier is used; else every enter has a fence
 * @transition:  one is open
 * @forced:      a transition was forced once
 * @sleepers:    threads that sleep can be looked at through /proc
 * @generation:  the newest view
 * @tasks:       records in use
 * @slots:       patchable functions
 * @modules:     modules with a table
 */
struct hotpatch_process_info {
	enum hotpatch_status status;
	bool membarrier;
	bool transition;
	bool forced;
	bool sleepers;
	uint64_t generation;
	size_t tasks;
	size_t slots;
	size_t modules;
};

HOTPATCH_API void hotpatch_process_info(struct hotpatch_process_info *info);

HOTPATCH_END_DECLS

#endif
