# What the scripts share: setting up the machine, running the steps, printing tables.

cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH source)
set(build "${source}/build")
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)

# To the standard output, where message() does not write.
function(say text)
    execute_process(COMMAND "${CMAKE_COMMAND}" -E echo "${text}")
endfunction()

# ---- what must be installed ----
#
# Each tool: the program (or header) that shows it is there, and Debian's package.

set(tools_native
    "ninja|ninja-build" "gcc|gcc" "g++|g++" "/usr/include/string.h|libc6-dev")
set(tools_tests
    "/usr/include/cmocka.h|libcmocka-dev" "pkg-config|pkg-config")
set(tools_models "spin|spin")
set(tools_bench
    "/usr/include/boost/interprocess/ipc/message_queue.hpp|libboost-dev" "python3|python3")
set(tools_musl
    "musl-gcc|musl-tools" "dpkg-source|dpkg-dev")
set(tools_windows
    "x86_64-w64-mingw32-gcc|gcc-mingw-w64-x86-64-win32"
    "x86_64-w64-mingw32-g++|g++-mingw-w64-x86-64-win32"
    "wine|wine" "wine|wine64")
set(tools_windows_tests "dpkg-source|dpkg-dev")

function(setup_find_missing result)
    set(packages "")
    foreach(group IN LISTS ARGN)
        foreach(tool IN LISTS tools_${group})
            string(REPLACE "|" ";" tool "${tool}")
            list(GET tool 0 program)
            list(GET tool 1 package)
            unset(found)
            if(IS_ABSOLUTE "${program}")
                set(found "${program}")
            else()
                find_program(found "${program}" NO_CACHE)
            endif()
            if(NOT EXISTS "${found}")
                list(APPEND packages ${package})
            endif()
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES packages)
    set(${result} "${packages}" PARENT_SCOPE)
endfunction()

function(setup_is_debian_root result)
    set(yes FALSE)
    if(EXISTS /etc/debian_version)
        execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
        if(user EQUAL 0)
            set(yes TRUE)
        endif()
    endif()
    set(${result} ${yes} PARENT_SCOPE)
endfunction()

# setup_tools(MISSING GROUP...): on Debian as root installs what the groups need; elsewhere MISSING
# receives the packages by Debian's names.
function(setup_tools missing)
    set(packages "")
    if(CMAKE_HOST_SYSTEM_NAME STREQUAL "Linux")
        setup_find_missing(packages ${ARGN})
    endif()
    setup_is_debian_root(can_install)
    if(packages AND can_install)
        list(JOIN packages " " text)
        say("Installing ${text}")
        set(ENV{DEBIAN_FRONTEND} noninteractive)
        execute_process(COMMAND apt-get -qq update COMMAND_ERROR_IS_FATAL ANY)
        execute_process(COMMAND apt-get -qq -y --no-install-recommends install ${packages}
            OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
        set(packages "")
    endif()
    set(${missing} "${packages}" PARENT_SCOPE)
endfunction()

# The same, but ends the script in one line when something is missing.
function(setup_require)
    setup_tools(missing ${ARGN})
    if(missing)
        list(JOIN missing " " text)
        message(FATAL_ERROR " Not installed (Debian's names): ${text}")
    endif()
endfunction()

# ---- steps ----

# run_logged(RESULT LOG COMMAND...): adds the command's output to the file LOG.
function(run_logged result log)
    execute_process(COMMAND ${ARGN}
        WORKING_DIRECTORY "${source}"
        RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    list(JOIN ARGN " " line)
    file(APPEND "${log}" "$ ${line}\n${output}\n")
    set(${result} "${code}" PARENT_SCOPE)
endfunction()

# The end of a log, for who has to find out what went wrong.
function(show_end_of log)
    file(READ "${log}" text)
    string(LENGTH "${text}" length)
    if(length GREATER 6000)
        math(EXPR begin "${length} - 6000")
        string(SUBSTRING "${text}" ${begin} -1 text)
    endif()
    say("${text}\n(all of it: ${log})")
endfunction()

# ---- time and tables ----

function(milliseconds result)
    string(TIMESTAMP microseconds "%s%f" UTC)
    math(EXPR value "${microseconds} / 1000")
    set(${result} ${value} PARENT_SCOPE)
endfunction()

# Seconds since a value of milliseconds(), with two decimals.
function(seconds_since begin result)
    milliseconds(end)
    math(EXPR hundredths "(${end} - ${begin} + 5) / 10")
    math(EXPR whole "${hundredths} / 100")
    math(EXPR rest "${hundredths} % 100")
    if(rest LESS 10)
        set(rest "0${rest}")
    endif()
    set(${result} "${whole}.${rest}" PARENT_SCOPE)
endfunction()

# The first column is aligned to the left, the others to the right. row_width: of the first one, if 30
# is too little.
function(print_row first)
    set(width 30)
    if(row_width)
        set(width ${row_width})
    endif()
    string(LENGTH "${first}" length)
    set(gap 1)
    if(length LESS width)
        math(EXPR gap "${width} - ${length}")
    endif()
    string(REPEAT " " ${gap} space)
    set(line "  ${first}${space}")
    foreach(cell IN LISTS ARGN)
        string(LENGTH "${cell}" length)
        set(gap 1)
        if(length LESS 12)
            math(EXPR gap "12 - ${length}")
        endif()
        string(REPEAT " " ${gap} space)
        string(APPEND line "${space}${cell}")
    endforeach()
    say("${line}")
endfunction()
