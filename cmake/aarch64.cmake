# SPDX-License-Identifier: MIT
#
# Toolchain file: builds for aarch64 with Debian's cross compiler and runs the
# tests under qemu's user mode. HOTPATCH_SYSROOT is a folder that holds the
# libraries which the cross compiler's own folder lacks.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
find_program(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
if(NOT CMAKE_CXX_COMPILER)
	unset(CMAKE_CXX_COMPILER CACHE)
endif()
set(CMAKE_READELF aarch64-linux-gnu-readelf)

# Programs name the cross compiler's own loader and libraries. With qemu's
# prefix for them (-L) "/" would be that folder, and nothing would lie in it.
set(runtime /usr/aarch64-linux-gnu/lib)
set(CMAKE_EXE_LINKER_FLAGS_INIT
	"-Wl,--dynamic-linker=${runtime}/ld-linux-aarch64.so.1,-rpath,${runtime},--disable-new-dtags")
find_program(HOTPATCH_QEMU NAMES qemu-aarch64-static qemu-aarch64 REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${HOTPATCH_QEMU})
