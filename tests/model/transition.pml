/* SPDX-License-Identifier: MIT */
/*
 * Transitions: two patches over three slots (P1 changes slots 0 and 1, P2
 * changes 0 and 2, stacked), tasks that enter, call the slots in any order,
 * pass safe points and rest, and a writer that applies P1, applies P2, reverts
 * P1 from under it and reverts P2, turning a transition round up to TURNS
 * times, whenever it likes, and unmaps what was reverted. Memory is
 * sequentially consistent here; what that takes is in section.pml.
 *
 * -DTASKS=n; -DSTRANGER adds a thread that calls entries in no section;
 * -DADOPT lets the writer move sleepers to the new view. All other macros
 * break one thing; mutants.txt tells what.
 */

#define O 0 /* the original; P1 is 1, P2 is 2 */
#define DETOUR 3
#define NOWHERE 4 /* NULL */

#define SLOTS 3
#define RECORDS 4
#ifndef TASKS
#define TASKS 2
#endif
/* How many of the writer's changes are made, and how often it turns round. */
#ifndef TURNS
#define TURNS 2
#endif
#ifndef CHANGES
#define CHANGES 4
#endif
#define WRITER TASKS /* as a holder of the lock */
#define NOBODY 9

byte generation = 1;
byte seen[TASKS];
byte target[SLOTS];
byte newest[SLOTS] = NOWHERE;
byte view[SLOTS]; /* counted from 1; 0 is NULL */
byte previous[12]; /* slot * RECORDS + record - 1 */
byte next[12];
byte since[12];
byte retired[12];
bool mapped[5] = true;

/* The engine's state, under its lock. */
byte lock = NOBODY;
bool open;
byte start; /* the transition's first generation */
byte moving; /* the patch that it applies or reverts: 1 or 2 */
byte old_side; /* the set of active patches: P1 is 1, P2 is 2 */
byte new_side;
byte born[3];
byte gone[3];

bool stranger_runs;
bool between_calls[TASKS]; /* a sleeper's stack would have no old code */

/* What the properties need to know; no step depends on it. */
byte section_view[TASKS]; /* of the open section, 0 for none */
bool adopted[TASKS]; /* the writer moved it: no promise of one view */
byte side_of[14]; /* the active patches in each generation */

/* hp_slot_target(): the body of a slot if the patches in @side are active. */
#define BODY(slot, side) ((side & 2) && slot != 1 -> 2 : \
	((side & 1) && slot != 2 -> 1 : O))

#define FORWARD ((generation - start) % 2 == 0)
#define IS_ODD(seen) ((seen - start) % 2)

/* hp_transition_ranges(): is a task with this view in the way? */
#if defined(WAITS_FOR_WRONG_PARITY)
#define LEFT_BEHIND(seen) (IS_ODD(seen) == !FORWARD)
#elif defined(TURN_WAITS_FOR_NOBODY)
#define LEFT_BEHIND(seen) false
#else
#define LEFT_BEHIND(seen) (IS_ODD(seen) == FORWARD)
#endif
#if defined(TURN_WAITS_FOR_OLD_VIEWS)
#define BEFORE_COUNTS true
#elif defined(OLD_VIEWS_IGNORED)
#define BEFORE_COUNTS false
#else
#define BEFORE_COUNTS FORWARD
#endif
#define IN_THE_WAY(seen) (seen != 0 && (seen < start -> BEFORE_COUNTS : \
	seen < generation && LEFT_BEHIND(seen)))

#ifdef BODIES_ONLY
#define scan_promise(condition) skip
#else
#define scan_promise(condition) assert(condition)
#endif

inline advance(side)
{
	d_step { generation++; side_of[generation] = side }
}

/* settle() in transition.c, with finish_patch(). */
inline settle()
{
	target[0] = BODY(0, new_side);
	target[moving] = BODY(moving, new_side);
	d_step {
		scan_promise(section_view[0] == 0 ||
			     side_of[section_view[0]] == new_side);
		scan_promise(section_view[TASKS - 1] == 0 ||
			     side_of[section_view[TASKS - 1]] == new_side);
		advance(new_side);
		retired[view[0] - 1] = generation;
		retired[moving * RECORDS + view[moving] - 1] = generation;
		gone[moving] = generation;
		old_side = new_side;
		open = false
	}
}

inline unlock()
{
	lock = NOBODY
}

/* hotpatch_enter() and the adoption in hotpatch_safe_point_slow(). */
inline publish(id, g)
{
	do
	:: g = generation;
	   seen[id] = g;
	   if
	   :: d_step {
		g == generation ->
		section_view[id] = g;
		adopted[id] = false;
		between_calls[id] = true;
		g = 0
	      }
	      break
	   :: else
	   fi
	od
}

/* hp_transition_task_moved(), without the mark: see wakeup.pml. */
inline help(id)
{
	if
	:: !open
#ifdef HELP_WITHOUT_LOCK
	:: open ->
#else
	:: open && lock != NOBODY
	:: atomic { open && lock == NOBODY -> lock = id }
#endif
	   if
	   :: open && !IN_THE_WAY(seen[0]) ->
		if
		:: !IN_THE_WAY(seen[TASKS - 1]) -> settle()
		:: else
		fi
	   :: else
	   fi;
#ifndef HELP_WITHOUT_LOCK
	   unlock()
#endif
	fi
}

inline safe_point(id, g)
{
	atomic {
		seen[id] != generation ->
		section_view[id] = 0;
		between_calls[id] = false
	}
	publish(id, g);
	help(id)
}

/* hotpatch_dispatch, for a caller in a section. */
inline dispatch(id, s, v, t)
{
	d_step {
		assert(view[s] != 0);
		v = s * RECORDS + view[s] - 1
	}
	if
#ifdef DISPATCH_IGNORES_PARITY
	:: seen[id] >= since[v] ->
#else
	:: seen[id] >= since[v] && (seen[id] - since[v]) % 2 == 0 ->
#endif
		d_step { t = next[v]; v = 0; arrive(id, s, t) }
	:: else ->
		d_step { t = previous[v]; v = 0; arrive(id, s, t) }
	fi
}

/* The first instruction, and what the section promises: the body of the set of
 * patches that was active in its view. */
inline arrive(id, s, t)
{
	assert(mapped[t]);
	assert(adopted[id] || t == BODY(s, side_of[section_view[id]]));
	s = 0
}

inline call(id, s, v, t)
{
	atomic {
		between_calls[id] = false;
		if
		:: s = 0
		:: s = 1
		:: s = 2
		fi;
		t = target[s];
		if
		:: t != DETOUR -> arrive(id, s, t)
		:: else
		fi
	}
	if
	:: t == DETOUR -> dispatch(id, s, v, t)
	:: else
	fi;
	/* The last instruction. */
	d_step { assert(mapped[t]); t = 0; between_calls[id] = true }
}

inline leave(id)
{
	d_step {
		section_view[id] = 0;
		between_calls[id] = false;
		seen[id] = 0;
		adopted[id] = false
	}
}

/* Comes and goes; in the end it rests, or only passes safe points. */
proctype Task(byte id)
{
	byte g, s, v, t;

	do
	:: publish(id, g);
	   do
	   :: call(id, s, v, t)
	   :: safe_point(id, g)
	   :: leave(id); break
	   :: goto stays
	   od
	:: goto rests
	od;
stays:
end:	do
	:: safe_point(id, g)
	od;
rests:
	skip
}

#ifdef STRANGER
/* No task: gets the newest body, call by call. */
active proctype Stranger()
{
	byte s, t;

	do
	:: atomic {
		stranger_runs = true;
		if
		:: s = 0
		:: s = 1
		:: s = 2
		fi;
		t = target[s]
	   }
	   if
	   :: t == DETOUR -> t = newest[s]
	   :: else
	   fi;
	   d_step { s = 0; assert(mapped[t]) }
	   d_step { assert(mapped[t]); t = 0; stranger_runs = false }
	:: break
	od
}
#endif

inline oldest_view(r)
{
	r = (seen[0] == 0 -> 255 : seen[0]);
	d_step {
		if
		:: seen[TASKS - 1] != 0 && seen[TASKS - 1] < r ->
			r = seen[TASKS - 1]
		:: else
		fi
	}
}

/* hp_slot_stage(); the new record's contents before its address. */
inline stage(s, r, k)
{
	d_step {
		k = s * RECORDS;
#ifdef REUSE_AT_ONCE
		do
		:: since[k] != 0 && retired[k] == 0 -> k++
		:: else -> break
		od;
#else
		do
		:: k < s * RECORDS + RECORDS && since[k] != 0 &&
		   (retired[k] == 0 || retired[k] > r) -> k++
		:: else -> break
		od;
#endif
		assert(k < s * RECORDS + RECORDS);
		previous[k] = BODY(s, old_side);
		next[k] = BODY(s, new_side);
		since[k] = start;
		retired[k] = 0;
#ifndef STAGE_KEEPS_NEWEST
		newest[s] = next[k];
#endif
		view[s] = k - s * RECORDS + 1;
		k = 0
	}
}

/* hp_transition_begin(): patch @patch goes in or out. */
inline begin(patch)
{
	atomic { lock == NOBODY -> lock = WRITER };
	d_step {
		moving = patch;
		new_side = old_side ^ patch;
		start = generation + 1;
		born[moving] = (born[moving] == 0 -> start : born[moving]);
		open = true
	}
	oldest_view(r);
#ifdef DETOUR_FIRST
	target[0] = DETOUR;
	target[moving] = DETOUR;
#endif
	stage(0, r, k);
	d_step { stage(moving, r, k); r = 0 }
#ifdef ADVANCE_FIRST
	advance(new_side);
#endif
#ifndef DETOUR_FIRST
	target[0] = DETOUR;
	target[moving] = DETOUR;
#endif
#ifndef ADVANCE_FIRST
	advance(new_side);
#endif
	waits_for_the_right_ones();
	unlock()
}

/* Who is in the way has indeed another view than the new one. */
inline waits_for_the_right_ones()
{
	d_step {
		scan_promise(section_view[0] != seen[0] ||
			     !IN_THE_WAY(seen[0]) ||
			     side_of[seen[0]] != new_side);
		scan_promise(section_view[TASKS - 1] != seen[TASKS - 1] ||
			     !IN_THE_WAY(seen[TASKS - 1]) ||
			     side_of[seen[TASKS - 1]] != new_side)
	}
}

/* hp_transition_turn(). */
inline turn()
{
	d_step { new_side = old_side ^ moving ^ (new_side ^ old_side); turns++ }
	newest[0] = BODY(0, new_side);
	newest[moving] = BODY(moving, new_side);
#ifndef TURN_KEEPS_GENERATION
	advance(new_side);
#endif
	waits_for_the_right_ones()
}

/* adopt_if_clear(): looks, and later replaces the view if it is the same. */
inline adopt(id)
{
	atomic {
		lock == NOBODY && open && between_calls[id] &&
		section_view[id] != 0 && IN_THE_WAY(seen[id]) ->
		lock = WRITER;
		r = seen[id]
	}
	d_step {
#ifndef ADOPT_OVERWRITES
		if
		:: seen[id] == r ->
#endif
			seen[id] = generation;
			if
			:: section_view[id] != 0 ->
				section_view[id] = generation
			:: else
			fi;
			adopted[id] = true;
#ifndef ADOPT_OVERWRITES
		:: else
		fi;
#endif
		r = 0
	}
	unlock()
}

/* hp_transition_progress(), over and over; a task may settle before. */
inline finish()
{
	do
	:: atomic { !open && lock == NOBODY -> break }
	:: atomic {
		lock == NOBODY && open &&
#ifdef SETTLE_EARLY
		true ->
#else
		!IN_THE_WAY(seen[0]) ->
#endif
		lock = WRITER
	   }
	   if
#ifdef SETTLE_EARLY
	   :: true ->
#else
	   :: !IN_THE_WAY(seen[TASKS - 1]) ->
#endif
		settle()
	   :: turns < TURNS -> turn()
	   fi;
	   unlock()
	:: atomic { lock == NOBODY && open && turns < TURNS -> lock = WRITER }
	   turn();
	   unlock()
#ifdef ADOPT
	:: adopt(0)
#endif
	od
}

#define HAS_VIEW_OF(seen, patch) (seen >= born[patch] && seen < gone[patch])

/* claim_next(), prove(), hp_image_unload(). */
inline unload(patch)
{
#ifndef NO_GRACE
	(!HAS_VIEW_OF(seen[0], patch));
	(!HAS_VIEW_OF(seen[TASKS - 1], patch));
#endif
#ifndef STRANGER_NOT_ASKED
	(!stranger_runs);
#endif
	d_step {
		scan_promise(!HAS_VIEW_OF(section_view[0], patch));
		scan_promise(!HAS_VIEW_OF(section_view[TASKS - 1], patch));
		mapped[patch] = false
	}
}

inline change(patch)
{
	begin(patch);
	finish();
	if
	:: !(old_side & patch) -> unload(patch)
	:: else
	fi
}

init
{
	byte r, k, turns;

	atomic {
		mapped[NOWHERE] = false;
		run Task(0);
#if TASKS > 1
		run Task(1);
#endif
	}
	change(1);
#if CHANGES > 1
	change(2);
#endif
#if CHANGES > 2
	if
	:: (old_side & 1) -> change(1)
	:: else
	fi;
	if
	:: (old_side & 2) -> change(2)
	:: else
	fi
#endif
}
