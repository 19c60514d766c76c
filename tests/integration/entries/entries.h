/* SPDX-License-Identifier: MIT */
/*
 * What the program of the entries test shares with its bundles: a function for
 * each way of passing arguments and results.
 */
#ifndef HOTPATCH_TEST_ENTRIES_H
#define HOTPATCH_TEST_ENTRIES_H

#include <stdint.h>

struct small {
	int a;
	int b;
};

struct mixed {
	double rate;
	long count;
};

struct floats {
	float x;
	float y;
	float z;
};

struct large {
	long values[9];
};

long sum_ten(long a, long b, long c, long d, long e, long f, long g, long h,
	     long i, long j);
double weigh(int a, double b, float c, long d, double e, double f, double g,
	     double h, double i, double j, double k, double l);
double sum_list(int count, ...);
struct large make_large(long first);
struct mixed turn_mixed(struct mixed mixed, struct small small);
struct floats scale(struct floats floats, float factor);
double total(struct large large, struct floats floats, struct mixed mixed);
long double halve(long double number);
long depth(long levels);
int shade_here(void);
int shade_there(void);

#if defined(__x86_64__)
void probe(void);

/* @wide: the CPU has vector registers of 32 bytes
 * @version: 1 for the original probe, 2 for its replacement */
struct registers {
	uint64_t general[8]; /* rdi, rsi, rdx, rcx, r8, r9, rax, r10 */
	unsigned char vectors[16][32];
	uint32_t wide;
	uint32_t version;
};

extern struct registers registers_seen;

/* clang-format off */
#define EACH_GENERAL_(X)                                                       \
	X("rdi", "0")                                                          \
	X("rsi", "8")                                                          \
	X("rdx", "16")                                                         \
	X("rcx", "24") X("r8", "32") X("r9", "40") X("rax", "48")              \
		X("r10", "56")
#define EACH_VECTOR_(X)                                                        \
	X("0", "64")                                                           \
	X("1", "96")                                                           \
	X("2", "128")                                                          \
	X("3", "160") X("4", "192") X("5", "224") X("6", "256") X("7", "288")  \
		X("8", "320") X("9", "352") X("10", "384") X("11", "416")      \
			X("12", "448") X("13", "480") X("14", "512")           \
				X("15", "544")
/* clang-format on */
#define WIDE_OFFSET "576"
#define VERSION_OFFSET "580"

#define STORE_GENERAL_(name, offset) "movq %" name ", " offset "(%r11)\n"
#define STORE_WIDE_(number, offset) "vmovups %ymm" number ", " offset "(%r11)\n"
#define STORE_NARROW_(number, offset)                                          \
	"movups %xmm" number ", " offset "(%r11)\n"

/* The whole body of a probe: notes every register that can carry an argument,
 * with r11 alone. */
#define STORE_REGISTERS(version)                                                                \
	"movq registers_seen@GOTPCREL(%rip), %r11\n" EACH_GENERAL_(                             \
		STORE_GENERAL_) "cmpl $0, " WIDE_OFFSET "(%r11)\n"                              \
				"je 1f\n" EACH_VECTOR_(                                         \
					STORE_WIDE_) "jmp 2f\n"                                 \
						     "1:\n" EACH_VECTOR_(                       \
							     STORE_NARROW_) "2:\n"              \
									    "movl $" version    \
									    ", " VERSION_OFFSET \
									    "(%r11)\n"          \
									    "ret\n"
#endif

#endif
