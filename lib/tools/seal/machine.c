/* SPDX-License-Identifier: MIT */
/*
 * Reads routines from the symbol table and their instructions from the code,
 * and follows direct jumps and calls.
 *
 * Registers are counted as touched as gcc counts them: what a routine and all
 * that it calls write, and all if one of these is not known to it. Whatever is
 * in doubt is left out, so that a caller is rather looked at once too often.
 */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_LIMIT 4096
#define NOWHERE SIZE_MAX

static struct hp_routine *routine_at(const struct hp_machine *machine,
				     size_t index)
{
	return (struct hp_routine *)machine->routines.items + index;
}

static struct hp_machine_step *step_at(const struct hp_machine *machine,
				       size_t index)
{
	return (struct hp_machine_step *)machine->steps.items + index;
}

static bool visit_symbol(void *context, const char *name,
			 const GElf_Sym *symbol)
{
	struct hp_machine *machine = context;
	struct hp_routine *routine;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || !symbol->st_value ||
	    symbol->st_shndx == SHN_UNDEF)
		return true;
	routine = hp_array_add(&machine->routines, sizeof(*routine));
	if (!routine) {
		machine->no_memory = true;
		return false;
	}
	routine->name = name;
	routine->start = symbol->st_value;
	routine->stop = symbol->st_value + symbol->st_size;
	routine->given = HP_REGISTERS_ALL;
	routine->perhaps = hp_registers_of_result(2, 2, sizeof(void *));
	routine->is_part = strstr(name, ".cold") != NULL;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct hp_routine *one = a;
	const struct hp_routine *other = b;

	if (one->start != other->start)
		return one->start < other->start ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* One routine for each address; none reaches into the next. */
static void unite_routines(struct hp_machine *machine)
{
	struct hp_routine *routines = machine->routines.items;
	size_t count = machine->routines.count;
	size_t kept = 0;
	size_t i;

	if (!count)
		return;
	qsort(routines, count, sizeof(*routines), by_start);
	for (i = 1; i < count; i++) {
		if (routines[i].start != routines[kept].start)
			routines[++kept] = routines[i];
		else if (routines[i].stop > routines[kept].stop)
			routines[kept].stop = routines[i].stop;
	}
	machine->routines.count = kept + 1;
	for (i = 0; i < kept; i++)
		if (routines[i].stop == routines[i].start ||
		    routines[i].stop > routines[i + 1].start)
			routines[i].stop = routines[i + 1].start;
}

/* The last routine that begins at or before @address, if that is in it. */
static size_t routine_around(const struct hp_machine *machine, uint64_t address)
{
	const struct hp_routine *routines = machine->routines.items;
	size_t low = 0;
	size_t high = machine->routines.count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (routines[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < routines[low - 1].stop ? low - 1 : NOWHERE;
}

/* @size bytes at @address in the file, NULL if it has none; @left: how many
 * follow. @linkage is set where calls go on to other modules. */
static const unsigned char *bytes_at(const struct hp_machine *machine,
				     uint64_t address, size_t *left,
				     bool *linkage)
{
	Elf *elf = machine->binary->elf;
	Elf_Scn *section = NULL;
	const char *name;
	GElf_Shdr header;
	Elf_Data *data;
	size_t names;

	*linkage = false;
	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    header.sh_type == SHT_NOBITS ||
		    !(header.sh_flags & SHF_ALLOC) ||
		    address - header.sh_addr >= header.sh_size)
			continue;
		data = elf_rawdata(section, NULL);
		if (!data || !data->d_buf ||
		    address - header.sh_addr >= data->d_size)
			return NULL;
		name = elf_getshdrstrndx(elf, &names) ?
			       NULL :
			       elf_strptr(elf, names, header.sh_name);
		*linkage = name && !strncmp(name, ".plt", 4);
		*left = data->d_size - (size_t)(address - header.sh_addr);
		return (const unsigned char *)data->d_buf +
		       (address - header.sh_addr);
	}
	return NULL;
}

static bool read_steps(struct hp_machine *machine, size_t index)
{
	struct hp_routine *routine = routine_at(machine, index);
	struct hp_machine_step *step;
	const unsigned char *bytes;
	bool linkage;
	size_t left = 0;
	uint64_t at;

	routine->first = machine->steps.count;
	bytes = bytes_at(machine, routine->start, &left, &linkage);
	if (left > routine->stop - routine->start)
		left = routine->stop - routine->start;
	routine->stop = routine->start + left; /* in its section */
	for (at = 0; bytes && at < left; at += step->effect.length) {
		step = hp_array_add(&machine->steps, sizeof(*step));
		if (!step)
			return false;
		step->address = routine->start + at;
		step->routine = index;
		step->goal = NOWHERE;
		step->to = NOWHERE;
		step->given = hp_registers_of_unknown_call();
		step->results = hp_registers_of_result(2, 2, sizeof(void *));
		step->unknown = !hp_effect_read(bytes + at, left - at,
						step->address, &step->effect);
		if (!step->unknown)
			continue;
		routine->strange = true;
		memset(&step->effect, 0, sizeof(step->effect));
		step->effect.length = 1;
	}
	routine->count = machine->steps.count - routine->first;
	return true;
}

/* The step at @address in the routine @index. */
static size_t find_step(const struct hp_machine *machine, size_t index,
			uint64_t address)
{
	const struct hp_routine *routine = routine_at(machine, index);
	size_t low = routine->first;
	size_t high = routine->first + routine->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (step_at(machine, middle)->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < routine->first + routine->count &&
			       step_at(machine, low)->address == address ?
		       low :
		       NOWHERE;
}

static bool add_edge(struct hp_machine *machine, size_t from, size_t to,
		     size_t step)
{
	struct hp_edge *edge;

	if (from == to)
		return true;
	edge = hp_array_add(&machine->edges, sizeof(*edge));
	if (!edge)
		return false;
	*edge = (struct hp_edge){from, to, step};
	return true;
}

static bool connect_target(struct hp_machine *machine, size_t index)
{
	struct hp_machine_step *step = step_at(machine, index);
	struct hp_routine *routine = routine_at(machine, step->routine);
	bool linkage = false;
	size_t left;

	step->goal = routine_around(machine, step->effect.target);
	if (step->goal != NOWHERE) {
		step->to = find_step(machine, step->goal, step->effect.target);
		routine->strange |= step->to == NOWHERE;
		return add_edge(machine, step->routine, step->goal, index);
	}
	(void)bytes_at(machine, step->effect.target, &left, &linkage);
	if (linkage)
		routine->touched = HP_REGISTERS_ALL;
	return true;
}

static bool connect(struct hp_machine *machine, size_t index)
{
	struct hp_machine_step *step = step_at(machine, index);
	struct hp_routine *routine = routine_at(machine, step->routine);

	routine->touched |= step->effect.touches;
	switch (step->effect.step) {
	case HP_STEP_CALL_UNKNOWN:
		routine->touched = HP_REGISTERS_ALL;
		return true;
	case HP_STEP_RETURN:
		routine->returns = true;
		return true;
	case HP_STEP_JUMP_UNKNOWN:
		routine->returns = true;
		routine->strange |= !routine->target_count;
		return true;
	case HP_STEP_JUMP:
	case HP_STEP_BRANCH:
		if (!connect_target(machine, index))
			return false;
		step = step_at(machine, index);
		routine->returns |= step->goal != step->routine;
		return true;
	case HP_STEP_CALL:
		return connect_target(machine, index);
	default:
		return true;
	}
}

static bool add_target(struct hp_machine *machine, struct hp_routine *routine,
		       uint64_t address)
{
	size_t index = hp_machine_index(machine, routine);
	size_t found = find_step(machine, index, address);
	size_t *target;

	if (found == NOWHERE)
		return false;
	target = hp_array_add(&machine->targets, sizeof(*target));
	if (!target) {
		machine->no_memory = true;
		return false;
	}
	*target = found;
	routine->target_count++;
	return true;
}

/* Distances of four bytes from the table's own place, or addresses, as long as
 * they lead into the routine. */
static void read_table(struct hp_machine *machine, struct hp_routine *routine,
		       uint64_t table)
{
	const unsigned char *bytes;
	bool linkage;
	int32_t distance;
	uint64_t whole;
	size_t left = 0;
	size_t i;

	bytes = bytes_at(machine, table, &left, &linkage);
	if (!bytes || routine_around(machine, table) != NOWHERE)
		return;
	for (i = 0; i < TABLE_LIMIT && 4 * (i + 1) <= left; i++) {
		memcpy(&distance, bytes + 4 * i, sizeof(distance));
		if (!add_target(machine, routine,
				table + (uint64_t)(int64_t)distance))
			break;
	}
	for (i = 0; i < TABLE_LIMIT && 8 * (i + 1) <= left; i++) {
		memcpy(&whole, bytes + 8 * i, sizeof(whole));
		if (!add_target(machine, routine, whole))
			break;
	}
}

static void read_tables(struct hp_machine *machine, size_t index)
{
	struct hp_routine *routine = routine_at(machine, index);
	bool wanted = false;
	uint64_t table;
	size_t i;

	routine->first_target = machine->targets.count;
	for (i = 0; i < routine->count; i++)
		wanted |= step_at(machine, routine->first + i)->effect.step ==
			  HP_STEP_JUMP_UNKNOWN;
	for (i = 0; wanted && i < routine->count; i++) {
		table = step_at(machine, routine->first + i)->effect.table;
		if (table)
			read_table(machine, routine, table);
	}
}

static int by_goal(const void *a, const void *b)
{
	const struct hp_edge *one = a;
	const struct hp_edge *other = b;

	if (one->to != other->to)
		return one->to < other->to ? -1 : 1;
	return one->from < other->from ? -1 : one->from > other->from;
}

/* What a routine leads to touches registers for it. */
static void spread_touched(struct hp_machine *machine)
{
	const struct hp_edge *edges = machine->edges.items;
	struct hp_routine *from;
	bool changed = true;
	uint64_t touched;
	size_t i;

	while (changed) {
		changed = false;
		for (i = 0; i < machine->edges.count; i++) {
			from = routine_at(machine, edges[i].from);
			touched = from->touched |
				  routine_at(machine, edges[i].to)->touched;
			changed |= touched != from->touched;
			from->touched = touched;
		}
	}
}

static bool connect_all(struct hp_machine *machine)
{
	size_t i;

	for (i = 0; i < machine->routines.count; i++)
		read_tables(machine, i);
	for (i = 0; i < machine->steps.count; i++)
		if (!connect(machine, i))
			return false;
	if (machine->edges.count)
		qsort(machine->edges.items, machine->edges.count,
		      sizeof(struct hp_edge), by_goal);
	spread_touched(machine);
	return true;
}

bool hp_machine_read(struct hp_machine *machine, const struct hp_binary *binary)
{
	bool complete;
	size_t i;

	memset(machine, 0, sizeof(*machine));
	machine->binary = binary;
	if (!hp_effect_is_known())
		return false;
	hp_binary_symbols(binary, false, visit_symbol, machine);
	unite_routines(machine);
	complete = !machine->no_memory;
	for (i = 0; i < machine->routines.count && complete; i++)
		complete = read_steps(machine, i);
	complete = complete && connect_all(machine) && !machine->no_memory;
	if (!complete)
		return false;
	hp_machine_describe(machine);
	hp_machine_flow(machine);
	return true;
}

void hp_machine_release(struct hp_machine *machine)
{
	free(machine->routines.items);
	free(machine->steps.items);
	free(machine->edges.items);
	free(machine->targets.items);
	memset(machine, 0, sizeof(*machine));
}

struct hp_machine_step *hp_machine_call(const struct hp_machine *machine,
					uint64_t address)
{
	size_t index = routine_around(machine, address - 1);
	const struct hp_routine *routine;
	struct hp_machine_step *step;
	size_t next;

	if (index == NOWHERE)
		return NULL;
	routine = routine_at(machine, index);
	next = address == routine->stop ? routine->first + routine->count :
					  find_step(machine, index, address);
	if (next == NOWHERE || next == routine->first)
		return NULL;
	step = step_at(machine, next - 1);
	return step->address + step->effect.length == address ? step : NULL;
}

const struct hp_routine *hp_machine_routine(const struct hp_machine *machine,
					    uint64_t address)
{
	size_t index = routine_around(machine, address);

	return index != NOWHERE &&
			       routine_at(machine, index)->start == address ?
		       routine_at(machine, index) :
		       NULL;
}

size_t hp_machine_index(const struct hp_machine *machine,
			const struct hp_routine *routine)
{
	return (size_t)(routine -
			(const struct hp_routine *)machine->routines.items);
}

/* The first edge that leads to @index or behind. */
static size_t first_edge(const struct hp_machine *machine, size_t index)
{
	const struct hp_edge *edges = machine->edges.items;
	size_t low = 0;
	size_t high = machine->edges.count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (edges[middle].to < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct hp_edge *hp_machine_into(const struct hp_machine *machine,
				      const struct hp_routine *routine,
				      size_t *count)
{
	size_t index = hp_machine_index(machine, routine);
	const struct hp_edge *edges = machine->edges.items;
	size_t first = first_edge(machine, index);

	*count = first_edge(machine, index + 1) - first;
	return edges ? edges + first : NULL;
}
