# Fails if FILE, a library of KIND static or shared, has an external symbol without the prefix mproc_.
cmake_minimum_required(VERSION 3.25)
set(options -g --defined-only)
if(KIND STREQUAL "shared")
    set(options -D --defined-only)
endif()
execute_process(COMMAND "${NM}" ${options} "${FILE}"
    OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)

string(REGEX MATCHALL "[0-9a-f]+ [A-Za-z] [^\n]+" lines "${output}")
list(TRANSFORM lines REPLACE "^[0-9a-f]+ [A-Za-z] " "")
list(LENGTH lines count)
# AddressSanitizer adds markers of its own.
list(FILTER lines EXCLUDE REGEX "^(mproc_|__odr_asan)")
if(lines)
    list(JOIN lines "\n  " text)
    message(FATAL_ERROR "Symbols without the prefix mproc_ (see src/names.h):\n  ${text}")
endif()
if(count EQUAL 0)
    message(FATAL_ERROR "${FILE} has no symbols")
endif()
message("${count} symbols, all with the prefix")
