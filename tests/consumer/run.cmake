# Installs mproc, moves the installed tree elsewhere, then builds and runs the outside programs
# against it, in one WAY: find_package or pkg_config.
cmake_minimum_required(VERSION 3.25)

set(prefix "${WORK}/moved")
set(outside "${CMAKE_CURRENT_LIST_DIR}/outside")

function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        list(JOIN ARGV " " line)
        message(FATAL_ERROR "${line}: ${result}\n${output}")
    endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/installed" --config "${CONFIG}")
file(RENAME "${WORK}/installed" "${prefix}")

file(GLOB_RECURSE texts "${prefix}/*.cmake" "${prefix}/*.pc")
foreach(text IN LISTS texts)
    file(READ "${text}" content)
    string(FIND "${content}" "${BUILD}" place)
    string(FIND "${content}" "${SOURCE}" other_place)
    if(NOT place EQUAL -1 OR NOT other_place EQUAL -1)
        message(FATAL_ERROR "${text} names a folder of the build")
    endif()
endforeach()

if(WAY STREQUAL "find_package")
    set(compilers "")
    if(TOOLCHAIN)
        list(APPEND compilers "-DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN}" "-DMPROC_DEPS_DIR=${DEPS}")
    else()
        list(APPEND compilers
            "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
    endif()
    set(with_cxx OFF)
    if(CXX_COMPILER)
        set(with_cxx ON)
    endif()
    run("${CMAKE_COMMAND}" -S "${outside}" -B "${WORK}/build" -G "${GENERATOR}" ${compilers}
        "-DCMAKE_BUILD_TYPE=${CONFIG}" "-DCMAKE_C_FLAGS=${C_FLAGS}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
        "-Dmproc_DIR=${prefix}/${LIBDIR}/cmake/mproc" -DWITH_CXX=${with_cxx})
    run("${CMAKE_COMMAND}" --build "${WORK}/build" --config "${CONFIG}")
    file(GLOB programs "${WORK}/build/bin/*_program*")
else()
    set(ENV{PKG_CONFIG_LIBDIR} "${prefix}/${LIBDIR}/pkgconfig")
    execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs mproc
        OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(flags UNIX_COMMAND "${flags}")
    separate_arguments(C_FLAGS UNIX_COMMAND "${C_FLAGS}")
    separate_arguments(CXX_FLAGS UNIX_COMMAND "${CXX_FLAGS}")
    separate_arguments(LINK_FLAGS UNIX_COMMAND "${LINK_FLAGS}")
    file(GLOB libraries "${prefix}/${BINDIR}/*.dll")
    if(libraries)
        # The linker finds no import library when everything is to be static.
        list(TRANSFORM LINK_FLAGS REPLACE "^-static$" "-static-libgcc;-static-libstdc++")
        file(COPY ${libraries} DESTINATION "${WORK}")
    endif()
    set(programs "${WORK}/c_program.exe")
    run("${C_COMPILER}" -std=c11 ${C_FLAGS} "${outside}/program.c" -o "${WORK}/c_program.exe"
        ${LINK_FLAGS} ${flags})
    if(CXX_COMPILER)
        list(APPEND programs "${WORK}/cxx_program.exe")
        run("${CXX_COMPILER}" -std=c++17 ${CXX_FLAGS} "${outside}/program.cpp"
            -o "${WORK}/cxx_program.exe" ${LINK_FLAGS} ${flags})
    endif()
    # Where the loader of each system looks.
    set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBDIR}")
    set(ENV{DYLD_LIBRARY_PATH} "${prefix}/${LIBDIR}")
endif()

if(NOT programs)
    message(FATAL_ERROR "No programs were built")
endif()
foreach(program IN LISTS programs)
    run(${EMULATOR} "${program}")
endforeach()
list(LENGTH programs count)
message("${count} outside programs ran")
