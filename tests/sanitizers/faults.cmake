# Seeded faults that only a sanitizer sees: the tests of a faulty copy of one source must end in its report.
# Nothing here where the build is not sanitized.
set(sanitizer_faults_dir ${CMAKE_CURRENT_LIST_DIR})
add_custom_target(sanitizer_faults)

# sanitizer_fault(<name> TESTS <folder below tests/> CASES <Catch2 filter> SOURCE <file> FIND <text, occurs
#                 once> REPLACE <text> REPORT <regular expression: the sanitizer's own words>)
function(sanitizer_fault name)
  cmake_parse_arguments(PARSE_ARGV 1 fault "" "TESTS;CASES;SOURCE;FIND;REPLACE;REPORT" "")
  string(MAKE_C_IDENTIFIER "sanitizer_fault_${name}" target)
  set(original ${CMAKE_SOURCE_DIR}/${fault_SOURCE})
  set(tool ${CMAKE_SOURCE_DIR}/tools/seed_fault.py)
  set(faulty ${CMAKE_CURRENT_BINARY_DIR}/faults/${target}.cpp)
  add_custom_command(
    OUTPUT ${faulty}
    COMMAND ${tool} ${original} "${fault_FIND}" "${fault_REPLACE}" ${faulty}
    DEPENDS ${original} ${tool}
    VERBATIM)
  # The faulty copy defines what the library's own object would, so the linker leaves that one out.
  set(tests tests_${fault_TESTS})
  add_executable(${target} EXCLUDE_FROM_ALL ${faulty} $<TARGET_OBJECTS:${tests}>)
  target_link_libraries(${target} $<TARGET_PROPERTY:${tests},LINK_LIBRARIES>)
  add_dependencies(sanitizer_faults ${target} ${tests})
  add_test(NAME "sanitizer fault: ${name}"
           COMMAND ${CMAKE_COMMAND} -D CLEAN=$<TARGET_FILE:${tests}> -D FAULTY=$<TARGET_FILE:${target}>
                   -D CASES=${fault_CASES} -D REPORT=${fault_REPORT}
                   -P ${sanitizer_faults_dir}/expect_report.cmake)
  set_tests_properties("sanitizer fault: ${name}" PROPERTIES TIMEOUT 300)
endfunction()

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*thread")
  # The owner sees that all tasks are done, but not what they wrote.
  sanitizer_fault("thread pool, relaxed hand-over" TESTS base CASES "[thread_pool]"
    SOURCE base/thread_pool.cpp
    FIND "num_done_.fetch_add(1, std::memory_order_acq_rel)"
    REPLACE "num_done_.fetch_add(1, std::memory_order_relaxed)"
    REPORT "WARNING: ThreadSanitizer: data race")
  sanitizer_fault("engine thread, cancelling without the lock" TESTS engine
    CASES "every accepted request ends exactly once*" SOURCE engine/serve/engine_core.cpp
    FIND "EngineCore::cancel(uint64_t id) {"
    REPLACE "EngineCore::cancel(uint64_t id) { commands_.emplace_back();"
    REPORT "WARNING: ThreadSanitizer: data race")
endif()

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*address")
  sanitizer_fault("packing, one block too many" TESTS kernels CASES "[pack]"
    SOURCE kernels/formats/format.cpp
    FIND "block < p.num_blocks" REPLACE "block <= p.num_blocks"
    REPORT "ERROR: AddressSanitizer: heap-buffer-overflow")
endif()

if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,]*undefined")
  sanitizer_fault("template arithmetic, unchecked sum" TESTS engine CASES "mistakes are refused with their line"
    SOURCE engine/text/jinja/operators.cpp
    FIND "__builtin_add_overflow(a, b, &value)" REPLACE "(value = a + b, false)"
    REPORT "runtime error: signed integer overflow")
endif()
