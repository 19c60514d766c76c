# SPDX-License-Identifier: MIT
#
# The library's objects with the torture's steps in them (lib/step.h), which no
# other target has, and the tests that want more than the program.

get_target_property(sources hotpatch_objects SOURCES)
list(FILTER sources EXCLUDE
	REGEX "(control|redirect|signature)/[^/]+$")
list(APPEND sources control/disabled.c redirect/disabled.c
	signature/disabled.c)
get_target_property(folder hotpatch_objects SOURCE_DIR)
list(TRANSFORM sources REPLACE "^([^/].*)$" "${folder}/\\1")
add_library(hotpatch_torture_objects OBJECT ${sources})
target_include_directories(hotpatch_torture_objects PUBLIC
	${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
target_compile_definitions(hotpatch_torture_objects PRIVATE _GNU_SOURCE
	PUBLIC HP_TORTURE=1 $<$<BOOL:${HOTPATCH_FENCED}>:HP_FENCED=1>)
target_link_libraries(hotpatch_torture_objects PUBLIC
	Threads::Threads ${CMAKE_DL_LIBS})
target_link_options(hotpatch_torture_objects INTERFACE LINKER:--build-id=sha1)
set_target_properties(hotpatch_torture_objects PROPERTIES
	C_STANDARD 17 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden
	POSITION_INDEPENDENT_CODE ON INTERPROCEDURAL_OPTIMIZATION OFF)
add_library(hotpatch_between_objects ALIAS hotpatch_torture_objects)
if(HOTPATCH_SANITIZE)
	set(flags -fsanitize=${HOTPATCH_SANITIZE} -fno-omit-frame-pointer
		-fno-sanitize-recover=all)
	target_compile_options(hotpatch_torture_objects PUBLIC ${flags})
	target_link_options(hotpatch_torture_objects PUBLIC ${flags})
else()
	hotpatch_add_script(stress.torture_without stress 600
		${CMAKE_CURRENT_SOURCE_DIR}/stress/torture/without.sh
		${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
		${CMAKE_CURRENT_BINARY_DIR}/torture_without
		${CMAKE_C_COMPILER})
endif()
hotpatch_add_script(stress.torture_meetings stress 180
	${test_launcher} $<TARGET_FILE:test_stress_torture> --seconds 6
	--only work,short,storm,visitor,stranger,slow,meet)
hotpatch_add_script(stress.torture_untraced stress 60
	${CMAKE_CURRENT_SOURCE_DIR}/stress/torture/untraced.sh
	${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} $<TARGET_FILE:hotpatch>
	${CMAKE_C_COMPILER}
	$<TARGET_OBJECTS:hotpatch_objects>)
