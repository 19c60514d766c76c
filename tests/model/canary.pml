/* SPDX-License-Identifier: MIT */
/*
 * The canary: a task that enters, calls two patched functions, passes safe
 * points, leaves and rests, as it likes; and a writer that opens a canary of a
 * patch, changes its share a few times, and then lets it come to all, or takes
 * it back, turning round once at most, and unmaps it. The task's choice is free
 * where the share is neither nobody nor everybody, as if it changed its key
 * each time. One task stands for any number, as in section.pml. Memory is that
 * of x86, as in rendezvous.pml; with -DFENCED announcements arrive at once.
 * -DSTRANGER adds a thread that calls a function in no section; -DHANDLER lets
 * a signal handler come into the middle of an enter and choose for itself. All
 * other macros break one thing; mutants.txt tells what.
 */

#define O 0 /* the original, always mapped */
#define P 1 /* the patch's body */
#define DETOUR 2
#define NONE 3

#ifndef CHANGES
#define CHANGES 1
#endif

/* Shares: no task, any task by its key, each task; or there is no canary. */
#define NO_CANARY 0
#define NOBODY 1
#define SOME 2
#define EVERYBODY 3

byte generation = 1;
byte entrance = 1;
byte seen;
byte target[2] = O;
byte newest = O;
byte since; /* of both view records, which are there before any detour */
bool mapped = true; /* P */

/* The two records of lib/canary.c, used in turn. */
byte record_of[2];
byte record_share[2];

chan sb = [3] of { byte };
byte own_seen; /* what a task's own loads of its record give */

/* What the properties need to know; no step depends on it. */
bool canary;
bool in_section;
byte section_got = NONE; /* the version that the open section saw */
byte share_of[20]; /* of each generation */

#define IS_NEW(view) (since != 0 && view >= since && (view - since) % 2 == 0)
#define HAS_NEW (in_section && IS_NEW(own_seen))

/* The buffer of a task, which empties itself. */
active proctype Memory()
{
end:	do
	:: sb?seen
	od
}

inline announce(value)
{
	atomic {
		own_seen = value;
#ifdef FENCED
		seen = value
#else
		sb!value
#endif
	}
}

#ifdef ONE_RECORD
#define RECORD(g) 0
#else
#define RECORD(g) ((g / 2) % 2)
#endif

/* hp_canary_view(). */
inline choose(g, v, share)
{
	if
	:: record_of[RECORD(g)] != g -> v = g
	:: record_of[RECORD(g)] == g ->
		share = record_share[RECORD(g)];
		if
		:: share != NOBODY -> v = g - 2
		:: share != EVERYBODY -> v = g - 1
		fi;
		share = 0
	fi
}

/* The view is confirmed: it is one that its generation's share allows. */
inline section_begins()
{
	in_section = true;
	section_got = NONE;
	assert(share_of[generation] != NOBODY || !IS_NEW(own_seen));
	assert(share_of[generation] != EVERYBODY || IS_NEW(own_seen))
}

#ifdef NO_RECHECK
#define IS_STILL(g) true
#else
#define IS_STILL(g) (g == generation)
#endif

#ifdef HANDLER
/* hotpatch_enter_slow() of a handler that interrupts an enter. */
inline handler(h, v, s, t, share)
{
	do
	:: h = generation;
	   choose(h, v, share);
	   announce(v);
	   v = 0;
	   if
	   :: h != generation
	   :: atomic { h == generation -> h = 0; section_begins() }
	      break
	   fi
	od;
	call(s, t);
	d_step { in_section = false; section_got = NONE }
}
#endif

/* publish() in task.c. */
inline publish(g, h, v, w, s, t, share)
{
	do
	:: g = generation;
	   choose(g, v, share);
#ifdef HANDLER
	   if
	   :: true
	   :: handler(h, w, s, t, share)
	   fi;
#endif
	   announce(v);
	   v = 0;
#ifdef HANDLER
	   if
	   :: true
	   :: handler(h, w, s, t, share)
	   fi;
#endif
	   if
	   :: atomic { IS_STILL(g) -> g = 0; section_begins() }
	      break
#ifndef NO_RECHECK
	   :: g != generation
#endif
	   fi
	od
}

/* hotpatch_enter(). */
inline enter(g, h, v, w, s, t, share)
{
	g = entrance;
	announce(g);
	if
	:: atomic { g == generation -> g = 0; section_begins() }
	:: g != generation -> publish(g, h, v, w, s, t, share)
	fi
}

/* hotpatch_safe_point(). */
inline safe_point(g, h, v, w, s, t, share)
{
	if
	:: own_seen == generation
	:: own_seen != generation ->
		g = generation;
		choose(g, v, share);
		if
		:: d_step { own_seen == v -> g = 0; v = 0 }
		:: d_step {
			own_seen != v ->
			g = 0;
			v = 0;
			in_section = false;
			section_got = NONE
		   }
		   publish(g, h, v, w, s, t, share)
		fi
	fi
}

inline leave()
{
	d_step { in_section = false; section_got = NONE }
	announce(0)
}

/* The entry's jump, hotpatch_dispatch, and the body. */
inline call(s, t)
{
	atomic {
		if
		:: s = 0
		:: s = 1
		fi;
		t = target[s];
		s = 0
	}
	if
	:: t == DETOUR -> t = (IS_NEW(own_seen) -> P : O)
	:: else
	fi;
	d_step {
		assert(t != P || mapped);
		assert(section_got == NONE || section_got == t);
		section_got = t
	}
	/* The last instruction. */
	d_step { assert(t != P || mapped); t = 0 }
}

/* In the end it rests, or only passes safe points. */
active proctype Task()
{
	byte g, h, v, w, s, t, share;

	do
	:: enter(g, h, v, w, s, t, share);
	   do
	   :: call(s, t)
	   :: safe_point(g, h, v, w, s, t, share)
	   :: leave(); break
	   :: goto stays
	   od
	:: goto rests
	od;
stays:
end:	do
	:: own_seen != generation -> safe_point(g, h, v, w, s, t, share)
	od;
rests:
	skip
}

#ifdef STRANGER
/* No task: the newest body, call by call, which is the old one before the
 * patch comes to all. */
active proctype Stranger()
{
	byte t;

	do
	:: t = target[0];
	   atomic {
		if
		:: t == DETOUR ->
			t = newest;
			assert(!canary || t == O)
		:: else
		fi;
		t = 0
	   }
	:: break
	od
}
#endif

inline membarrier()
{
	d_step {
		do
		:: sb?seen
		:: empty(sb) -> break
		od
	}
}

/* hp_view_offer(); with open_entrance(), hp_view_advance(). */
inline advance(step, share)
{
	d_step {
		generation = generation + step;
		share_of[generation] = share
	}
}

inline open_entrance()
{
	entrance = generation
}

/* write_record() in canary.c: for the generation that comes next. */
inline write_record(g, share)
{
	record_of[RECORD(g)] = g;
	record_share[RECORD(g)] = share
}

inline any_share(share)
{
	if
	:: share = NOBODY
	:: share = SOME
	:: share = EVERYBODY
	fi
}

/* hp_transition_begin(), hp_canary_show(). */
inline begin(share)
{
	any_share(share);
	since = generation + 1;
#ifdef NEWEST_EARLY
	newest = P;
#endif
	canary = true;
	target[0] = DETOUR;
	target[1] = DETOUR;
#ifndef RECORD_LATE
	write_record((since + 2), share);
#endif
	advance(3, share);
#ifdef RECORD_LATE
	write_record(generation, share);
#endif
#ifdef ENTRANCE_FOLLOWS
	open_entrance()
#endif
}

/* hp_canary_change(). */
inline change_share(share)
{
	any_share(share);
#ifdef SHARE_IN_PLACE
	record_share[RECORD(generation)] = share;
	share_of[generation] = share;
#else
	write_record((generation + 2), share);
	advance(2, share);
#endif
#ifndef NO_BARRIER_AFTER_SHARE
	membarrier();
#endif
	/* What status tells of a canary that was stopped: nobody is in it. */
	if
	:: d_step { share == NOBODY && !IS_NEW(seen) -> assert(!HAS_NEW) }
	:: d_step { share != NOBODY || IS_NEW(seen) -> skip }
	fi
}

#define IS_FORWARD ((generation - since) % 2 == 0)

/* hp_transition_ranges(), for a transition that is no canary any more. */
#define IN_THE_WAY(view) (view != 0 && view < generation && \
	(view < since -> IS_FORWARD : IS_NEW(view) != IS_FORWARD))

/* hp_transition_to_all(). */
inline to_all()
{
	canary = false;
	newest = P;
#ifndef TO_ALL_KEEPS_GENERATION
	advance(2, NO_CANARY);
#endif
	open_entrance();
#ifndef NO_BARRIER_TO_ALL
	membarrier()
#endif
}

/* hp_transition_turn(). */
inline turn()
{
	canary = false;
	newest = O;
	advance(1, NO_CANARY);
	open_entrance();
#ifndef NO_BARRIER_AFTER_TURN
	membarrier()
#endif
}

/* hp_transition_settle_if_drained(). */
inline settle(version)
{
	!IN_THE_WAY(seen);
	target[0] = version;
	target[1] = version;
	advance(1, NO_CANARY);
	open_entrance()
}

/* sections_are_over() in unload.c. */
inline unmap(gone)
{
	gone = generation;
	membarrier();
	(seen < since || seen >= gone);
	mapped = false
}

active proctype Writer()
{
	byte share, changes, gone;

	begin(share);
	do
	:: changes < CHANGES -> change_share(share); changes++
	:: break
	od;
#ifdef SETTLES_UNDER_CANARY
	settle(P);
#endif
	if
	:: to_all();
	   if
	   :: settle(P)
	   :: turn(); settle(O); unmap(gone)
	   fi
	:: turn(); settle(O); unmap(gone)
	fi
}
