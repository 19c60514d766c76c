# SPDX-License-Identifier: MIT
#
# What gets installed, in three components: runtime (the shared library),
# development (headers, archive, CMake package, hotpatch.pc) and tools (the
# command, its manual page, schemas, completion and the gdb script). The
# installed tree can be moved.

set(HOTPATCH_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/hotpatch)

install(TARGETS hotpatch EXPORT hotpatch-targets
	LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
	ARCHIVE COMPONENT development)
if(HOTPATCH_ROLLOUT_KIT)
	install(TARGETS hotpatch_rollout EXPORT hotpatch-targets
		ARCHIVE COMPONENT development)
endif()
install(DIRECTORY include/hotpatch ${PROJECT_BINARY_DIR}/include/hotpatch
	TYPE INCLUDE COMPONENT development FILES_MATCHING PATTERN "*.h")
install(FILES lib/hotpatch.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
	COMPONENT development)
install(EXPORT hotpatch-targets NAMESPACE hotpatch::
	DESTINATION ${HOTPATCH_CMAKEDIR} COMPONENT development)
if(HOTPATCH_TOOLS)
	install(TARGETS hotpatch_command RUNTIME COMPONENT tools)
	file(GLOB manuals CONFIGURE_DEPENDS lib/tools/*.1)
	install(DIRECTORY lib/tools/schema
		DESTINATION ${CMAKE_INSTALL_DATADIR}/hotpatch COMPONENT tools)
	install(FILES lib/tools/completion/hotpatch
		DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
		COMPONENT tools)
	install(FILES lib/tools/completion/_hotpatch
		DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
		COMPONENT tools)
	install(FILES lib/tools/hotpatch-gdb.py
		DESTINATION ${CMAKE_INSTALL_DATADIR}/hotpatch COMPONENT tools)
	install(FILES ${manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
		COMPONENT tools)
endif()

configure_package_config_file(cmake/hotpatch-config.cmake.in
	hotpatch-config.cmake
	INSTALL_DESTINATION ${HOTPATCH_CMAKEDIR} NO_SET_AND_CHECK_MACRO)
# As long as the major version is 0, a minor one may break its users.
write_basic_package_version_file(hotpatch-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hotpatch-config.cmake
	${PROJECT_BINARY_DIR}/hotpatch-config-version.cmake
	cmake/HotpatchBundle.cmake cmake/HotpatchTarget.cmake
	DESTINATION ${HOTPATCH_CMAKEDIR} COMPONENT development)

# The .pc file finds its tree from its own place. Under a system prefix it must
# not: pkg-config leaves out -I/usr/include, but not the same folder spelled
# with "..", and that would change the order of the system's headers. Only the
# installation knows the prefix, so the last step is done there.
set(pc_folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_up ${pc_folder} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/+$" "" pc_up "${pc_up}")
file(RELATIVE_PATH pc_lib ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_include
	${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(HOTPATCH_PC_PREFIX "@HOTPATCH_PC_PREFIX@")
set(HOTPATCH_PC_LIBDIR "\${prefix}/${pc_lib}")
set(HOTPATCH_PC_INCLUDEDIR "\${prefix}/${pc_include}")
set(HOTPATCH_PC_LIBS_PRIVATE "-ldl -pthread")
set(HOTPATCH_PC_BUNDLE_CFLAGS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	# As in HotpatchBundle.cmake.
	set(HOTPATCH_PC_BUNDLE_CFLAGS " -mno-outline-atomics")
endif()
if(HOTPATCH_CONTROL)
	# Not Requires.private: pkg-config would then ask for jansson.pc also
	# where the library is shared and jansson's headers are absent.
	string(PREPEND HOTPATCH_PC_LIBS_PRIVATE "-ljansson ")
endif()
if(HOTPATCH_SIGNATURES)
	string(PREPEND HOTPATCH_PC_LIBS_PRIVATE "-lsodium ")
endif()
if(HOTPATCH_ZYDIS)
	# Zydis has no file for pkg-config everywhere.
	string(PREPEND HOTPATCH_PC_LIBS_PRIVATE "-lZydis ")
endif()
configure_file(hotpatch.pc.in hotpatch.pc.in @ONLY)
install(CODE "
	set(HOTPATCH_PC_PREFIX \"\\\${pcfiledir}/${pc_up}\")
	if(CMAKE_INSTALL_PREFIX MATCHES \"^/usr(/local)?/?$\")
		set(HOTPATCH_PC_PREFIX \"\${CMAKE_INSTALL_PREFIX}\")
	endif()
	configure_file(\"${PROJECT_BINARY_DIR}/hotpatch.pc.in\"
		\"${PROJECT_BINARY_DIR}/hotpatch.pc\" @ONLY)"
	COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/hotpatch.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
