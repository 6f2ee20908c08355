# Tests count as a program:
#   cmake -DCOUNT=path -DCASE=name -DFOLDER=for-its-files [-DMETHOD=fork] -P count_test.cmake
cmake_minimum_required(VERSION 3.25)

function(expect_equal what actual expected)
    if(NOT actual STREQUAL expected)
        message(FATAL_ERROR "${what} is\n${actual}\nand not\n${expected}")
    endif()
endfunction()

# Sets code, output and errors.
macro(count)
    execute_process(COMMAND ${COUNT} ${ARGN}
        WORKING_DIRECTORY "${FOLDER}"
        RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
endmacro()

set(tree_counts "tree/a.txt lines: 2 characters: 8
tree/b.md lines: 1 characters: 6
tree/empty.txt lines: 0 characters: 0
tree/sub.c/c.c lines: 0 characters: 3
tree/sub.c/deep/größe 漢.h lines: 3 characters: 3
total: 5 files, 6 lines, 20 characters
")

function(make_tree)
    file(WRITE "${FOLDER}/tree/a.txt" "one\ntwo\n")
    file(WRITE "${FOLDER}/tree/b.md" "äö漢😀x\n")
    file(WRITE "${FOLDER}/tree/empty.txt" "")
    file(WRITE "${FOLDER}/tree/sub.c/c.c" "int")
    file(WRITE "${FOLDER}/tree/sub.c/deep/größe 漢.h" "\n\n\n")
    file(WRITE "${FOLDER}/tree/sub.c/deep/passed.over" "x\n")
endfunction()

function(counts_and_sorts)
    make_tree()
    foreach(workers 1 3)
        count(--start-method ${METHOD} --workers ${workers} tree)
        expect_equal("the exit code" "${code}" 0)
        expect_equal("the output" "${output}" "${tree_counts}")
        expect_equal("the error output" "${errors}" "")
    endforeach()
endfunction()

function(takes_other_endings)
    make_tree()
    count(tree/ .over .md)
    expect_equal("the output" "${output}" "tree/b.md lines: 1 characters: 6
tree/sub.c/deep/passed.over lines: 1 characters: 2
total: 2 files, 2 lines, 8 characters
")
endfunction()

function(appends_to_a_file)
    make_tree()
    file(WRITE "${FOLDER}/result" "before\n")
    foreach(round 1 2)
        count(--output result tree)
        expect_equal("the exit code" "${code}" 0)
        expect_equal("the output" "${output}" "")
    endforeach()
    file(READ "${FOLDER}/result" result)
    expect_equal("the file" "${result}" "before\n${tree_counts}${tree_counts}")
    count(--output tree tree)
    expect_equal("the exit code" "${code}" 2)
endfunction()

function(finds_nothing_in_an_empty_folder)
    file(MAKE_DIRECTORY "${FOLDER}/tree")
    count(tree)
    expect_equal("the exit code" "${code}" 0)
    expect_equal("the output" "${output}" "total: 0 files, 0 lines, 0 characters\n")
    expect_equal("the error output" "${errors}" "")
endfunction()

function(reports_a_missing_folder)
    count(missing)
    expect_equal("the exit code" "${code}" 1)
    expect_equal("the output" "${output}" "total: 0 files, 0 lines, 0 characters\n")
    if(NOT errors MATCHES "^count: missing: No such file or directory")
        message(FATAL_ERROR "the error output is ${errors}")
    endif()
endfunction()

function(reports_unreadable_files_and_counts_the_others)
    make_tree()
    foreach(name a0.txt b0.txt)
        execute_process(COMMAND ln -s ${name} "${FOLDER}/tree/${name}")
    endforeach()
    count(tree)
    expect_equal("the exit code" "${code}" 1)
    expect_equal("the output" "${output}" "${tree_counts}")
    if(NOT errors MATCHES "^count: tree/a0.txt: [^\n]+\ncount: tree/b0.txt: [^\n]+\n$")
        message(FATAL_ERROR "the error output is ${errors}")
    endif()
endfunction()

function(does_not_follow_links_in_circles)
    make_tree()
    execute_process(COMMAND ln -s .. "${FOLDER}/tree/sub.c/up")
    execute_process(COMMAND mkfifo "${FOLDER}/tree/fifo.txt")
    count(tree)
    expect_equal("the exit code" "${code}" 0)
    expect_equal("the output" "${output}" "${tree_counts}")
endfunction()

function(refuses_wrong_arguments)
    make_tree()
    foreach(arguments "" "--workers" "--workers;0;tree" "--workers;-1;tree" "--workers;2x;tree"
            "--workers;99999999999;tree" "--start-method;thread;tree" "--colour;red;tree" "tree;c")
        count(${arguments})
        expect_equal("the exit code of '${arguments}'" "${code}" 2)
        expect_equal("the output of '${arguments}'" "${output}" "")
        if(NOT errors MATCHES "usage: count ")
            message(FATAL_ERROR "the error output is ${errors}")
        endif()
    endforeach()
endfunction()

# Its timeline is strict JSON, with a track for the program and for each worker.
function(can_be_traced)
    make_tree()
    set(ENV{MPROC_TRACE} trace.json)
    count(--start-method ${METHOD} --workers 3 tree)
    expect_equal("the exit code" "${code}" 0)
    expect_equal("the output" "${output}" "${tree_counts}")
    expect_equal("the error output" "${errors}" "")
    file(READ "${FOLDER}/trace.json" trace)
    string(JSON count LENGTH "${trace}")
    math(EXPR last "${count} - 1")
    set(tracks 0)
    set(lives 0)
    foreach(i RANGE ${last})
        string(JSON event GET "${trace}" ${i})
        string(JSON phase GET "${event}" ph)
        string(JSON name GET "${event}" name)
        string(JSON category ERROR_VARIABLE none GET "${event}" cat)
        if(name STREQUAL "process_name")
            math(EXPR tracks "${tracks} + 1")
        elseif(phase STREQUAL "X" AND category STREQUAL "process")
            math(EXPR lives "${lives} + 1")
        endif()
    endforeach()
    expect_equal("the number of tracks" "${tracks}" 4)
    expect_equal("the number of lives" "${lives}" 4)
endfunction()

function(equals_find_and_wc)
    cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH project)
    set(folders "${project}/examples" "${project}/include" "${project}/src")
    foreach(folder IN LISTS folders)
        count(--start-method ${METHOD} "${folder}")
        string(REGEX MATCH "total: ([0-9]+) files, ([0-9]+) lines, ([0-9]+) characters" total "${output}")
        set(counted "${CMAKE_MATCH_2} ${CMAKE_MATCH_3}")
        execute_process(
            COMMAND find "${folder}" -type f
                ( -name *.txt -o -name *.md -o -name *.c -o -name *.h ) -print0
            COMMAND xargs -0 cat
            COMMAND env LC_ALL=C.UTF-8 wc -l -m
            OUTPUT_VARIABLE wc)
        string(REGEX REPLACE "^ *([0-9]+) +([0-9]+).*" "\\1 \\2" wc "${wc}")
        expect_equal("the total of ${folder}" "${counted}" "${wc}")
    endforeach()
endfunction()

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
cmake_language(CALL ${CASE})
file(REMOVE_RECURSE "${FOLDER}")
