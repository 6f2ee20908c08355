# Lines of the library broken on purpose, one at a time, and the scenarios that must notice it. In a
# copy: only what is broken is compiled, and linked with the rest.
#   cmake -DPARTS=folder [-DONLY=text] -P mutants.cmake
# PARTS: where CMakeLists.txt has written what `explore` is made of.
cmake_minimum_required(VERSION 3.25)
include("${PARTS}/parts.cmake") # COMPILER, COMPILE, LINK, OBJECTS, SOURCE, FOLDER

set(tried 0)
set(missed "")

# Compiles SOURCE/file, with the header in `first` in front of it if there is one, into `object`.
function(compile_broken file from first object)
    cmake_path(GET file PARENT_PATH folder)
    set(front "")
    if(first)
        set(front -include "${first}")
    endif()
    execute_process(
        COMMAND "${COMPILER}" ${COMPILE} ${front} -iquote "${SOURCE}/${folder}" -c "${from}" -o "${object}"
        RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(result)
        message(FATAL_ERROR "${file} cannot be compiled:\n${errors}")
    endif()
endfunction()

# private.ld knows the explored objects by the name of their folder.
function(build_broken file text users)
    set(objects "${OBJECTS}")
    set(header "")
    file(REMOVE_RECURSE "${FOLDER}")
    file(MAKE_DIRECTORY "${FOLDER}/explored.dir")
    cmake_path(GET file FILENAME name)
    file(WRITE "${FOLDER}/${name}" "${text}")
    if(users)
        set(header "${FOLDER}/${name}")
    else()
        set(users "${file}")
    endif()
    foreach(user IN LISTS users)
        cmake_path(GET user FILENAME name)
        set(from "${FOLDER}/${name}")
        cmake_path(GET user PARENT_PATH folder)
        if(header)
            set(from "${SOURCE}/${user}")
            cmake_path(GET file PARENT_PATH folder)
        endif()
        compile_broken("${folder}/x" "${from}" "${header}" "${FOLDER}/explored.dir/${name}.o")
        list(FILTER objects EXCLUDE REGEX "explored\\.dir/.*/${user}\\.o$")
        list(APPEND objects "${FOLDER}/explored.dir/${name}.o")
    endforeach()
    execute_process(COMMAND "${COMPILER}" -o "${FOLDER}/explore" ${objects} ${LINK}
        RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(result)
        message(FATAL_ERROR "${file}: cannot be linked:\n${errors}")
    endif()
endfunction()

# mutant(FILE OLD NEW SCENARIO [USERS FILE...]): OLD stands in FILE exactly once (a line that has changed
# since then is as good as missed). SCENARIO: the beginning
# of its name. USERS: of a header, the sources to compile with it.
function(mutant file old new scenario)
    cmake_parse_arguments(arg "" "" "USERS" ${ARGN})
    if(DEFINED ONLY AND NOT "${file}|${old}|${scenario}" MATCHES "${ONLY}")
        return()
    endif()
    file(READ "${SOURCE}/${file}" text)
    string(FIND "${text}" "${old}" at)
    string(FIND "${text}" "${old}" last REVERSE)
    math(EXPR tried "${tried} + 1")
    set(tried ${tried} PARENT_SCOPE)
    if(at EQUAL -1 OR NOT at EQUAL last)
        message("GONE     ${file}: ${old}")
        set(missed ${missed} "${file}" PARENT_SCOPE)
        return()
    endif()
    string(REPLACE "${old}" "${new}" text "${text}")
    build_broken("${file}" "${text}" "${arg_USERS}")
    execute_process(COMMAND "${FOLDER}/explore" -f -t 5 -s "${scenario}"
        RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT 300)
    string(REGEX REPLACE "\n.*" "" what "${old}")
    if(result EQUAL 0)
        message("MISSED   ${file}: ${what}")
        set(missed ${missed} "${file}" PARENT_SCOPE)
        return()
    endif()
    set(why "it died")
    if(output MATCHES "(WRONG|DIED)\n    ([^\n]*)\n    by schedule ([0-9]+)")
        set(why "${CMAKE_MATCH_2}, by schedule ${CMAKE_MATCH_3}")
    endif()
    message("noticed  ${file}: ${what}: ${why}")
endfunction()

include("${CMAKE_CURRENT_LIST_DIR}/mutants_sync.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/mutants_data.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/mutants_family.cmake")

list(LENGTH missed count)
math(EXPR noticed "${tried} - ${count}")
message("mutants: ${noticed} of ${tried} broken lines were noticed")
math(EXPR allowed "${tried} / 20")
if(count GREATER allowed OR tried EQUAL 0)
    message(FATAL_ERROR "Too many were missed")
endif()
