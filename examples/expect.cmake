# Runs a program and holds its exit code and its output against what is expected:
#   cmake -DPROGRAM=path;arguments -DEXPECT=regex;regex... [-DCODE=0] -P expect.cmake
# Each expression must match; a dot also stands for the end of a line.
cmake_minimum_required(VERSION 3.25)

execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
string(REPLACE "\r" "" output "${output}")
message("${output}${errors}")

if(NOT DEFINED CODE)
    set(CODE 0)
endif()
if(NOT code STREQUAL CODE)
    message(FATAL_ERROR "the exit code is ${code}, not ${CODE}")
endif()
foreach(expression IN LISTS EXPECT)
    if(NOT output MATCHES "${expression}")
        message(FATAL_ERROR "the output does not match: ${expression}")
    endif()
endforeach()
