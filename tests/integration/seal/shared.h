/* SPDX-License-Identifier: MIT */
/*
 * Types that the host and the bundle share. A bundle is compiled with some of
 * them changed, as a fix would that must not be applied.
 */
#ifndef SHARED_H
#define SHARED_H

#ifndef NAME_SIZE
#define NAME_SIZE 16
#endif
#ifndef DONE_VALUE
#define DONE_VALUE 9
#endif
#ifndef ID_TYPE
#define ID_TYPE int
#endif
#ifndef COUNT_TYPE
#define COUNT_TYPE int
#endif
#ifndef CALL_TYPE
#define CALL_TYPE int
#endif
#ifndef INNER_TYPE
#define INNER_TYPE int
#endif
#ifndef FAR_TYPE
#define FAR_TYPE int
#endif
#ifndef NUMBER_TYPE
#define NUMBER_TYPE int
#endif
#ifndef MODE_BITS
#define MODE_BITS 4
#endif
#ifndef PARAMETER
#define PARAMETER int
#endif
#ifndef RESULT
#define RESULT int
#endif

enum state {
	IDLE,
	BUSY = 4,
#ifdef FRESH
	FRESH_STATE = 7,
#endif
	DONE = DONE_VALUE,
};

struct inner;
#ifndef NO_INNER
struct inner {
	INNER_TYPE value;
};
#endif

struct session;

struct far_away {
	struct session *back;
	FAR_TYPE distance;
};

struct session {
#ifdef NOTE_FIRST
	long note;
#endif
#ifdef SWAPPED
	float weight;
	ID_TYPE id;
#else
	ID_TYPE id;
	float weight;
#endif
	char name[NAME_SIZE];
	COUNT_TYPE count;
	enum state state;
	unsigned int flag : 1;
	unsigned int mode : MODE_BITS;
	union {
		NUMBER_TYPE number;
		void *pointer;
	};
	struct inner *inner;
	struct far_away *far_away;
	int (*call)(struct session *session, CALL_TYPE argument);
#ifndef NO_TOTAL
	long total;
#endif
#ifdef NOTE
	long note;
#endif
};

RESULT handle(struct session *session, PARAMETER count);
int plain(int value);

#endif
