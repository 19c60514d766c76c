/* SPDX-License-Identifier: MIT */
/*
 * The loaded modules that functions were redirected in, with their analyses and
 * a record for each function. Guarded by the lock of redirect.c, which is held
 * by whoever calls anything here; it comes before the loader's.
 */
#ifndef HP_REDIRECT_HOST_H
#define HP_REDIRECT_HOST_H

#include "../slot.h"
#include "code.h"
#include "trampoline.h"

/*
 * One function that was redirected at least once; never freed, because a thread
 * may look at its slot at any time.
 * @rest: what its slot's target is while it has no trampoline: itself
 * @on:   its bytes are changed at the moment
 * @kept: the host asked for it, so it stays until the host releases it
 * @used: a patch that is on redirects it; only while that is looked up
 */
struct hp_redirected {
	struct hotpatch_slot slot;
	void (*rest)(void);
	const struct hp_function *function;
	struct hp_trampoline trampoline;
	uintptr_t start;
	bool built;
	bool on;
	bool kept;
	bool used;
};

/*
 * @records: one place for each function of @code, NULL for most
 * @kept:    how many of its functions are
 * @pin:     keeps it loaded while there are some; NULL for the program
 * @table:   its slots, as the engine knows them
 */
struct hp_host {
	struct hp_host *next;
	char *path;
	uintptr_t base;
	struct hp_module_facts facts;
	const struct hp_code *code;
	struct hp_redirected **records;
	size_t kept;
	void *pin;
	struct hp_module *table;
};

/* The lock of redirect.c, with the dynamic loader entered. */
void hp_redirect_enter(void);
bool hp_redirect_try_enter(void);
void hp_redirect_leave(void);

/* The first of all hosts. */
struct hp_host *hp_host_first(void);

/* The host around @address, which is mapped. */
enum hotpatch_status hp_host_around(uintptr_t address, struct hp_host **host,
				    struct hotpatch_error *err);

/* The function of that name in *@host, or where its resolver led to.
 * E_NO_FUNCTION, E_AMBIGUOUS. */
enum hotpatch_status hp_host_named(struct hp_host **host, const char *name,
				   const struct hp_function **function,
				   struct hotpatch_error *err);

/* The host and the function that @name means; both stay valid. *@host is one
 * that was just found, or NULL. */
enum hotpatch_status hp_host_find(const struct hotpatch_function_name *name,
				  struct hp_host **host,
				  const struct hp_function **function,
				  struct hotpatch_error *err);

/* The function's record, made if there is none; NULL without memory. */
struct hp_redirected *hp_host_record(struct hp_host *host,
				     const struct hp_function *function,
				     const struct hotpatch_function_name *name);

/* The record of the function's neighbour by @step places, or NULL. */
struct hp_redirected *hp_host_neighbour(const struct hp_host *host,
					const struct hp_function *function,
					ptrdiff_t step);

/* What the function's slot is called. */
void hp_host_name(const struct hp_host *host,
		  const struct hp_function *function,
		  const struct hotpatch_function_name *name, char *text,
		  size_t size);

#endif
