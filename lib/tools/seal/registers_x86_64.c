/* SPDX-License-Identifier: MIT */
/*
 * x86-64 by Zydis; which registers a call may change is in the psABI, 3.2.
 * Masks of AVX-512 and the registers that only it has share one bit that is
 * never filled, so whoever uses them is taken to keep them.
 */
#include "registers.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#define GENERAL_COUNT ((size_t)9)
#define VECTOR_COUNT ((size_t)16)
#define LOW(i) (UINT64_C(1) << (i))
#define SECOND(i) (UINT64_C(1) << (GENERAL_COUNT + (i)))
#define REST(i) (UINT64_C(1) << (2 * GENERAL_COUNT + (i)))
#define WHOLE(i) (LOW(i) | SECOND(i) | REST(i))
#define VECTOR(i) (UINT64_C(1) << (3 * GENERAL_COUNT + (i)))
#define OTHERS (UINT64_C(1) << (3 * GENERAL_COUNT + VECTOR_COUNT))

/* In the order in which arguments use them; rax has the number of vector
 * registers for functions like printf, r10 the frame of nested functions. */
static const ZydisRegister general[GENERAL_COUNT] = {
	ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
	ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,	ZYDIS_REGISTER_R9,
	ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R10, ZYDIS_REGISTER_R11,
};
enum {
	RDX = 2,
	ARGUMENTS = 6,
	RAX = 6,
	R10 = 7,
	VECTOR_ARGUMENTS = 8
};

bool hp_effect_is_known(void)
{
	return true;
}

static uint64_t lanes(size_t index, ZydisRegister part)
{
	switch (ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, part)) {
	case 8:
		return part >= ZYDIS_REGISTER_AH && part <= ZYDIS_REGISTER_BH ?
			       SECOND(index) :
			       LOW(index);
	case 16:
		return LOW(index) | SECOND(index);
	default:
		return WHOLE(index);
	}
}

static uint64_t bits_of(ZydisRegister part)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(
		ZYDIS_MACHINE_MODE_LONG_64, part);
	size_t i;

	if (whole >= ZYDIS_REGISTER_ZMM0 && whole <= ZYDIS_REGISTER_ZMM31)
		return whole < ZYDIS_REGISTER_ZMM0 + VECTOR_COUNT ?
			       VECTOR(whole - ZYDIS_REGISTER_ZMM0) :
			       OTHERS;
	if (part >= ZYDIS_REGISTER_K0 && part <= ZYDIS_REGISTER_K7)
		return OTHERS;
	for (i = 0; i < GENERAL_COUNT; i++)
		if (general[i] == whole)
			return lanes(i, part);
	return 0;
}

static void add_register(const ZydisDecodedOperand *operand,
			 struct hp_effect *effect)
{
	uint64_t bits = bits_of(operand->reg.value);

	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		effect->reads |= bits;
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		effect->touches |= bits;
	if (operand->actions & ZYDIS_OPERAND_ACTION_WRITE)
		effect->fills |= bits & ~OTHERS;
}

/* What has the same operand twice and does not depend on it: xor, pcmpeq and
 * their like. */
static bool is_constant(const ZydisDecodedInstruction *raw,
			const ZydisDecodedOperand *operands)
{
	size_t last = raw->operand_count_visible;

	if (last < 2 ||
	    operands[last - 1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    operands[last - 2].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    operands[last - 1].reg.value != operands[last - 2].reg.value)
		return false;
	switch (raw->mnemonic) {
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_PXOR:
	case ZYDIS_MNEMONIC_XORPS:
	case ZYDIS_MNEMONIC_XORPD:
	case ZYDIS_MNEMONIC_VPXOR:
	case ZYDIS_MNEMONIC_VXORPS:
	case ZYDIS_MNEMONIC_VXORPD:
	case ZYDIS_MNEMONIC_PCMPEQB:
	case ZYDIS_MNEMONIC_PCMPEQD:
	case ZYDIS_MNEMONIC_VPCMPEQD:
		return true;
	default:
		return false;
	}
}

/* Their result depends on the old upper half only, which nobody uses. */
static bool is_conversion(const ZydisDecodedInstruction *raw)
{
	return raw->mnemonic == ZYDIS_MNEMONIC_CVTSI2SD ||
	       raw->mnemonic == ZYDIS_MNEMONIC_CVTSI2SS;
}

static bool is_zero(const ZydisDecodedInstruction *raw,
		    const ZydisDecodedOperand *operands)
{
	return raw->mnemonic == ZYDIS_MNEMONIC_MOV &&
	       operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	       operands[1].imm.value.u == 0;
}

static void add_operands(const ZydisDecodedInstruction *raw,
			 const ZydisDecodedOperand *operands, uint64_t address,
			 struct hp_effect *effect)
{
	const ZydisDecodedOperand *operand = operands;
	uint64_t taken;
	size_t i;

	for (i = 0; i < raw->operand_count; i++, operand++) {
		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
			add_register(operand, effect);
		if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		effect->reads |= bits_of(operand->mem.base) |
				 bits_of(operand->mem.index);
		if (operand->mem.base == ZYDIS_REGISTER_NONE)
			effect->table = (uint64_t)operand->mem.disp.value;
		else if (operand->mem.base == ZYDIS_REGISTER_RIP &&
			 ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(
				 raw, operand, address, &taken)))
			effect->table = taken;
	}
	if (is_constant(raw, operands) || is_conversion(raw))
		effect->reads &= ~bits_of(operands[0].reg.value);
	if ((is_constant(raw, operands) &&
	     raw->mnemonic == ZYDIS_MNEMONIC_XOR) ||
	    is_zero(raw, operands))
		effect->clears = bits_of(operands[0].reg.value);
}

/* The kernel's arguments and its answer. */
static void add_system_call(struct hp_effect *effect)
{
	effect->reads |= hp_registers_of_arguments(ARGUMENTS, 0) | WHOLE(R10) |
			 WHOLE(RAX);
	effect->fills |= WHOLE(RAX);
	effect->touches |= WHOLE(RAX);
}

static enum hp_step known_or(const ZydisDecodedOperand *operand,
			     enum hp_step known, enum hp_step unknown)
{
	return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? known : unknown;
}

static enum hp_step step_of(const ZydisDecodedInstruction *raw,
			    const ZydisDecodedOperand *operands)
{
	switch (raw->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return known_or(operands, HP_STEP_CALL, HP_STEP_CALL_UNKNOWN);
	case ZYDIS_CATEGORY_UNCOND_BR:
		return known_or(operands, HP_STEP_JUMP, HP_STEP_JUMP_UNKNOWN);
	case ZYDIS_CATEGORY_COND_BR:
		return HP_STEP_BRANCH;
	case ZYDIS_CATEGORY_RET:
		return HP_STEP_RETURN;
	default:
		break;
	}
	switch (raw->mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
		return HP_STEP_STOP;
	default:
		return HP_STEP_ON;
	}
}

bool hp_effect_read(const unsigned char *bytes, size_t left, uint64_t address,
		    struct hp_effect *effect)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction raw;
	ZydisDecoder decoder;

	memset(effect, 0, sizeof(*effect));
	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
					 ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, left, &raw,
					       operands)))
		return false;
	effect->length = raw.length;
	effect->step = step_of(&raw, operands);
	if (raw.mnemonic != ZYDIS_MNEMONIC_NOP)
		add_operands(&raw, operands, address, effect);
	if (raw.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
		add_system_call(effect);
	if (effect->step == HP_STEP_JUMP || effect->step == HP_STEP_BRANCH ||
	    effect->step == HP_STEP_CALL)
		return ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(
			&raw, &operands[0], address, &effect->target));
	return true;
}

static uint64_t vectors(unsigned int count)
{
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < count && i < VECTOR_ARGUMENTS; i++)
		bits |= VECTOR(i);
	return bits;
}

uint64_t hp_registers_of_arguments(unsigned int integers, unsigned int floats)
{
	uint64_t bits = vectors(floats);
	unsigned int i;

	for (i = 0; i < integers && i < ARGUMENTS; i++)
		bits |= WHOLE(i);
	return bits;
}

uint64_t hp_registers_of_result(unsigned int integers, unsigned int floats,
				uint64_t bytes)
{
	uint64_t bits = vectors(floats < 2 ? floats : 2);

	if (integers)
		bits |= LOW(RAX);
	if (integers && bytes > 1)
		bits |= SECOND(RAX);
	if (integers && bytes > 2)
		bits |= REST(RAX);
	if (integers > 1)
		bits |= WHOLE(RDX);
	return bits;
}

uint64_t hp_registers_of_unknown_call(void)
{
	return hp_registers_of_arguments(ARGUMENTS, VECTOR_ARGUMENTS) |
	       LOW(RAX) | WHOLE(R10);
}

uint64_t hp_registers_of_vectors(void)
{
	return vectors(VECTOR_ARGUMENTS);
}

uint64_t hp_registers_of_vector_count(void)
{
	return LOW(RAX);
}

static void append(char *text, size_t size, const char *name)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s", length ? ", " : "",
		 name);
}

void hp_registers_name(uint64_t registers, char *text, size_t size)
{
	char name[16];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < GENERAL_COUNT; i++)
		if (registers & WHOLE(i))
			append(text, size, ZydisRegisterGetString(general[i]));
	for (i = 0; i < VECTOR_COUNT; i++) {
		snprintf(name, sizeof(name), "xmm%u", i);
		if (registers & VECTOR(i))
			append(text, size, name);
	}
	if (registers & OTHERS)
		append(text, size, "registers of AVX-512");
}
