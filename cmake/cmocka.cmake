# Finds CMocka and makes the target `cmocka_for_tests`. For MinGW and for musl, where no distribution
# has it, it is built from Debian's source package into MPROC_DEPS_DIR, once.

# Writes a list of source repositories derived from apt's own configuration. Only a copy: the
# machine's own lists stay as they are.
function(_cmocka_write_source_list file)
    execute_process(
        COMMAND apt-get indextargets --format "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
            "Created-By: Packages" "Origin: Debian"
        OUTPUT_VARIABLE targets OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE "\n" ";" targets "${targets}")
    set(keyring /usr/share/keyrings/debian-archive-keyring.gpg)
    set(option "")
    if(EXISTS "${keyring}")
        set(option "[signed-by=${keyring}] ")
    endif()
    set(text "")
    foreach(target IN LISTS targets)
        string(REPLACE "|" " " target "${target}")
        string(APPEND text "deb-src ${option}${target}\n")
    endforeach()
    file(WRITE "${file}" "${text}")
endfunction()

# Downloads and unpacks the source package; its folder goes to `result`, or nothing.
function(_cmocka_get_source folder result)
    file(GLOB source "${folder}/cmocka-*/CMakeLists.txt")
    if(NOT source)
        file(MAKE_DIRECTORY "${folder}/lists/partial")
        _cmocka_write_source_list("${folder}/sources.list")
        set(apt apt-get -qq
            -o "Dir::Etc::SourceList=${folder}/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o "Dir::State::Lists=${folder}/lists" -o APT::Sandbox::User=)
        execute_process(COMMAND ${apt} update COMMAND_ERROR_IS_FATAL ANY)
        execute_process(COMMAND ${apt} source cmocka
            WORKING_DIRECTORY "${folder}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
        file(REMOVE_RECURSE "${folder}/lists" "${folder}/sources.list")
        file(GLOB source "${folder}/cmocka-*/CMakeLists.txt")
    endif()
    cmake_path(GET source PARENT_PATH source)
    set(${result} "${source}" PARENT_SCOPE)
endfunction()

function(_cmocka_build toolchain prefix)
    message(STATUS "Building CMocka for ${prefix}")
    _cmocka_get_source("${MPROC_DEPS_DIR}/cmocka-source" source)
    set(build "${prefix}-build")
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -S "${source}" -B "${build}" -G Ninja -Wno-dev -Wno-deprecated
            "-DCMAKE_TOOLCHAIN_FILE=${toolchain}" "-DCMAKE_INSTALL_PREFIX=${prefix}"
            -DCMAKE_BUILD_TYPE=Release -DWITH_STATIC_LIB=ON -DUNIT_TESTING=OFF -DWITH_EXAMPLES=OFF
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${build}" --target cmocka-static
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB_RECURSE library "${build}/*cmocka-static.a")
    file(COPY "${source}/include/" DESTINATION "${prefix}/include" FILES_MATCHING PATTERN "*.h")
    file(COPY ${library} DESTINATION "${prefix}/lib")
    file(REMOVE_RECURSE "${build}")
endfunction()

set(_cmocka_prefix "")
if(CMAKE_TOOLCHAIN_FILE MATCHES "toolchain-(mingw|musl)\\.cmake$")
    set(_cmocka_prefix "${MPROC_DEPS_DIR}/cmocka-${CMAKE_MATCH_1}")
    find_program(MPROC_DPKG_SOURCE dpkg-source)
    if(NOT EXISTS "${_cmocka_prefix}/lib" AND MPROC_DPKG_SOURCE)
        _cmocka_build("${CMAKE_TOOLCHAIN_FILE}" "${_cmocka_prefix}")
    endif()
endif()

if(_cmocka_prefix)
    find_path(CMOCKA_INCLUDE_DIR cmocka.h
        PATHS "${_cmocka_prefix}/include" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
    find_library(CMOCKA_LIBRARY cmocka-static
        PATHS "${_cmocka_prefix}/lib" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
endif()
find_path(CMOCKA_INCLUDE_DIR cmocka.h)
find_library(CMOCKA_LIBRARY NAMES cmocka-static cmocka)
if(NOT CMOCKA_INCLUDE_DIR OR NOT CMOCKA_LIBRARY)
    message(FATAL_ERROR
        "The tests need CMocka (Debian: libcmocka-dev; https://cmocka.org), or -DMPROC_BUILD_TESTS=OFF")
endif()

add_library(cmocka_for_tests UNKNOWN IMPORTED)
set_target_properties(cmocka_for_tests PROPERTIES
    IMPORTED_LOCATION "${CMOCKA_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CMOCKA_INCLUDE_DIR}")
