# The long tests in full, then all others many times over, at last with pauses at random places; and
# before all that, whether tests notice what is broken on purpose.
#   cmake [-DCONFIGS=dev;mingw] [-DREPEAT=20] -P cmake/soak.cmake
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/setup.cmake")

if(NOT DEFINED CONFIGS)
    set(CONFIGS dev asan portable mingw)
endif()
if(NOT DEFINED REPEAT)
    set(REPEAT 20)
endif()

set(tools native tests models)
if(CONFIGS MATCHES "musl")
    list(APPEND tools musl)
endif()
if(CONFIGS MATCHES "mingw")
    list(APPEND tools windows windows_tests)
endif()
setup_require(${tools})

# soak_step(COMMAND...): shows what it prints; a failure ends this configuration.
macro(soak_step)
    if(result EQUAL 0)
        execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${source}" RESULT_VARIABLE result)
    endif()
endmacro()

# What the crash tests have counted.
macro(say_sums)
    if(result EQUAL 0)
        file(STRINGS "${folder}/Testing/Temporary/LastTest.log" sums
            REGEX "all recovered$|^([a-z]+ )?storm: |^(explored|mutants): ")
        foreach(sum IN LISTS sums)
            say("  ${sum}")
        endforeach()
    endif()
endmacro()

set(failed "")
set(result 0)
foreach(harness IN ITEMS fault crash)
    soak_step("${CMAKE_COMMAND}" "-DLIST=${source}/tests/${harness}/mutants.cmake"
        "-DWORK=${build}/soak/mutants" -P "${source}/tests/mutants.cmake")
endforeach()
execute_process(COMMAND "${CMAKE_COMMAND}" "-DWORK=${build}/soak/models"
    -P "${source}/tests/models/run.cmake" RESULT_VARIABLE models)
if(NOT models EQUAL 0)
    list(APPEND failed "models")
    message(SEND_ERROR " tests/models: a model is not as it should be")
endif()
if(NOT result EQUAL 0)
    list(APPEND failed "mutants")
    message(SEND_ERROR " tests/fault, tests/crash: something broken was not noticed")
endif()
foreach(config IN LISTS CONFIGS)
    set(result 0)
    set(folder "${build}/soak/${config}")
    set(tests "${CMAKE_CTEST_COMMAND}" --test-dir "${folder}" -j ${cores}
        --output-on-failure)
    say("${config}")
    soak_step("${CMAKE_COMMAND}" --preset ${config} -B "${folder}"
        -DMPROC_SOAK=ON -DMPROC_BUILD_BENCH=OFF)
    soak_step("${CMAKE_COMMAND}" --build "${folder}" -j ${cores})
    soak_step(${tests} --no-tests=ignore -L soak)
    say_sums()
    soak_step(${tests} --no-tests=error -LE "soak|house" --repeat until-fail:${REPEAT})
    if(EXISTS "${folder}/tests/jitter.so")
        soak_step("${CMAKE_COMMAND}" -E env "LD_PRELOAD=${folder}/tests/jitter.so"
            ${tests} -L "api|unit" -LE soak --repeat until-fail:${REPEAT})
    endif()
    if(NOT result EQUAL 0)
        list(APPEND failed ${config})
        message(SEND_ERROR " ${config}: failed")
    endif()
endforeach()

if(failed)
    list(JOIN failed ", " text)
    say("\nFailed: ${text}")
else()
    list(JOIN CONFIGS ", " text)
    say("\nPassed: ${text}")
endif()
