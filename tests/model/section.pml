/* SPDX-License-Identifier: MIT */
/*
 * The section protocol on a weakly ordered machine: one task with a signal
 * handler that may interrupt it between any two steps, and one writer that
 * applies a patch P over the original O of two slots, perhaps turns round,
 * reverts it and unmaps it. Tasks neither read each other's records nor write
 * anything shared, and a scan is the conjunction of its looks, so one task
 * stands for any number; what tasks do together is in transition.pml.
 *
 * Without a macro the machine is x86 (a store buffer in order, loads in
 * order). -DWEAK adds what aarch64 may do: stores to different addresses
 * change places, a load is satisfied early unless an acquire or a barrier is
 * between. -DFENCED is the variant without membarrier, -DNO_HANDLER leaves the
 * signal handler out. All other macros remove one thing from the protocol;
 * mutants.txt tells what.
 */

#define O 0 /* the original, always mapped */
#define P 1 /* the patch's body */
#define DETOUR 2 /* a slot's dispatch stub, as its target */
#define NONE 3

#define ENTERING 1
#define NESTING 2

#define SLOTS 2
#define RECORDS 2 /* view records of a slot */

/* Memory. */
byte generation = 1;
byte seen; /* what the scan sees; the task's stores wait in sb */
byte target[SLOTS];
byte view[SLOTS]; /* record in use, counted from 1; 0 is NULL */
byte previous[4]; /* slot * RECORDS + record - 1 */
byte next[4];
byte since[4];
byte retired[4];
bool mapped = true; /* P */

/* The thread: its store buffer, and what its own loads find in it. */
#ifdef WEAK
#define BUFFERED 2
#else
#define BUFFERED 3
#endif
chan sb = [BUFFERED] of { byte };
byte own_seen;
byte depth;
bool signalled; /* the handler runs */
bool ended;
bool data; /* a store to P's data waits, independent of sb */
byte early = NONE; /* the target of slot 0, loaded ahead of time */
byte early_view = NONE; /* likewise its view record */

/* What the properties need to know; no step depends on it. */
byte confirmed; /* the last view that was announced and compared */
bool in_section;
byte section_view;
byte section_got = NONE; /* the version that the open section saw */
bool handler_in_section; /* in one of its own */
byte handler_view;
byte handler_got = NONE;
byte version_of[8]; /* of each generation */
#ifdef ADVANCE_UNFENCED
byte early_seen; /* what the scan loads ahead of the writer's own store */
#endif

inline drop_early_loads()
{
	early = NONE;
	early_view = NONE
}

inline data_arrives()
{
	if
	:: data -> assert(mapped); data = false
	:: else
	fi
}

/* A full fence in the task. */
inline drain()
{
	d_step {
		do
		:: sb?seen
		:: empty(sb) -> break
		od;
		data_arrives();
		drop_early_loads()
	}
}

active proctype Memory()
{
end:	do
	:: sb?seen
#ifdef WEAK
	:: atomic { data -> data_arrives() }
	:: d_step { early == NONE && !ended -> early = target[0] }
#ifdef NO_DISPATCH_FENCE
	:: d_step { early_view == NONE && !ended -> early_view = view[0] }
#endif
#endif
	od
}

/* hotpatch_enter(), publish(), publish_fenced(). */
inline publish(g)
{
	do
	:: g = generation;
#if defined(FENCED) && !defined(PLAIN_STORE)
	   d_step {
		drain();
		seen = g;
		own_seen = g
	   }
#else
	   atomic { sb!g; own_seen = g }
#endif
	   if
#ifdef NO_RECHECK
	   :: atomic { true ->
#else
	   :: atomic { g == generation ->
#endif
#ifndef NO_ACQUIRE
		drop_early_loads();
#endif
		confirmed = g;
		g = 0;
		break
	   }
#ifndef NO_RECHECK
	   :: else
#endif
	   fi
	od
}

/* The store that ends a section: hotpatch_leave(), give_back(). */
inline clear_seen()
{
#ifdef NO_RELEASE
	atomic { sb!0; own_seen = 0 }
#else
	atomic { !data -> sb!0; own_seen = 0 }
#endif
}

inline load_target(s, t)
{
	if
	:: d_step {
		t = target[s];
		early = (s == 0 -> NONE : early)
	   }
#ifdef WEAK
	:: d_step { s == 0 && early != NONE -> t = early; early = NONE }
#endif
	fi
}

inline load_view(s, v)
{
	if
	:: v = view[s]
	:: d_step {
		s == 0 && early_view != NONE ->
		v = early_view;
		early_view = NONE
	   }
	fi;
	assert(v != 0)
}

/* hotpatch_dispatch, for a caller in a section. */
inline dispatch(s, v, t)
{
#if defined(WEAK) && !defined(NO_DISPATCH_FENCE)
	d_step { drop_early_loads() };
#endif
	atomic {
		load_view(s, v);
		v = s * RECORDS + v - 1
	}
	if
	:: own_seen >= since[v] && (own_seen - since[v]) % 2 == 0 ->
		atomic { t = next[v]; v = 0 }
	:: else ->
		atomic { t = previous[v]; v = 0 }
	fi
}

inline check_version(got, t)
{
	assert(got == NONE || got == t);
	got = t
}

inline call(s, v, t)
{
	atomic {
		if
		:: s = 0
		:: s = 1
		fi;
		load_target(s, t)
	}
	if
	:: t == DETOUR -> dispatch(s, v, t)
	:: else
	fi;
	/* The first instruction of the body. */
	d_step {
		s = 0;
		assert(t != P || mapped);
		if
		:: in_section -> check_version(section_got, t)
		:: else -> check_version(handler_got, t)
		fi;
#ifdef WEAK
		data = data || t == P
#endif
	}
	/* The last one. */
	d_step { assert(t != P || mapped); t = 0 }
}

inline section_begins()
{
	in_section = true;
	section_view = confirmed;
	section_got = NONE
}

inline section_ends()
{
	in_section = false;
	section_view = 0;
	section_got = NONE
}

inline enter(g)
{
	(depth == 0);
#ifndef LATE_DEPTH
	depth = ENTERING;
#endif
	publish(g);
	atomic { depth = NESTING; section_begins() }
}

inline leave()
{
	atomic { depth = 0; section_ends() }
	clear_seen()
}

inline inner_leave()
{
	depth = depth - NESTING;
#ifdef INNER_LEAVE_CLEARS
	clear_seen()
#endif
}

/* hotpatch_safe_point_slow(), without the look at its own stack. */
inline safe_point(g)
{
	atomic {
#ifdef SAFE_POINT_IN_NESTED
		own_seen != generation ->
		if
		:: depth == NESTING -> section_ends()
		:: else
		fi;
#else
		own_seen != generation && depth == NESTING ->
		section_ends();
#endif
#ifndef SAFE_POINT_UNMARKED
		depth = depth + ENTERING
#endif
	}
	publish(g);
	atomic {
#ifndef SAFE_POINT_UNMARKED
		depth = depth - ENTERING;
#endif
		if
		:: !in_section -> section_begins()
		:: else
		fi
	}
}

active proctype Task() provided (!signalled)
{
	byte g, s, v, t;

	do
	:: enter(g);
	   do
	   :: call(s, v, t)
	   :: atomic { depth == NESTING -> depth = depth + NESTING }
	   :: depth > NESTING -> inner_leave()
	   :: safe_point(g)
	   :: depth == NESTING -> leave(); break
	   :: goto thread_ends
	   od
	:: break
	od;
thread_ends:
	atomic { ended = true; section_ends(); depth = 0 }
#ifndef END_KEEPS_SEEN
	clear_seen();
#endif
	drain()
}

#ifndef NO_HANDLER
/* Enters, calls what it likes and leaves, wherever it interrupts. */
active proctype Handler()
{
	byte g, s, v, t;

end:	do
	:: atomic { !signalled && !ended -> signalled = true };
	   if
	   :: depth == 0 ->
#ifndef LATE_DEPTH
		depth = ENTERING;
#endif
		publish(g);
		depth = NESTING
#ifdef HANDLER_ONLY_COUNTS
	   :: else ->
#else
	   :: depth % NESTING == ENTERING ->
		publish(g);
		depth = depth + NESTING
	   :: depth != 0 && depth % NESTING == 0 ->
#endif
		depth = depth + NESTING
	   fi;
	   d_step {
		handler_in_section = !in_section;
		handler_view = (in_section -> 0 : confirmed)
	   }
	   do
	   :: call(s, v, t)
	   :: break
	   od;
	   atomic {
		depth = depth - NESTING;
		handler_in_section = false;
		handler_view = 0;
		handler_got = NONE
	   }
	   if
#ifdef HANDLER_CLEARS
	   :: depth < NESTING ->
#else
	   :: depth == 0 ->
#endif
		clear_seen()
	   :: else
	   fi;
	   signalled = false
	od
}
#endif

inline barrier()
{
#ifdef FENCED
	skip
#else
	drain()
#endif
}

/* hp_slot_stage(). */
inline stage(s, old, new)
{
	d_step {
#ifdef REUSE_AT_ONCE
		r = (view[s] == 0 -> 1 : view[s]);
#else
		r = 1;
		do
		:: r <= RECORDS &&
		   since[s * RECORDS + r - 1] != 0 &&
		   (retired[s * RECORDS + r - 1] == 0 ||
		    (seen != 0 && retired[s * RECORDS + r - 1] > seen)) ->
			r++
		:: else -> break
		od;
#endif
		assert(r <= RECORDS);
#ifdef VIEW_FIRST
		view[s] = r;
	}
	d_step {
#endif
		previous[s * RECORDS + r - 1] = old;
		next[s * RECORDS + r - 1] = new;
		since[s * RECORDS + r - 1] = start;
		retired[s * RECORDS + r - 1] = 0;
		view[s] = r;
		r = 0
	}
}

/* hp_view_advance(). */
inline advance(version)
{
#ifdef ADVANCE_UNFENCED
	early_seen = seen;
#endif
	d_step { generation++; version_of[generation] = version }
}

/* hp_transition_begin(). */
inline begin(old, new)
{
#ifndef NO_BARRIER_BEFORE_STAGE
	barrier();
#endif
	start = generation + 1;
	stage(0, old, new);
	stage(1, old, new);
#ifdef ADVANCE_FIRST
	advance(new);
#endif
	target[0] = DETOUR;
	target[1] = DETOUR;
#ifndef ADVANCE_FIRST
	advance(new);
#endif
#ifndef NO_BARRIER_AFTER_ADVANCE
	barrier()
#endif
}

/* Whoever is in a section is seen by the scan. -DBODIES_ONLY leaves it out, so
 * that only what a program could notice counts. */
#ifdef BODIES_ONLY
#define scan_promise(condition) skip
#else
#define scan_promise(condition) assert(condition)
#endif

#define DISTANCE_IS_ODD(seen) ((seen - start) % 2 == 1)
#define IN_THE_WAY(seen) (seen != 0 && (seen < start -> turns == 0 : \
	(seen < generation && DISTANCE_IS_ODD(seen) == (turns == 0))))

/* hp_scan_none_in() for the ranges of hp_transition_ranges(). */
inline wait_drained()
{
	atomic {
#ifdef ADVANCE_UNFENCED
		!IN_THE_WAY(early_seen) || !IN_THE_WAY(seen) ->
#elif !defined(SETTLE_EARLY)
		!IN_THE_WAY(seen) ->
#endif
		/* Nobody whom it ought to wait for was missed. */
		scan_promise(!in_section || version_of[section_view] ==
						    version_of[generation]);
		scan_promise(!handler_in_section ||
			     version_of[handler_view] == version_of[generation])
	}
}

/* settle() in transition.c. */
inline settle(version)
{
	target[0] = version;
	target[1] = version;
	d_step {
		advance(version);
		retired[view[0] - 1] = generation;
		retired[RECORDS + view[1] - 1] = generation
	}
}

/* sections_are_over(), and the unmapping; @gone is the current generation. */
inline unmap(born)
{
#ifndef NO_BARRIER_BEFORE_UNMAP
	barrier();
#endif
	atomic {
#ifndef NO_GRACE
		seen == 0 || seen < born || seen >= generation ->
#endif
		scan_promise(!in_section || section_view < born ||
			     section_view >= generation);
		scan_promise(!handler_in_section || handler_view < born ||
			     handler_view >= generation);
		mapped = false
	}
}

active proctype Writer()
{
	byte r, start, turns;

	version_of[1] = O;
	begin(O, P);
	if
	:: wait_drained();
	   settle(P);
	   begin(P, O);
	   wait_drained()
	:: turns = 1;
	   advance(O);
#ifndef NO_BARRIER_AFTER_TURN
	   barrier();
#endif
	   wait_drained()
	fi;
	settle(O);
	unmap(2)
}
