#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The table "Orderings" in lib/README.md has every ordered operation of the
# library once, by its file, function and kind; each of its rows has operations
# that are there, and names what models it: places in tests/model that exist,
# mutants that are searched, or "none:" and why.
# shellcheck source-path=SCRIPTDIR

. "$(dirname "$0")/common.sh"

map=lib/README.md
bad=0

complain()
{
	echo "$map: $*"
	bad=1
}

# "FILE FUNCTION(): KIND" of each ordered operation. A function begins in the
# first column; so does a macro of the CPU's header, and a label.
operations()
{
	# shellcheck disable=SC2046 # names without blanks
	awk '
	function found(kind) { print file, name "(): " kind }
	FNR == 1 {
		file = FILENAME
		sub(/^.*\//, "", file)
		if (FILENAME ~ /\/arch\//) {
			cpu = FILENAME ~ /aarch64/ ? "aarch64" : "x86_64"
			file = file ~ cpu ? file : cpu "/" file
		}
	}
	/^#define [A-Za-z_]+\(/ || /^[A-Za-z_].*[A-Za-z_]\(/ {
		name = $0
		sub(/^#define /, "", name)
		gsub(/__attribute__\(\([^)]*\)+( |$)/, "", name)
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
	}
	/^[a-z_]+:$/ { name = substr($0, 1, length($0) - 1) }
	/^[\t ]*(\/\*|\*)/ || /^#define hp_/ { next }
	{
		line = $0
		while (match(line, /hp_(load_acquire|store_release|load_fenced|exchange_fenced|add_fenced|replace)\(/)) {
			found(substr(line, RSTART + 3, RLENGTH - 4))
			line = substr(line, RSTART + RLENGTH)
		}
	}
	/^[\t ].*hp_barrier\(/ { found("barrier") }
	/^[\t ].*HOTPATCH_ARCH_PUBLISH\(/ { found("publish") }
	/__ATOMIC_ACQUIRE/ && !/hp_/ { found("load_acquire") }
	/__ATOMIC_RELEASE/ && !/hp_/ { found("store_release") }
	/__ATOMIC_(SEQ_CST|ACQ_REL)/ && !/hp_/ { found("fenced") }
	FILENAME ~ /\.S$/ && /^\t(dmb|dsb|mfence|lock)/ { found($1) }
	' $(find lib include -name '*.[chS]' ! -name atomic.h | sort) | sort -u
}

# The rows of the table, without its head.
rows()
{
	sed -n '/^## Orderings/,/^##/p' $map | grep '^|' | sed 1,2d
}

# column NUMBER: one cell of each row
column()
{
	rows | awk -F ' *\\| *' -v "n=$1" '{ print $(n + 1) }'
}

# Names between backquotes, one a line.
quoted()
{
	grep -o "\`[^\`]*\`" | tr -d "\`"
}

code=$(operations)
listed=$(column 1 | quoted | sort)
[ -n "$code" ] || complain "found no ordered operation"

while read -r operation; do
	[ -z "$operation" ] || complain "no row has $operation"
done < <(comm -23 <(echo "$code") <(echo "$listed" | uniq))
while read -r operation; do
	[ -z "$operation" ] || complain "nothing in the code is $operation"
done < <(comm -13 <(echo "$code") <(echo "$listed" | uniq))
while read -r operation; do
	[ -z "$operation" ] || complain "more than one row has $operation"
done < <(echo "$listed" | uniq -d)

while read -r cell; do
	case $cell in
	'none: '?*) continue ;;
	esac
	places=$(echo "$cell" | quoted)
	[ -n "$places" ] || complain "nothing models a row: \"$cell\""
	for name in $places; do
		case $name in
		*.pml:*)
			grep -qE "^(inline|(active )?proctype) ${name#*:}\(" \
				"tests/model/${name%%:*}" ||
				complain "there is no $name"
			;;
		*)
			grep -q "| mutant | $name |" tests/model/mutants.txt ||
				complain "no mutant is called $name"
			;;
		esac
	done
done < <(column 5)
exit $bad
