# SPDX-License-Identifier: MIT
#[[
hotpatch_add_bundle(<name>
	SOURCES <file>...
	[TARGET <host>]
	[BUILD_ID_OF <file>]
	[MODULES <target>...]
	[SEAL] [ALLOW <reason:name>...])

Builds <name>.so, a bundle for the build of <host>: a target of this project
that is an executable or a shared library. The bundle is compiled with the
host's include directories and definitions, and made anew whenever the host is.

BUILD_ID_OF takes the build-id from a file instead, such as the copy of the
program that was shipped. MODULES are more shared libraries of this project
that the bundle replaces functions of (HOTPATCH_REPLACE_IN). Without TARGET and
BUILD_ID_OF the sources say themselves what they are for, with
HOTPATCH_TARGET().

SEAL runs hotpatch seal over what was linked, with <host>, the file and the
modules as its targets; the build fails where it refuses. They need their
debugging information. ALLOW accepts what it would refuse. It needs the command,
with HOTPATCH_SEAL: the target hotpatch::command, or "hotpatch" in the PATH.

A bundle that calls functions of its host by name needs a host that exports
them: set_target_properties(<host> PROPERTIES ENABLE_EXPORTS ON). Replaced
functions that the bundle does not call by name need not be exported.

A bundle links nothing of the library, and it is compiled without the host's
sanitizers, which would give it constructors.
]]
include_guard(GLOBAL)

set(HOTPATCH_TARGET_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/HotpatchTarget.cmake
	CACHE INTERNAL "Reads a build-id and writes what a bundle needs of it")

# Adds the rule that makes @output, in the form that @kind names, from files.
function(_hotpatch_describe output kind dependencies)
	add_custom_command(OUTPUT ${output}
		COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D KIND=${kind}
			-D READELF=${CMAKE_READELF} -D "FILES=${ARGN}"
			-P ${HOTPATCH_TARGET_SCRIPT}
		DEPENDS ${dependencies} ${ARGN} ${HOTPATCH_TARGET_SCRIPT}
		COMMENT "Reading a build-id for a bundle"
		VERBATIM)
endfunction()

# Seals the bundle once it is linked, and links it anew if a target changed.
function(_hotpatch_seal name host modules allowed)
	if(TARGET hotpatch::command)
		set(command $<TARGET_FILE:hotpatch::command>)
		add_dependencies(${name} hotpatch::command)
	else()
		find_program(HOTPATCH_EXECUTABLE hotpatch REQUIRED)
		set(command ${HOTPATCH_EXECUTABLE})
	endif()
	set(arguments "")
	foreach(file IN LISTS host modules)
		list(APPEND arguments --target ${file})
	endforeach()
	foreach(reason IN LISTS allowed)
		list(APPEND arguments --allow ${reason})
	endforeach()
	add_custom_command(TARGET ${name} POST_BUILD
		COMMAND ${command} seal $<TARGET_FILE:${name}> ${arguments}
		COMMENT "Sealing ${name}"
		VERBATIM)
	if(ARGN)
		add_dependencies(${name} ${ARGN})
	endif()
endfunction()

function(hotpatch_add_bundle name)
	cmake_parse_arguments(PARSE_ARGV 1 arg
		"SEAL" "TARGET;BUILD_ID_OF" "SOURCES;MODULES;ALLOW")
	set(caller "hotpatch_add_bundle(${name})")
	if(arg_UNPARSED_ARGUMENTS)
		message(FATAL_ERROR "${caller}: unknown ${arg_UNPARSED_ARGUMENTS}")
	endif()
	if(NOT arg_SOURCES)
		message(FATAL_ERROR "${caller}: SOURCES is missing")
	endif()
	foreach(target IN LISTS arg_TARGET arg_MODULES)
		if(NOT TARGET ${target})
			message(FATAL_ERROR "${caller}: no target ${target}")
		endif()
	endforeach()

	add_library(${name} MODULE ${arg_SOURCES})
	set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so"
		C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
		VISIBILITY_INLINES_HIDDEN ON NO_SONAME ON)
	target_include_directories(${name} PRIVATE
		$<TARGET_PROPERTY:hotpatch::hotpatch,INTERFACE_INCLUDE_DIRECTORIES>)
	target_link_options(${name} PRIVATE
		LINKER:--build-id=sha1 LINKER:-z,now)

	set(stem ${CMAKE_CURRENT_BINARY_DIR}/${name})
	if(arg_TARGET)
		target_include_directories(${name} PRIVATE
			$<TARGET_PROPERTY:${arg_TARGET},INCLUDE_DIRECTORIES>)
		target_compile_definitions(${name} PRIVATE
			$<TARGET_PROPERTY:${arg_TARGET},COMPILE_DEFINITIONS>)
	endif()
	if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
		# libgcc's functions for atomics bring a constructor along.
		target_compile_options(${name} PRIVATE -mno-outline-atomics)
	endif()
	set(file "${arg_BUILD_ID_OF}")
	set(files "")
	if(arg_TARGET AND NOT file)
		set(file $<TARGET_FILE:${arg_TARGET}>)
	endif()
	if(file)
		_hotpatch_describe(${stem}-target.h HEADER "${arg_TARGET}"
			${file})
		target_sources(${name} PRIVATE ${stem}-target.h)
		target_compile_options(${name} PRIVATE
			"$<$<COMPILE_LANGUAGE:C,CXX>:SHELL:-include ${stem}-target.h>")
	endif()
	if(arg_MODULES)
		list(TRANSFORM arg_MODULES REPLACE "(.+)" "$<TARGET_FILE:\\1>"
			OUTPUT_VARIABLE files)
		_hotpatch_describe(${stem}-modules.c NOTES "${arg_MODULES}"
			${files})
		# Last of the sources: the first target is the host.
		target_sources(${name} PRIVATE ${stem}-modules.c)
	endif()
	if(arg_SEAL)
		_hotpatch_seal(${name} "${file}" "${files}" "${arg_ALLOW}"
			${arg_TARGET} ${arg_MODULES})
	endif()
endfunction()
