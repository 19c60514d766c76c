/* SPDX-License-Identifier: MIT */
/*
 * Reads both spellings token by token and leaves out the names of parameters.
 * The grammar known here is the usual part of C: basic types, tagged types,
 * one typedef name, pointers, arrays and function pointers. At anything else
 * the reader gives up, and then the spellings are equal only if their tokens
 * are. It neither allocates nor recurses; what is nested deeper than the
 * limit counts as not understood.
 */
#include "prototype.h"

#include <stddef.h>
#include <string.h>

#define DEPTH_LIMIT 16

/* What the innermost open bracket means. */
enum place {
	OUTSIDE, /* the function's own return type */
	PARAMETERS,
	DECLARATOR, /* the "(*name)" of a pointer to a function */
	BOUND,	    /* "[4]", copied as it is */
};

/* What was read since the place, or the current parameter, began. */
struct level {
	enum place place;
	bool tag; /* struct, union or enum, whose tag comes next */
	bool type;
	bool name;
	bool suffix; /* a group or a bound, after which no name can come */
};

struct token {
	const char *text;
	size_t length; /* 0 at the end */
};

struct reader {
	const char *at;
	bool lost; /* met something that it does not understand */
	size_t depth;
	struct level levels[DEPTH_LIMIT];
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct token next_token(const char **at)
{
	struct token token;

	while (is_blank(**at))
		(*at)++;
	token.text = *at;
	token.length = 0;
	while (is_word(token.text[token.length]))
		token.length++;
	if (!token.length && *token.text)
		token.length = 1;
	*at += token.length;
	return token;
}

/* Spellings of one keyword: as C, C++ and headers for both write it. */
static struct token plain(struct token token)
{
	static const char *const pairs[][2] = {
		{"_Bool", "bool"},
		{"__restrict", "restrict"},
		{"__restrict__", "restrict"},
		{"__const", "const"},
		{"__const__", "const"},
		{"__volatile", "volatile"},
		{"__volatile__", "volatile"},
		{"__signed__", "signed"},
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strlen(pairs[i][0]) == token.length &&
		    !memcmp(pairs[i][0], token.text, token.length))
			return (struct token){pairs[i][1], strlen(pairs[i][1])};
	return token;
}

static bool same(struct token a, struct token b)
{
	a = plain(a);
	b = plain(b);
	return a.length == b.length && !memcmp(a.text, b.text, a.length);
}

static bool is_one_of(struct token token, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == token.length &&
		    !memcmp(*words, token.text, token.length))
			return true;
	return false;
}

static bool is_qualifier(struct token token)
{
	static const char *const words[] = {
		"const",      "volatile",     "restrict", "__restrict",
		"__const",    "__restrict__", "register", "__volatile__",
		"__volatile", "__const__",    NULL};

	return is_one_of(token, words);
}

static bool is_basic_type(struct token token)
{
	static const char *const words[] = {
		"void",	    "char",	"short",    "int",	  "long",
		"float",    "double",	"signed",   "unsigned",	  "_Bool",
		"bool",	    "_Complex", "__int128", "__float128", "_Float128",
		"_Float64", "_Float32", "_Float16", NULL};

	return is_one_of(token, words);
}

static bool is_tag_word(struct token token)
{
	static const char *const words[] = {"struct", "union", "enum", NULL};

	return is_one_of(token, words);
}

/* Words that could mean anything: numbers, and names that are the compiler's
 * to give a meaning. */
static bool is_strange(struct token token)
{
	const char *text = token.text;

	if (*text >= '0' && *text <= '9')
		return true;
	return token.length > 1 && text[0] == '_' &&
	       (text[1] == '_' || (text[1] >= 'A' && text[1] <= 'Z'));
}

static struct level *top(struct reader *reader)
{
	return &reader->levels[reader->depth];
}

static void open_level(struct reader *reader, enum place place)
{
	if (reader->depth + 1 == DEPTH_LIMIT) {
		reader->lost = true;
		return;
	}
	reader->depth++;
	memset(top(reader), 0, sizeof(*top(reader)));
	top(reader)->place = place;
}

static void close_level(struct reader *reader, enum place place)
{
	if (!reader->depth || top(reader)->place != place) {
		reader->lost = true;
		return;
	}
	reader->depth--;
	top(reader)->suffix = true;
}

/* A word of a type or a name; true if it is a name, which is left out. */
static bool read_word(struct reader *reader, struct token word)
{
	struct level *level = top(reader);

	if (level->suffix) {
		reader->lost = true;
	} else if (level->tag) {
		level->tag = false;
	} else if (is_qualifier(word)) {
		reader->lost = level->name;
	} else if (is_basic_type(word)) {
		reader->lost = level->name || level->place == DECLARATOR;
		level->type = true;
	} else if (is_tag_word(word)) {
		reader->lost = level->type || level->place == DECLARATOR;
		level->tag = level->type = true;
	} else if (is_strange(word) || level->name) {
		reader->lost = true;
	} else if (level->place == DECLARATOR || level->type) {
		level->name = level->place != OUTSIDE;
		return level->name;
	} else {
		level->type = true;
	}
	return false;
}

static void open_group(struct reader *reader)
{
	struct level *level = top(reader);
	const char *ahead = reader->at;
	struct token next = next_token(&ahead);
	bool named = level->name || level->suffix;

	if (level->tag || (level->place == PARAMETERS && !level->type) ||
	    (level->place == OUTSIDE && (level->suffix || !level->type)))
		reader->lost = true;
	else if (level->place == OUTSIDE || named)
		open_level(reader, PARAMETERS);
	else if (next.length == 1 && *next.text == '*')
		open_level(reader, DECLARATOR);
	else if (level->place == PARAMETERS && *next.text != '(')
		open_level(reader, PARAMETERS);
	else
		reader->lost = true;
}

static void next_parameter(struct reader *reader)
{
	struct level *level = top(reader);

	if (level->place != PARAMETERS || !level->type || level->tag) {
		reader->lost = true;
		return;
	}
	memset(level, 0, sizeof(*level));
	level->place = PARAMETERS;
}

/* A star belongs to the type, so it comes before the name. */
static void read_star(struct reader *reader)
{
	struct level *level = top(reader);

	if (level->name || level->suffix || level->tag ||
	    (level->place != DECLARATOR && !level->type))
		reader->lost = true;
	/* What follows a star cannot be the type any more. */
	level->type = true;
}

/* "..." comes as three tokens, in a parameter of its own without a name. */
static void read_dot(struct reader *reader)
{
	struct level *level = top(reader);

	if (level->place != PARAMETERS || level->tag || level->suffix ||
	    level->type != level->name)
		reader->lost = true;
	level->type = level->name = true;
}

static void read_sign(struct reader *reader, char sign)
{
	struct level *level = top(reader);

	switch (sign) {
	case '*':
		read_star(reader);
		break;
	case '(':
		open_group(reader);
		break;
	case ')':
		close_level(reader, level->place == DECLARATOR ? DECLARATOR :
								 PARAMETERS);
		break;
	case '[':
		if (level->place == OUTSIDE || level->tag ||
		    (level->place == PARAMETERS && !level->type))
			reader->lost = true;
		else
			open_level(reader, BOUND);
		break;
	case ',':
		next_parameter(reader);
		break;
	case '.':
		read_dot(reader);
		break;
	default:
		reader->lost = true;
	}
}

static void read_bound(struct reader *reader, struct token token)
{
	if (*token.text == '[' || *token.text == '"' || *token.text == '\'')
		reader->lost = true;
	else if (*token.text == ']')
		close_level(reader, BOUND);
}

/* The next token that counts. */
static struct token read_token(struct reader *reader)
{
	struct token token;

	for (;;) {
		token = next_token(&reader->at);
		if (!token.length) {
			if (reader->depth || !top(reader)->suffix)
				reader->lost = true;
			return token;
		}
		if (top(reader)->place == BOUND)
			read_bound(reader, token);
		else if (!is_word(*token.text))
			read_sign(reader, *token.text);
		else if (read_word(reader, token))
			continue;
		return token;
	}
}

/* True if both are understood and equal but for the names of parameters. */
static bool equal_but_for_names(const char *a, const char *b)
{
	struct reader one = {.at = a};
	struct reader other = {.at = b};
	struct token token;

	do {
		token = read_token(&one);
		if (!same(token, read_token(&other)))
			return false;
	} while (token.length && !one.lost && !other.lost);
	return !one.lost && !other.lost;
}

static bool equal_tokens(const char *a, const char *b)
{
	struct token token;

	do {
		token = next_token(&a);
		if (!same(token, next_token(&b)))
			return false;
	} while (token.length);
	return true;
}

bool hp_prototype_equal(const char *a, const char *b)
{
	return equal_tokens(a, b) || equal_but_for_names(a, b);
}
