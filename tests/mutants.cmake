# Breaks the library on purpose, one place after another, in a copy of the sources, and demands that
# one ordinary run of a test notices each.
#   cmake -DLIST=tests/fault/mutants.cmake [-DONLY=REGEX] [-DWORK=build/mutants] -P tests/mutants.cmake
# A list begins with set(target TEST), and then says for each place
#   mutant(NAME METHOD FILE [[the piece of source]] [[what stands there instead]])
# A test that stands still has noticed it, too.
cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH source)
if(NOT DEFINED WORK)
    set(WORK "${source}/build/mutants")
endif()
set(copy "${WORK}/source")
set(missed "")
set(count 0)
set(hang 180) # seconds
cmake_path(ABSOLUTE_PATH LIST)

function(build result)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK}/build" --target ${target}
        RESULT_VARIABLE code OUTPUT_FILE "${WORK}/build.log" ERROR_FILE "${WORK}/build.log")
    set(${result} "${code}" PARENT_SCOPE)
endfunction()

# A copy made anew keeps the times of files, so that little is built again.
function(begin)
    file(COPY "${source}/src" "${source}/include" "${source}/cmake" "${source}/tests"
        "${source}/CMakeLists.txt" DESTINATION "${copy}")
    execute_process(COMMAND "${CMAKE_COMMAND}" -G Ninja -S "${copy}" -B "${WORK}/build"
        -DCMAKE_BUILD_TYPE=Debug -DMPROC_BUILD_EXAMPLES=OFF -DMPROC_BUILD_TESTS=ON
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(mutant name method path old new)
    if(DEFINED ONLY AND NOT name MATCHES "${ONLY}")
        return()
    endif()
    file(READ "${copy}/${path}" text)
    string(FIND "${text}" "${old}" at)
    string(FIND "${text}" "${old}" last REVERSE)
    if(at EQUAL -1 OR NOT at EQUAL last)
        message(FATAL_ERROR " ${name}: the piece does not stand exactly once in ${path}")
    endif()
    string(REPLACE "${old}" "${new}" broken "${text}")
    file(WRITE "${copy}/${path}" "${broken}")
    build(built)
    if(NOT built EQUAL 0)
        message(FATAL_ERROR " ${name}: does not compile, see ${WORK}/build.log")
    endif()
    string(TIMESTAMP begun "%s" UTC)
    execute_process(COMMAND "${CMAKE_COMMAND}" -E env "MPROC_TEST_METHOD=${method}"
        "${WORK}/build/bin/${target}"
        TIMEOUT ${hang} RESULT_VARIABLE code OUTPUT_FILE "${WORK}/${name}.log" ERROR_FILE "${WORK}/${name}.log")
    file(WRITE "${copy}/${path}" "${text}")
    math(EXPR count "${count} + 1")
    set(count ${count} PARENT_SCOPE)
    if(code EQUAL 0)
        message(STATUS "${name}: MISSED, see ${WORK}/${name}.log")
        set(missed "${missed} ${name}" PARENT_SCOPE)
    else()
        string(TIMESTAMP now "%s" UTC)
        math(EXPR seconds "${now} - ${begun}")
        message(STATUS "${name}: noticed by ${target} in ${seconds} s")
    endif()
endfunction()

begin()
include("${LIST}")
if(missed)
    message(FATAL_ERROR " Not noticed:${missed}")
endif()
message(STATUS "${count} of ${count} noticed")
