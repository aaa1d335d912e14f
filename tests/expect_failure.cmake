# Passes where PROGRAM, a Catch2 test program, ran and a test in it failed: by an assertion, or by an
# aborting check inside a test case. A missing program, a crash outside a test and a hang do not count.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE result OUTPUT_VARIABLE output
                ERROR_VARIABLE errors TIMEOUT 240)
if(result STREQUAL "0")
  message(FATAL_ERROR "the seeded fault was not found:\n${output}")
endif()
string(REGEX MATCH "FAILED:[^=]*" failure "${output}")
if(NOT failure OR NOT output MATCHES "not true: |SIGABRT|replays differently"
   OR NOT output MATCHES "test cases:.*failed")
  message(FATAL_ERROR "no test failure (result ${result}):\n${output}\n${errors}")
endif()
message("found, as it must be:\n${failure}${errors}")
