/* SPDX-License-Identifier: MIT */
/*
 * Patchable functions. HOTPATCH_FUNCTION() defines a function whose entry, the
 * address that callers and function pointers hold, is one jump through an
 * atomic pointer: the target. Targets of a module lie together in one section,
 * the records that describe them in another; a constructor that the linker
 * keeps once for each module hands the records to the library.
 *
 * The entry is written in assembly, so the compiler can neither inline the
 * body into callers nor rely on which registers it leaves alone.
 */
#ifndef HOTPATCH_FUNCTION_H
#define HOTPATCH_FUNCTION_H

#include <hotpatch/api.h>
#include <hotpatch/section.h>
#include <stdint.h>

HOTPATCH_BEGIN_DECLS

struct hotpatch_view;
struct hp_binding;

/**
 * struct hotpatch_slot - the record of one patchable function
 *
 * The first members are facts that the compiler writes. Those from @newest on
 * belong to the library; hotpatch_dispatch knows their offsets.
 *
 * @name:      the function's name
 * @prototype: its type as spelled at the definition: "int (int a, char b)"
 * @file:      base name of the source file of a static function, else NULL
 * @original:  the body that was compiled in
 * @entry:     the address that callers use
 * @target:    where the entry jumps to
 * @dispatch:  stored into the target while tasks may disagree
 * @newest:    what a caller in no section gets during a transition
 * @view:      what tasks in sections get then; replaced as a whole
 * @views:     all view records that the slot ever had
 * @top:       the replacement that became active last, or NULL
 */
struct hotpatch_slot {
	const char *name;
	const char *prototype;
	const char *file;
	void (*original)(void);
	void (*entry)(void);
	void (**target)(void);
	void (*dispatch)(void);
	void (*newest)(void);
	struct hotpatch_view *view;
	struct hotpatch_view *views;
	struct hp_binding *top;
};

/* Called by the constructor and the destructor of each module that has a
 * table; not for applications. */
HOTPATCH_API void hotpatch_module_register(struct hotpatch_slot *start,
					   struct hotpatch_slot *stop);
HOTPATCH_API void hotpatch_module_unregister(struct hotpatch_slot *start,
					     struct hotpatch_slot *stop);

/* Reached only by a jump from an entry's detour; not callable from C. */
HOTPATCH_API void hotpatch_dispatch(void);

HOTPATCH_END_DECLS

#define HOTPATCH_STRING_(text) HOTPATCH_STRING_2_(text)
#define HOTPATCH_STRING_2_(text) #text

#define HOTPATCH_HIDDEN_ __attribute__((visibility("hidden")))

/* The base name is a builtin from gcc 12 and clang 9 on. */
#ifdef __FILE_NAME__
#define HOTPATCH_FILE_NAME_ __FILE_NAME__
#else
#define HOTPATCH_FILE_NAME_ __FILE__
#endif

/*
 * Registers this module's table: one constructor and one destructor in a
 * COMDAT group, so that the linker keeps one of each, and a symbol that keeps
 * one assembly file from writing them twice. Priority 101 runs them before
 * the constructors of the module itself.
 */
/* clang-format off */
#define HOTPATCH_MODULE_                                                       \
	".ifndef hotpatch_module_written_\n"                                   \
	".set hotpatch_module_written_, 1\n"                                   \
	".hidden __start_hotpatch_slots\n"                                     \
	".hidden __stop_hotpatch_slots\n"                                      \
	".pushsection .text.hotpatch_module_, \"axG\", %progbits, "            \
	"hotpatch_module_, comdat\n"                                           \
	".weak hotpatch_module_\n"                                             \
	".hidden hotpatch_module_\n"                                           \
	".p2align 2\n"                                                         \
	".type hotpatch_module_, %function\n"                                  \
	"hotpatch_module_:\n" HOTPATCH_ARCH_TABLE_CALL_(                       \
		"hotpatch_module_register") ".p2align 2\n"                     \
					    "hotpatch_module_end_:\n"          \
		HOTPATCH_ARCH_TABLE_CALL_("hotpatch_module_unregister")        \
			".popsection\n"                                        \
			".pushsection .init_array.00101, \"awG\", "            \
			"%init_array, hotpatch_module_, comdat\n"              \
			".p2align 3\n"                                         \
			".quad hotpatch_module_\n"                             \
			".popsection\n"                                        \
			".pushsection .fini_array.00101, \"awG\", "            \
			"%fini_array, hotpatch_module_, comdat\n"              \
			".p2align 3\n"                                         \
			".quad hotpatch_module_end_\n"                         \
			".popsection\n"                                        \
			".endif\n"
/* clang-format on */

/*
 * All symbols are hidden rather than local, because link-time optimisation
 * may put the assembly and the C objects that it names into different files.
 */
/* clang-format off */
#define HOTPATCH_DEFINE_(ret, name, params, symbol, binding, file)             \
	static ret name##__original params;                                    \
	extern HOTPATCH_HIDDEN_ ret(*name##__target) params __asm__(           \
		symbol "__target");                                            \
	extern HOTPATCH_HIDDEN_ struct hotpatch_slot name##__slot __asm__(     \
		symbol "__slot");                                              \
	HOTPATCH_EXTERN_C HOTPATCH_HIDDEN_ void name##__dispatch(              \
		void) __asm__(symbol "__slot_dispatch");                       \
	__attribute__((used, section("hotpatch_targets"), aligned(8))) ret(    \
		*name##__target) params = name##__original;                    \
	__attribute__((used, section("hotpatch_slots"),                        \
		       aligned(8))) struct hotpatch_slot name##__slot = {      \
		#name,                                                         \
		#ret " " #params,                                              \
		file,                                                          \
		(void (*)(void))name##__original,                              \
		(void (*)(void))name,                                          \
		(void (**)(void)) & name##__target,                            \
		name##__dispatch,                                              \
		0,                                                             \
		0,                                                             \
		0,                                                             \
		0,                                                             \
	};                                                                     \
	__asm__(".pushsection .text, \"ax\", %progbits\n" binding              \
		".hidden " symbol "__slot_dispatch\n"                          \
		".globl " symbol                                               \
		"__slot_dispatch\n" HOTPATCH_ARCH_ENTRY_(                      \
			symbol, symbol "__target",                             \
			symbol "__slot") ".popsection\n" HOTPATCH_MODULE_);    \
	static ret name##__original params
/* clang-format on */

/**
 * HOTPATCH_FUNCTION() - define a patchable function
 * @ret:    return type, without storage class
 * @name:   its name
 * @params: parameter list in parentheses
 *
 * The function's body follows. Headers declare it as any other function; in
 * C++ it has C linkage. To be used at file scope.
 */
#define HOTPATCH_FUNCTION(ret, name, params)                                   \
	HOTPATCH_EXTERN_C ret name params;                                     \
	HOTPATCH_DEFINE_(ret, name, params, #name, ".globl " #name "\n", 0)

/**
 * HOTPATCH_STATIC_FUNCTION() - define a patchable function local to its file
 *
 * As HOTPATCH_FUNCTION(); the symbol carries the line's number, so that two
 * files can have functions of one name. A bundle names it with its file:
 * HOTPATCH_REPLACE_STATIC("server.c", …).
 */
#define HOTPATCH_STATIC_FUNCTION(ret, name, params)                            \
	HOTPATCH_STATIC_(ret, name, params,                                    \
			 #name "__" HOTPATCH_STRING_(__LINE__))
#define HOTPATCH_STATIC_(ret, name, params, symbol)                            \
	HOTPATCH_EXTERN_C HOTPATCH_HIDDEN_ ret name params __asm__(symbol);    \
	HOTPATCH_DEFINE_(ret, name, params, symbol,                            \
			 ".globl " symbol "\n.hidden " symbol "\n",            \
			 HOTPATCH_FILE_NAME_)

/**
 * HOTPATCH_DECLARE() - let other files of the module use HOTPATCH_CALL()
 *
 * Declares the function and its target pointer; for headers.
 */
#define HOTPATCH_DECLARE(ret, name, params)                                    \
	HOTPATCH_EXTERN_C ret name params;                                     \
	extern HOTPATCH_HIDDEN_ ret(*name##__target)                           \
		params __asm__(#name "__target")

/**
 * HOTPATCH_CALL() - call a patchable function of this module without the jump
 * @name: defined or declared above with HOTPATCH_FUNCTION(),
 *        HOTPATCH_STATIC_FUNCTION() or HOTPATCH_DECLARE()
 *
 * HOTPATCH_CALL(f)(a, b) costs what a call through a function pointer costs.
 * Relaxed: whatever the new code reads was complete before a membarrier that
 * came before its address was stored (hp_transition_begin()).
 */
#define HOTPATCH_CALL(name) (__atomic_load_n(&name##__target, __ATOMIC_RELAXED))

#endif
