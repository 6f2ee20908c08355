# Windows programs by MinGW-w64 (the variant with Win32 threads, where there are two), run by wine.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

find_program(MPROC_MINGW_GCC
    NAMES x86_64-w64-mingw32-gcc-win32 x86_64-w64-mingw32-gcc REQUIRED)
find_program(MPROC_MINGW_GXX
    NAMES x86_64-w64-mingw32-g++-win32 x86_64-w64-mingw32-g++)
set(CMAKE_C_COMPILER "${MPROC_MINGW_GCC}")
set(CMAKE_CXX_COMPILER "${MPROC_MINGW_GXX}")
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# A program depends on nothing but what every Windows has.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-static-libgcc")

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)

# What a test build needs beside the project: CMocka and wine's prefix.
set(MPROC_DEPS_DIR "${CMAKE_BINARY_DIR}/deps" CACHE PATH "Where dependencies of the tests are built")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MPROC_DEPS_DIR)
set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/wine.sh;${MPROC_DEPS_DIR}/wine")
