/* SPDX-License-Identifier: MIT */
/*
 * Where no decoder was built in: nothing is known of any instruction.
 */
#include "registers.h"

bool hp_effect_read(const unsigned char *bytes, size_t left, uint64_t address,
		    struct hp_effect *effect)
{
	(void)bytes;
	(void)left;
	(void)address;
	(void)effect;
	return false;
}

bool hp_effect_is_known(void)
{
	return false;
}

uint64_t hp_registers_of_arguments(unsigned int integers, unsigned int floats)
{
	(void)integers;
	(void)floats;
	return HP_REGISTERS_ALL;
}

uint64_t hp_registers_of_result(unsigned int integers, unsigned int floats,
				uint64_t bytes)
{
	(void)bytes;
	(void)integers;
	(void)floats;
	return HP_REGISTERS_ALL;
}

uint64_t hp_registers_of_unknown_call(void)
{
	return HP_REGISTERS_ALL;
}

uint64_t hp_registers_of_vectors(void)
{
	return 0;
}

uint64_t hp_registers_of_vector_count(void)
{
	return 0;
}

void hp_registers_name(uint64_t registers, char *text, size_t size)
{
	(void)registers;
	if (size)
		text[0] = '\0';
}
