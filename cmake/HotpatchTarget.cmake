# SPDX-License-Identifier: MIT
#
# Run with cmake -P while a bundle is built: writes OUTPUT from the build-ids
# of FILES, which READELF reads. KIND is HEADER, two definitions for the one
# file, or NOTES, a C file with a HOTPATCH_TARGET() for each.

set(ENV{LC_ALL} C)

# The name by which the process knows the file: "" for a program, else what the
# dynamic loader was asked for.
function(module_name file result)
	execute_process(COMMAND ${READELF} -W -l ${file}
		OUTPUT_VARIABLE segments ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
	if(segments MATCHES "INTERP")
		set(${result} "" PARENT_SCOPE)
		return()
	endif()
	execute_process(COMMAND ${READELF} -W -d ${file}
		OUTPUT_VARIABLE dynamic ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
	if(dynamic MATCHES "soname: \\[([^]]+)\\]")
		set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
	else()
		cmake_path(GET file FILENAME name)
		set(${result} "${name}" PARENT_SCOPE)
	endif()
endfunction()

function(build_id file result)
	execute_process(COMMAND ${READELF} -W -n ${file}
		OUTPUT_VARIABLE notes ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
	if(NOT notes MATCHES "Build ID: ([0-9a-f]+)")
		message(FATAL_ERROR "${file} has no build-id; "
			"link it with -Wl,--build-id=sha1")
	endif()
	set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

set(text "/* Made from the build-ids of ${FILES}. */\n")
if(KIND STREQUAL "NOTES")
	string(APPEND text "#include <hotpatch/bundle.h>\n")
endif()
foreach(file IN LISTS FILES)
	module_name(${file} module)
	build_id(${file} id)
	if(KIND STREQUAL "NOTES")
		string(APPEND text "HOTPATCH_TARGET(\"${module}\", \"${id}\");\n")
	else()
		string(APPEND text
			"#define HOTPATCH_TARGET_MODULE \"${module}\"\n"
			"#define HOTPATCH_TARGET_BUILD_ID \"${id}\"\n")
	endif()
endforeach()
file(WRITE ${OUTPUT} "${text}")
