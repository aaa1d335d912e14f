# Passes where the test program CLEAN passes the test cases CASES, and FAULTY, the same program with a seeded
# fault, ends there with a sanitizer's REPORT.
cmake_policy(VERSION 3.25)
function(run program)
  execute_process(COMMAND ${program} ${CASES} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE errors TIMEOUT 140)
  set(result "${result}" PARENT_SCOPE)
  set(output "${output}\n${errors}" PARENT_SCOPE)
endfunction()

run(${CLEAN})
if(NOT result STREQUAL "0" OR NOT output MATCHES "All tests passed")
  message(FATAL_ERROR "without a fault (result ${result}):\n${output}")
endif()
run(${FAULTY})
if(result STREQUAL "0" OR NOT output MATCHES "${REPORT}[^\n]*")
  message(FATAL_ERROR "no \"${REPORT}\" (result ${result}):\n${output}")
endif()
message("reported, as it must be: ${CMAKE_MATCH_0}")
