/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous: two tasks that enter, call two patched functions, pass safe
 * points, leave and rest, as they like; one thread that lets them wait, moves
 * both slots, migrates what the functions work on, and lets the tasks go on;
 * and the same back. With -DPATIENT it waits until all are at rest, else it
 * may give up at any time. Memory is that of x86: a task's announcements wait
 * in a buffer and arrive in order, at any time, or when a membarrier reaches
 * it; with -DFENCED they arrive at once. With -DHANDLER a signal handler may
 * interrupt one of the tasks at the gate, and there is only the way back, after
 * which the newer bodies are unmapped. All other macros remove one thing
 * from the protocol; mutants.txt tells what.
 */

#define TASKS 2
#ifdef HANDLER
#define MEETINGS 1
#else
#define MEETINGS 2
#endif

byte generation = 1;
byte entrance = 1;
bool gate_closed;
byte seen[TASKS];
bool target[2]; /* the newer body */
bool data; /* in the newer form */
chan sb[TASKS] = [3] of { byte };

/* What a task's own loads of its record give. */
byte own_seen[TASKS];

/* What the properties need to know; no step depends on it. */
bool in_section[TASKS];
bool migrating;
#ifdef HANDLER
bool in_newer[TASKS]; /* a handler, in the newer body */
#endif

/* The buffer of a task, which empties itself. */
proctype Memory(byte id)
{
end:	do
	:: sb[id]?seen[id]
	od
}

inline announce(id, value)
{
	atomic {
		own_seen[id] = value;
#ifdef FENCED
		seen[id] = value
#else
		sb[id]!value
#endif
	}
}

inline section_begins(id)
{
	in_section[id] = true;
	assert(!migrating)
}

#ifdef HANDLER
/* A signal handler that interrupts a task at the gate cannot wait. Its section
 * is no task's: it sees what there is. hotpatch_enter_slow(), with publish(). */
inline handler(id, g)
{
	do
	:: g = generation;
	   announce(id, g);
	   if
	   :: g != generation
	   :: g == generation -> break
	   fi
	od;
	in_newer[id] = target[0];
	in_newer[id] = false
}
#endif

/* publish_when_open() in task.c, with publish(). */
inline publish_when_open(id, g)
{
	do
	::
#ifdef LOOKS_BEFORE_ANNOUNCING
	   announce(id, 0);
	   (!gate_closed);
#endif
	   g = generation;
	   announce(id, g);
	   if
	   :: g != generation
	   :: else ->
		if
#if defined(LOOKS_BEFORE_ANNOUNCING) || defined(NEVER_LOOKS)
		:: atomic { true -> section_begins(id) }
		   break
#else
		:: atomic { !gate_closed -> section_begins(id) }
		   break
		:: gate_closed ->
#ifndef WAITER_KEEPS_SEEN
			announce(id, 0);
#endif
#ifdef HANDLER
			if
			:: (!gate_closed)
			:: id == 0 && gate_closed -> handler(id, g)
			fi
#else
			(!gate_closed)
#endif
#endif
		fi
	   fi
	od
}

/* hotpatch_enter(). */
inline enter(id, g)
{
#ifdef ENTERS_BY_GENERATION
	g = generation;
#else
	g = entrance;
#endif
	announce(id, g);
	if
#ifdef NO_COMPARISON
	:: atomic { true -> section_begins(id) }
#else
	:: atomic { g == generation -> section_begins(id) }
	:: g != generation -> publish_when_open(id, g)
#endif
	fi
}

/* One function after the other works on the data. */
inline work(id, version)
{
	version = target[0];
	assert(data == version);
	assert(target[1] == version);
	assert(!migrating)
}

/* hotpatch_safe_point(). */
inline safe_point(id, g)
{
	if
	:: own_seen[id] == generation
	:: own_seen[id] != generation ->
		in_section[id] = false;
#ifdef SAFE_POINT_ONLY_ADOPTS
		announce(id, generation);
		atomic { true -> section_begins(id) }
#else
		publish_when_open(id, g)
#endif
	fi
}

inline leave(id)
{
	in_section[id] = false;
	announce(id, 0)
}

/* In the end it rests, or only passes safe points. */
proctype Task(byte id)
{
	byte g;
	bool version;

	do
	:: enter(id, g);
	   do
	   :: work(id, version)
	   :: safe_point(id, g)
	   :: leave(id); break
	   :: goto stays
	   od
	:: goto rests
	od;
stays:
end:	do
	:: own_seen[id] != generation -> safe_point(id, g)
	od;
rests:
	skip
}

inline membarrier()
{
#ifdef NO_BARRIER
	skip
#else
	d_step {
		do
		:: sb[0]?seen[0]
		:: sb[1]?seen[1]
		:: empty(sb[0]) && empty(sb[1]) -> break
		od
	}
#endif
}

/* hp_rendezvous_gather(); the scan looks at one task after the other. */
inline gather(met)
{
	gate_closed = true;
	generation++;
	membarrier();
	met = false;
	if
	:: seen[0] == 0;
	   if
	   :: seen[1] == 0 -> met = true
#ifndef PATIENT
	   :: true
#endif
	   fi
#ifndef PATIENT
	:: true
#endif
	fi
}

/* hp_transition_switch(), hp_stage_migrate(). */
inline move()
{
	target[0] = !target[0];
	target[1] = !target[1];
#ifndef SWITCH_KEEPS_VIEW
	generation++;
#endif
	atomic {
		migrating = true;
		assert(!in_section[0]);
		assert(!in_section[1])
	}
	data = !data;
	migrating = false
}

inline open_gate()
{
	entrance = generation;
	gate_closed = false
}

#ifdef HANDLER
/* sections_are_over() in unload.c, of what was switched back last. */
inline unmap(gone)
{
	gone = generation;
#ifndef NO_BARRIER_AFTER_SWITCH
	membarrier();
#endif
	(seen[0] == 0 || seen[0] >= gone);
	(seen[1] == 0 || seen[1] >= gone);
	assert(!in_newer[0])
}
#endif

init
{
#ifdef HANDLER
	byte gone;
#endif
	byte meetings;
	bool met;

	atomic {
#ifdef HANDLER
		target[0] = true;
		target[1] = true;
		data = true;
#endif
		run Memory(0);
		run Memory(1);
		run Task(0);
		run Task(1)
	}
	do
	:: meetings < MEETINGS ->
		gather(met);
#ifdef OPENS_EARLY
		open_gate();
#endif
		if
		:: met -> move()
#ifndef PATIENT
		:: !met
#endif
		fi;
		open_gate();
		meetings++
	:: else -> break
	od;
#ifdef HANDLER
	unmap(gone)
#endif
}
