/* SPDX-License-Identifier: MIT */
/*
 * Who settles: tasks that adopt the new view look whether they were the last,
 * but take the engine's lock only by trying. If every task passes a safe point
 * the transition ends although nobody polls, whoever held the lock meanwhile:
 * the thread that begins the transition, another task, or a thread that looks
 * something up. And who waits for it sleeps until it has ended. The end of a run
 * with the transition open, or with somebody asleep, is the error.
 *
 * Two tasks, and LOOKS looks at the engine by other threads. Memory is
 * sequentially consistent, as the operations on the mark and the lock are.
 * The macros break one thing each; mutants.txt tells what.
 */

#define TASKS 2
#ifndef LOOKS
#define LOOKS 2
#endif

byte generation = 1;
byte seen[TASKS] = 1; /* both are in a section */
bool locked;
bool open; /* transition.open and open_hint */
byte progress; /* modulo 8: nobody falls that far behind */
byte settled;
byte waiters;
bool asleep; /* the one that waits, in its futex */

#ifdef WAITERS_FIRST
bool none; /* of whoever makes progress; only two could share it */
#endif
byte looked; /* the mark before the last look at the tasks */

/* hp_progress_made(). */
inline progress_made()
{
#ifdef WAITERS_FIRST
	none = waiters == 0;
	progress = (progress + 1) % 8;
	if
	:: none
	:: else -> asleep = false
	fi
#else
	progress = (progress + 1) % 8;
	if
	:: waiters != 0 -> asleep = false
	:: else
	fi
#endif
}

/* hp_transition_settle_if_drained(), under the lock. */
inline settle_if_drained()
{
#ifndef LOOKED_AFTER_SCAN
	looked = progress;
#endif
	if
	:: seen[0] == generation ->
		if
		:: seen[1] == generation ->
			assert(open);
			open = false;
			settled++;
#ifndef SETTLES_SILENTLY
			progress_made()
#endif
		:: else
		fi
	:: else
	fi;
#ifdef LOOKED_AFTER_SCAN
	looked = progress
#else
	skip
#endif
}

/* The release of the lock, and the look for marks that were left meanwhile. */
inline look_again()
{
	do
	:: !open || progress == looked -> break
	:: else ->
		if
		:: atomic { !locked -> locked = true }
		   if
		   :: open -> settle_if_drained()
		   :: else
		   fi;
		   locked = false;
#ifdef TASKS_LOOK_ONCE
		   break
#endif
		:: locked -> break
		fi
	od
}

inline release()
{
	locked = false;
#ifndef HOLDERS_DO_NOT_LOOK
	look_again()
#endif
}

inline adopt(id)
{
	seen[id] = generation
}

/* hp_transition_task_moved(). */
inline task_moved()
{
	if
	:: open ->
#ifdef NO_MARK
		if
		:: atomic { !locked -> locked = true }
		   settle_if_drained();
		   locked = false
		:: locked
		fi
#else
		progress_made();
		look_again()
#endif
	:: else
	fi
}

/* Its safe points find the old view until there is a new one. */
proctype Task(byte id)
{
	(generation != 1);
#ifdef MARK_BEFORE_ADOPTING
	task_moved();
	adopt(id)
#else
	adopt(id);
	task_moved()
#endif
}

/* hp_transition_begin() and the release of the lock after it. */
proctype Writer()
{
	atomic { !locked -> locked = true };
	open = true;
	generation = 2;
	settle_if_drained();
	release()
}

/* Any other holder: lists patches, tells of the process, binds a table. */
proctype Looker()
{
	atomic { !locked -> locked = true };
	release()
}

/* hp_progress_wait(): the kernel compares and falls asleep in one step. */
inline progress_wait()
{
#ifndef WAITS_UNANNOUNCED
	waiters++;
#endif
	atomic {
		if
#ifndef WAITS_BLINDLY
		:: progress != mark
		:: else -> asleep = true
#else
		:: asleep = true
#endif
		fi
	}
	(!asleep);
#ifdef WAITS_UNANNOUNCED
	skip
#else
	waiters--
#endif
}

/* hotpatch_patch_wait(): notes the mark, looks at the state, sleeps. */
proctype Waiter()
{
	byte mark;

	do
#ifdef LOOKS_BEFORE_MARK
	:: settled -> break
	:: !settled ->
		mark = progress;
		progress_wait()
#else
	:: mark = progress;
	   if
	   :: settled -> break
	   :: else -> progress_wait()
	   fi
#endif
	od
}

init
{
	byte i;

	atomic {
		run Task(0);
		run Task(1);
		run Writer();
		run Waiter();
		for (i : 1 .. LOOKS) {
			run Looker()
		}
	}
	(_nr_pr == 1);
	assert(!open && settled == 1)
}
