# Static programs with musl's C library, by Debian's musl-tools.
set(CMAKE_C_COMPILER musl-gcc)
# There is no C++ library for it.
set(CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER-NOTFOUND)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

# Libraries of the host are glibc's.
set(CMAKE_FIND_ROOT_PATH /usr/lib/musl)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)

set(MPROC_DEPS_DIR "${CMAKE_BINARY_DIR}/deps" CACHE PATH "Where dependencies of the tests are built")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MPROC_DEPS_DIR)
