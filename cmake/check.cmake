# Builds every configuration, runs its tests and ends with one summary.
#   cmake [-DCONFIGS=dev;asan] [-DDELAY=1000] [-DBUSY=4] -P cmake/check.cmake
# DELAY: every start of a process, every wait and every wake-up takes so many microseconds longer, see
# tests/jitter; in the configurations into whose programs something can be loaded. BUSY: so many
# processes keep the processors busy beside the tests.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/setup.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/results.cmake")

if(NOT DEFINED CONFIGS)
    set(CONFIGS dev shared release asan tsan portable musl mingw mingw-shared)
endif()

set(tools native tests)
if(CONFIGS MATCHES "musl")
    list(APPEND tools musl)
endif()
if(CONFIGS MATCHES "mingw")
    list(APPEND tools windows windows_tests)
endif()
setup_require(${tools})

# ---- what is expected ----

# Seconds, unless an earlier check of this tree has noted others.
set(expected_dev 200)
set(expected_shared 70)
set(expected_release 140)
set(expected_asan 250)
set(expected_tsan 150)
set(expected_portable 200)
set(expected_musl 100)
set(expected_mingw 250)
set(expected_mingw-shared 90)
set(notes "${build}/check/seconds.cmake")
include("${notes}" OPTIONAL)
file(MAKE_DIRECTORY "${build}/check")

# minutes(RESULT SECONDS): as M:SS.
function(minutes result seconds)
    math(EXPR whole "${seconds} / 60")
    math(EXPR rest "${seconds} % 60")
    if(rest LESS 10)
        set(rest "0${rest}")
    endif()
    set(${result} "${whole}:${rest}" PARENT_SCOPE)
endfunction()

milliseconds(check_begin)
list(LENGTH CONFIGS config_count)

# Which configuration of how many, what it does, and how far the whole is.
function(say_step what)
    milliseconds(now)
    math(EXPR elapsed "(${now} - ${check_begin}) / 1000")
    set(left 0)
    foreach(config IN LISTS to_do)
        if(NOT expected_${config})
            set(expected_${config} 150)
        endif()
        math(EXPR left "${left} + ${expected_${config}}")
    endforeach()
    minutes(elapsed ${elapsed})
    minutes(left ${left})
    say("[${number}/${config_count}] ${config}: ${what} (${elapsed} elapsed, about ${left} to go)")
endfunction()

# ---- what surrounds the tests ----

# Processes and threads that the machine has started so far; 0: it does not say.
function(count_starts result)
    set(count 0)
    if(EXISTS /proc/stat)
        file(STRINGS /proc/stat line REGEX "^processes ")
        string(REGEX REPLACE "[^0-9]" "" count "${line}")
    endif()
    set(${result} ${count} PARENT_SCOPE)
endfunction()

# The loops end with this process, at the latest.
function(keep_busy)
    if(BUSY)
        execute_process(COMMAND "${source}/tests/pace/busy.sh" ${BUSY}
            OUTPUT_FILE /dev/null ERROR_FILE /dev/null)
    endif()
endfunction()

# How a configuration's tests are run.
function(find_runner config result)
    set(runner "")
    if(DELAY AND EXISTS "${build}/${config}/tests/jitter.so")
        set(runner "${CMAKE_COMMAND}" -E env MPROC_JITTER_DELAY=${DELAY}
            "LD_PRELOAD=${build}/${config}/tests/jitter.so")
    endif()
    set(${result} "${runner}" PARENT_SCOPE)
endfunction()

if(CMAKE_HOST_UNIX)
    execute_process(COMMAND "${source}/tests/fixture.sh" measure "${build}/check"
        OUTPUT_VARIABLE machine OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE "\n" "; " machine "${machine}")
    say("${cores} processors, ${machine}")
endif()
keep_busy()

# ---- the configurations ----

set(all_passed 0)
set(all_failed 0)
set(all_skipped 0)
set(rows "")
set(times "")
set(number 0)
set(to_do ${CONFIGS})
foreach(config IN LISTS CONFIGS)
    set(log "${build}/check/${config}.log")
    set(results "${build}/check/${config}.xml")
    file(WRITE "${log}" "")
    file(REMOVE "${results}")
    math(EXPR number "${number} + 1")
    say_step("building")
    milliseconds(begin)

    run_logged(result "${log}" "${CMAKE_COMMAND}" --preset ${config}
        -DMPROC_BUILD_TESTS=ON -DMPROC_BUILD_BENCH=OFF)
    if(result EQUAL 0)
        run_logged(result "${log}" "${CMAKE_COMMAND}" --build --preset ${config} -j ${cores}
            --target all all_verify_interface_header_sets)
    endif()
    seconds_since(${begin} building)
    count_starts(starts_before)
    if(result EQUAL 0)
        say_step("testing")
        find_runner(${config} runner)
        run_logged(result "${log}" ${runner} "${CMAKE_CTEST_COMMAND}" --preset ${config}
            --output-junit "${results}" --test-output-size-passed 65536)
    endif()
    count_starts(starts)
    math(EXPR starts "${starts} - ${starts_before}")

    read_results("${results}" passed failed skipped)
    if(NOT result EQUAL 0 AND failed EQUAL 0)
        set(failed 1)
    endif()
    seconds_since(${begin} seconds)
    if(failed GREATER 0)
        show_end_of("${log}")
        message(SEND_ERROR " ${config}: ${failed} failed")
    elseif(NOT DELAY AND NOT BUSY)
        string(REGEX REPLACE "[.].*" "" expected_${config} "${seconds}")
    endif()
    list(POP_FRONT to_do)
    add_test_times("${results}" ${config} times)

    math(EXPR tests "${passed} + ${failed} + ${skipped}")
    list(APPEND rows
        "${config}|${tests}|${passed}|${failed}|${skipped}|${starts}|${building}|${seconds}")
    math(EXPR all_passed "${all_passed} + ${passed}")
    math(EXPR all_failed "${all_failed} + ${failed}")
    math(EXPR all_skipped "${all_skipped} + ${skipped}")
endforeach()

set(text "")
foreach(config IN ITEMS dev shared release asan tsan portable musl mingw mingw-shared)
    string(APPEND text "set(expected_${config} ${expected_${config}})\n")
endforeach()
file(WRITE "${notes}" "${text}")

# ---- the summary ----

say("\nThe slowest tests, in seconds:")
list(SORT times COMPARE NATURAL ORDER DESCENDING)
list(SUBLIST times 0 10 times)
set(row_width 45)
foreach(row IN LISTS times)
    string(REPLACE "|" ";" row "${row}")
    list(REVERSE row)
    print_row(${row})
endforeach()
unset(row_width)

say("\nStarts: processes and threads that the machine started during the tests.")
print_row(configuration tests passed failed skipped starts building seconds)
foreach(row IN LISTS rows)
    string(REPLACE "|" ";" row "${row}")
    print_row(${row})
endforeach()

set(summary "${all_passed} passed, ${all_failed} failed")
if(all_skipped GREATER 0)
    string(APPEND summary ", ${all_skipped} skipped")
endif()
say("\n${summary}")
