# Builds the benchmarks, optimised, and runs them one after the other; each prints its table.
#   cmake [-DONLY=name] -P cmake/bench.cmake
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/setup.cmake")

setup_require(native)
setup_tools(missing bench) # what is compared with: where it is missing, that is left out

set(log "${build}/bench.log")
file(WRITE "${log}" "")
say("Building release")
run_logged(result "${log}" "${CMAKE_COMMAND}" --preset release
    -DMPROC_BUILD_TESTS=OFF -DMPROC_BUILD_BENCH=ON)
if(result EQUAL 0)
    run_logged(result "${log}" "${CMAKE_COMMAND}" --build --preset release -j ${cores})
endif()
if(NOT result EQUAL 0)
    show_end_of("${log}")
    message(FATAL_ERROR " The benchmarks cannot be built")
endif()

# Their folder names them: bench/NAME.c is the program bench_NAME.
file(GLOB programs "${build}/release/bin/bench_*")
list(SORT programs)
foreach(program IN LISTS programs)
    cmake_path(GET program STEM name)
    if(DEFINED ONLY AND NOT name STREQUAL "bench_${ONLY}")
        continue()
    endif()
    say("\n${name}\n")
    execute_process(COMMAND "${program}" RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(SEND_ERROR " ${name}: ${result}")
    endif()
endforeach()
if(NOT programs)
    message(FATAL_ERROR " There are no benchmarks")
endif()
