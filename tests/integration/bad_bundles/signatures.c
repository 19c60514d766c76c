/* SPDX-License-Identifier: MIT */
/*
 * Rows of a good bundle whose signature is missing, damaged, of somebody else
 * or for something else.
 */
#include "table.h"

#ifdef HOTPATCH_TEST_SIGNATURES

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE 4096

static void sign(const struct signing *how)
{
	sign_file(world.bundle, world.signature, how);
}

/* The signature's text with the byte at @place of its line @line changed. */
static void change_byte(unsigned int line, size_t place)
{
	char text[TEXT_SIZE];
	size_t size = get_file(world.signature, text, sizeof(text));
	char *at = text;

	while (line--)
		at = strchr(at, '\n') + 1;
	at[place] = at[place] == 'A' ? 'B' : 'A';
	put_file(world.signature, text, size);
}

static void cut_after_lines(unsigned int lines)
{
	char text[TEXT_SIZE];
	char *at = text;

	get_file(world.signature, text, sizeof(text));
	while (lines--)
		at = strchr(at, '\n') + 1;
	put_file(world.signature, text, (size_t)(at - text));
}

static void no_signature(void)
{
	unlink(world.signature);
}

static void by_a_stranger(void)
{
	sign(&(struct signing){.key = STRANGE_KEY, .says = STRANGE_KEY});
}

static void by_a_revoked_key(void)
{
	sign(&(struct signing){.key = REVOKED_KEY, .says = REVOKED_KEY});
}

static void by_a_key_revoked_in_code(void)
{
	sign(&(struct signing){.key = SECOND_KEY, .says = SECOND_KEY});
}

static void by_a_stranger_in_our_name(void)
{
	sign(&(struct signing){.key = STRANGE_KEY, .says = TRUSTED_KEY});
}

static void of_the_old_kind(void)
{
	sign(&(struct signing){.legacy = true});
}

static void of_an_unknown_kind(void)
{
	sign(&(struct signing){.algorithm = "XX"});
}

static void of_another_file(void)
{
	char other[160];
	struct elf_edit elf = elf_load("other.so");

	snprintf(other, sizeof(other), "%s/other.so", world.root);
	put_file(other, elf.bytes, elf.size);
	free(elf.bytes);
	sign_file(other, world.signature, &(struct signing){0});
}

static void changed_signature(void)
{
	change_byte(1, 40);
}

static void changed_comment(void)
{
	change_byte(2, strlen("trusted comment: ") + 2);
}

static void changed_signature_of_the_comment(void)
{
	change_byte(3, 40);
}

static void changed_bundle(void)
{
	world.elf.bytes[world.elf.size - 1] ^= 1;
	put_file(world.bundle, world.elf.bytes, world.elf.size);
}

static void longer_bundle(void)
{
	FILE *file = fopen(world.bundle, "a");

	if (!file || fputc(0, file) || fclose(file))
		abort();
}

static void empty(void)
{
	put_text(world.signature, "");
}

static void one_line(void)
{
	cut_after_lines(1);
}

static void two_lines(void)
{
	cut_after_lines(2);
}

static void three_lines(void)
{
	cut_after_lines(3);
}

static void no_comment(void)
{
	change_byte(0, 0);
}

static void no_trusted_comment(void)
{
	change_byte(2, 0);
}

static void no_base64(void)
{
	char text[TEXT_SIZE];
	size_t size = get_file(world.signature, text, sizeof(text));

	strchr(text, '\n')[5] = '*';
	put_file(world.signature, text, size);
}

static void more_lines(void)
{
	char text[TEXT_SIZE];
	size_t size = get_file(world.signature, text, sizeof(text));

	memcpy(text + size, "more\n", 5);
	put_file(world.signature, text, size + 5);
}

static void zero_byte(void)
{
	char text[TEXT_SIZE];
	size_t size = get_file(world.signature, text, sizeof(text));

	text[3] = '\0';
	put_file(world.signature, text, size);
}

static void huge(void)
{
	if (truncate(world.signature, (off_t)1 << 30))
		abort();
}

static void link_to_a_good_one(void)
{
	char target[160];

	snprintf(target, sizeof(target), "%s/behind", world.root);
	rename(world.signature, target);
	if (symlink(target, world.signature))
		abort();
}

static void pipe_instead(void)
{
	unlink(world.signature);
	mkfifo(world.signature, 0600);
}

static void directory_instead(void)
{
	unlink(world.signature);
	mkdir(world.signature, 0700);
}

#define ROW(name, status, text)                                                \
	{                                                                      \
		.promise = #name, .expected = HOTPATCH_##status, .word = text, \
		.then = name,                                                  \
	}

static const struct bad_bundle rows[] = {
	ROW(no_signature, E_UNSIGNED, "bad.so"),
	ROW(by_a_stranger, E_UNTRUSTED_KEY, "A3A3A3A3A3A3A3A3"),
	ROW(by_a_revoked_key, E_REVOKED_KEY, "A2A2A2A2A2A2A2A2"),
	ROW(by_a_key_revoked_in_code, E_REVOKED_KEY, "A1A1A1A1A1A1A1A1"),
	ROW(by_a_stranger_in_our_name, E_FORGED, "bad.so"),
	ROW(of_the_old_kind, E_SIGNATURE_LEGACY, "old kind"),
	ROW(of_an_unknown_kind, E_SIGNATURE, "unknown way"),
	ROW(of_another_file, E_FORGED, "bad.so"),
	ROW(changed_signature, E_FORGED, "bad.so"),
	ROW(changed_comment, E_FORGED, "comment"),
	ROW(changed_signature_of_the_comment, E_FORGED, "comment"),
	ROW(changed_bundle, E_FORGED, "bad.so"),
	ROW(longer_bundle, E_FORGED, "bad.so"),
	ROW(empty, E_SIGNATURE, "comment"),
	ROW(one_line, E_SIGNATURE, "second line"),
	ROW(two_lines, E_SIGNATURE, "third line"),
	ROW(three_lines, E_SIGNATURE, "fourth line"),
	ROW(no_comment, E_SIGNATURE, "comment"),
	ROW(no_trusted_comment, E_SIGNATURE, "third line"),
	ROW(no_base64, E_SIGNATURE, "second line"),
	ROW(more_lines, E_SIGNATURE, "goes on"),
	ROW(zero_byte, E_SIGNATURE, "comment"),
	ROW(huge, E_TOO_LARGE, "minisig"),
	ROW(link_to_a_good_one, E_NOT_REGULAR, "link"),
	ROW(pipe_instead, E_NOT_REGULAR, "minisig"),
	ROW(directory_instead, E_NOT_REGULAR, "minisig"),
};

BAD_GROUP(signature_rows, rows);

#endif
